// Package sdk makes no spans.
//
// It stands in for the module by which a program that runs elsewhere can turn on spans in this one, with
// eBPF. No such program can run beside a Lambda function.
package sdk

import (
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// TracerProvider returns a provider whose spans record nothing.
func TracerProvider() trace.TracerProvider {
	return noop.NewTracerProvider()
}
