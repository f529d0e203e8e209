//go:build lambdacomponents.custom

package lambdacomponents

import (
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/open-telemetry/opentelemetry-lambda/collector/lambdacomponents/connector"
	"github.com/open-telemetry/opentelemetry-lambda/collector/lambdacomponents/exporter"
	"github.com/open-telemetry/opentelemetry-lambda/collector/lambdacomponents/extension"
	"github.com/open-telemetry/opentelemetry-lambda/collector/lambdacomponents/processor"
	"github.com/open-telemetry/opentelemetry-lambda/collector/lambdacomponents/receiver"
)

// Components returns the factories of the components which the build tags name.
func Components(extensionID string) (otelcol.Factories, error) {
	return makeFactories(
		otelconftelemetry.NewFactory(),
		create(receiver.Factories, extensionID),
		create(processor.Factories, extensionID),
		create(exporter.Factories, extensionID),
		create(extension.Factories, extensionID),
		create(connector.Factories, extensionID),
	)
}

func create[F any](constructors []func(string) F, extensionID string) []F {
	factories := make([]F, 0, len(constructors))
	for _, construct := range constructors {
		factories = append(factories, construct(extensionID))
	}
	return factories
}
