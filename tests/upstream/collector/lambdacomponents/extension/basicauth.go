//go:build lambdacomponents.custom && (lambdacomponents.all || lambdacomponents.extension.all || lambdacomponents.extension.basicauth)

package extension

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/basicauthextension"
	"go.opentelemetry.io/collector/extension"
)

func init() {
	Factories = append(Factories, func(extensionId string) extension.Factory { return basicauthextension.NewFactory() })
}
