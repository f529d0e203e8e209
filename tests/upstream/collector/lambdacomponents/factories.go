// Package lambdacomponents says which components are part of the collector:
// a fixed set, or with the build tag lambdacomponents.custom those which
// further build tags name.
package lambdacomponents

import (
	"errors"

	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/service/telemetry"
)

func makeFactories(
	own telemetry.Factory,
	receivers []receiver.Factory,
	processors []processor.Factory,
	exporters []exporter.Factory,
	extensions []extension.Factory,
	connectors []connector.Factory,
) (otelcol.Factories, error) {
	factories := otelcol.Factories{Telemetry: own}
	var errs [5]error
	factories.Receivers, errs[0] = otelcol.MakeFactoryMap(receivers...)
	factories.Processors, errs[1] = otelcol.MakeFactoryMap(processors...)
	factories.Exporters, errs[2] = otelcol.MakeFactoryMap(exporters...)
	factories.Extensions, errs[3] = otelcol.MakeFactoryMap(extensions...)
	factories.Connectors, errs[4] = otelcol.MakeFactoryMap(connectors...)
	return factories, errors.Join(errs[:]...)
}
