// Package otelconf has the types of OpenTelemetry's configuration that the collector's service names.
//
// The service describes the views of its own metrics with them. A layer that makes no metrics of its
// own needs nothing else of the module that this one stands for.
package otelconf

// View selects instruments and says how their stream looks.
type View struct {
	Selector *ViewSelector
	Stream   *ViewStream
}

// ViewSelector says which instruments a view is for.
type ViewSelector struct {
	InstrumentName *string
	InstrumentType *ViewSelectorInstrumentType
	MeterName      *string
	MeterSchemaUrl *string
	MeterVersion   *string
	Unit           *string
}

// ViewSelectorInstrumentType is a kind of instrument.
type ViewSelectorInstrumentType string

// ViewStream says how a stream of metrics looks.
type ViewStream struct {
	Aggregation   *ViewStreamAggregation
	AttributeKeys *IncludeExclude
	Description   *string
	Name          *string
}

// IncludeExclude lists attributes that stay, and attributes that go.
type IncludeExclude struct {
	Excluded []string
	Included []string
}

// ViewStreamAggregation says how measurements become one value.
type ViewStreamAggregation struct {
	Drop ViewStreamAggregationDrop
}

// ViewStreamAggregationDrop drops all measurements.
type ViewStreamAggregationDrop map[string]any
