// Package decoupleprocessor passes data on from a goroutine of its own, so
// that whoever sent it to a receiver isn't held up by the exporters.
package decoupleprocessor

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
)

const defaultMaxQueueSize = 200

// Config is the processor's part of the collector's configuration.
type Config struct {
	// MaxQueueSize is the number of batches held before senders have to wait.
	MaxQueueSize int `mapstructure:"max_queue_size"`
}

// Validate is called by the collector on loading its configuration.
func (c *Config) Validate() error {
	if c.MaxQueueSize <= 0 {
		return errors.New("max_queue_size must be positive")
	}
	return nil
}

// NewFactory returns the factory of the decouple processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		component.MustNewType("decouple"),
		func() component.Config { return &Config{MaxQueueSize: defaultMaxQueueSize} },
		processor.WithTraces(newTraces, component.StabilityLevelDevelopment),
		processor.WithMetrics(newMetrics, component.StabilityLevelDevelopment),
		processor.WithLogs(newLogs, component.StabilityLevelDevelopment),
	)
}

func newTraces(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	return &tracesProcessor{newQueue(set, cfg), next}, nil
}

func newMetrics(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	return &metricsProcessor{newQueue(set, cfg), next}, nil
}

func newLogs(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	return &logsProcessor{newQueue(set, cfg), next}, nil
}
