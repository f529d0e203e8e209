//go:build !lambdacomponents.custom

package lambdacomponents

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/basicauthextension"
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/decoupleprocessor"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

// Components returns the factories of the default set, which has no connector.
func Components(extensionID string) (otelcol.Factories, error) {
	return makeFactories(
		otelconftelemetry.NewFactory(),
		[]receiver.Factory{otlpreceiver.NewFactory()},
		[]processor.Factory{batchprocessor.NewFactory(), decoupleprocessor.NewFactory()},
		[]exporter.Factory{debugexporter.NewFactory(), otlpexporter.NewFactory(), otlphttpexporter.NewFactory()},
		[]extension.Factory{basicauthextension.NewFactory()},
		[]connector.Factory{},
	)
}
