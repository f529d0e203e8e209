//go:build lambdacomponents.custom && (lambdacomponents.all || lambdacomponents.exporter.all || lambdacomponents.exporter.slow)

package exporter

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// An exporter as users add them: with a queue by default, and in no list of upstream's.
type slowConfig struct {
	Endpoint string                                                   `mapstructure:"endpoint"`
	Queue    configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

func init() {
	Factories = append(Factories, func(string) exporter.Factory {
		return exporter.NewFactory(component.MustNewType("slow"), slowDefaults,
			exporter.WithTraces(newSlow, component.StabilityLevelDevelopment))
	})
}

func slowDefaults() component.Config {
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 1
	return &slowConfig{Queue: configoptional.Some(queue)}
}

func newSlow(ctx context.Context, set exporter.Settings, given component.Config) (exporter.Traces, error) {
	config := given.(*slowConfig)
	// Sends the name of the first span.
	send := func(_ context.Context, traces ptrace.Traces) error {
		name := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Name()
		answer, err := http.Post(config.Endpoint, "text/plain", strings.NewReader(name))
		if err == nil {
			answer.Body.Close()
		}
		return err
	}
	return exporterhelper.NewTraces(ctx, set, config, send, exporterhelper.WithQueue(config.Queue))
}
