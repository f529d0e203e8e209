// Package collector runs the collector in the background.
package collector

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/otelcol"

	"github.com/open-telemetry/opentelemetry-lambda/collector/internal/confmap/converter/disablequeuedretryconverter"
)

// Collector is started and stopped once.
type Collector struct {
	collector *otelcol.Collector
	done      chan struct{}
	err       error // why the collector ended; set before done is closed
}

// New makes a collector of the factories, to be configured from the URI.
func New(factories otelcol.Factories, configURI, version string) (*Collector, error) {
	collector, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{
			Command:     "otelcol-lambda",
			Description: "OpenTelemetry Collector for AWS Lambda",
			Version:     version,
		},
		Factories: func() (otelcol.Factories, error) { return factories, nil },
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				URIs: []string{configURI},
				ProviderFactories: []confmap.ProviderFactory{
					fileprovider.NewFactory(),
					envprovider.NewFactory(),
					yamlprovider.NewFactory(),
				},
				ConverterFactories: []confmap.ConverterFactory{
					confmap.NewConverterFactory(func(confmap.ConverterSettings) confmap.Converter {
						return disablequeuedretryconverter.New()
					}),
				},
				DefaultScheme: "env",
			},
		},
		// Signals are the caller's: they end more than the collector.
		DisableGracefulShutdown: true,
	})
	if err != nil {
		return nil, err
	}
	return &Collector{collector: collector, done: make(chan struct{})}, nil
}

// Start returns when the collector is running, or could not be started.
func (c *Collector) Start(ctx context.Context) error {
	go func() {
		defer close(c.done)
		// Not ctx: the collector ends by Stop, which lets it flush.
		c.err = c.collector.Run(context.WithoutCancel(ctx))
	}()

	// The collector doesn't tell when it has started, so it is asked all the time,
	// as the genuine extension does; `config/tuning.yaml` mends that.
	for {
		select {
		case <-c.done:
			if c.err == nil {
				return errors.New("the collector stopped before it was running")
			}
			return c.err
		case <-ctx.Done():
			return errors.Join(ctx.Err(), c.Stop())
		default:
		}
		switch c.collector.GetState() {
		case otelcol.StateStarting:
		case otelcol.StateRunning:
			return nil
		}
	}
}

// Done is closed when the collector has ended, by Stop or by itself.
func (c *Collector) Done() <-chan struct{} { return c.done }

// Stop flushes and ends a collector that was started.
func (c *Collector) Stop() error {
	c.collector.Shutdown()
	<-c.done
	return c.err
}
