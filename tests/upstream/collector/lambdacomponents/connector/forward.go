//go:build lambdacomponents.custom && (lambdacomponents.all || lambdacomponents.connector.all || lambdacomponents.connector.forward)

package connector

import (
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/forwardconnector"
)

func init() {
	Factories = append(Factories, func(extensionId string) connector.Factory { return forwardconnector.NewFactory() })
}
