// Package disablequeuedretryconverter turns off the queues of certain
// exporters: what is in a queue when Lambda freezes the process may be lost.
package disablequeuedretryconverter

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

// The genuine extension knows some more, but not all that have a queue.
var exporters = []string{"otlp", "otlp_grpc", "otlp_http", "otlphttp"}

type converter struct{}

// New returns the converter.
func New() confmap.Converter { return converter{} }

func (converter) Convert(_ context.Context, conf *confmap.Conf) error {
	configured, _ := conf.Get("exporters").(map[string]any)
	off := map[string]any{}
	for name := range configured {
		kind, _, _ := strings.Cut(name, "/")
		if slices.Contains(exporters, kind) {
			off[name] = map[string]any{"sending_queue": map[string]any{"enabled": false}}
		}
	}
	return conf.Merge(confmap.NewFromStringMap(map[string]any{"exporters": off}))
}
