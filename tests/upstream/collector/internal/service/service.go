// Package service runs the collector in the background.
package service

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/otelcol"
)

// The collector doesn't tell when it has started, so it is asked this often.
const pollInterval = 5 * time.Millisecond

// Service is one collector. It is started and stopped once.
type Service struct {
	collector *otelcol.Collector
	done      chan struct{}
	err       error // why the collector ended; set before done is closed
}

// New makes a collector of the factories, to be configured from the URI.
func New(factories func() (otelcol.Factories, error), configURI, version string) (*Service, error) {
	collector, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{
			Command:     "otelcol-lambda",
			Description: "OpenTelemetry Collector for AWS Lambda",
			Version:     version,
		},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				URIs: []string{configURI},
				ProviderFactories: []confmap.ProviderFactory{
					fileprovider.NewFactory(),
					envprovider.NewFactory(),
					yamlprovider.NewFactory(),
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
	return &Service{collector: collector, done: make(chan struct{})}, nil
}

// Start returns when the collector is running, or could not be started.
func (s *Service) Start(ctx context.Context) error {
	go func() {
		defer close(s.done)
		// Not ctx: the collector ends by Stop, which lets it flush.
		s.err = s.collector.Run(context.WithoutCancel(ctx))
	}()

	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for s.collector.GetState() != otelcol.StateRunning {
		select {
		case <-s.done:
			if s.err == nil {
				return errors.New("the collector stopped before it was running")
			}
			return s.err
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.Stop())
		case <-ticker.C:
		}
	}
	return nil
}

// Done is closed when the collector has ended, by Stop or by itself.
func (s *Service) Done() <-chan struct{} { return s.done }

// Stop flushes and ends a collector that was started.
func (s *Service) Stop() error {
	s.collector.Shutdown()
	<-s.done
	return s.err
}
