//go:build lambdacomponents.custom && (lambdacomponents.all || lambdacomponents.processor.all || lambdacomponents.processor.decouple)

package processor

import (
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/decoupleprocessor"
	"go.opentelemetry.io/collector/processor"
)

func init() {
	Factories = append(Factories, func(extensionId string) processor.Factory { return decoupleprocessor.NewFactory() })
}
