// The collector as a Lambda extension: it runs beside a function, and follows
// the life of the function's environment through the Extensions API.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/internal/collector"
	"github.com/open-telemetry/opentelemetry-lambda/collector/internal/extensionapi"
	"github.com/open-telemetry/opentelemetry-lambda/collector/internal/logging"
	"github.com/open-telemetry/opentelemetry-lambda/collector/internal/telemetryapi"
	"github.com/open-telemetry/opentelemetry-lambda/collector/lambdacomponents"
	"github.com/open-telemetry/opentelemetry-lambda/collector/lambdalifecycle"
)

const (
	runtimeAPIVariable = "AWS_LAMBDA_RUNTIME_API"
	configURIVariable  = "OPENTELEMETRY_COLLECTOR_CONFIG_URI"
	defaultConfigURI   = "/opt/collector-config/config.yaml"
)

// Set with the linker's -X.
var (
	Version = "dev"
	GitHash = "unknown"
)

var errCollectorEnded = errors.New("the collector ended by itself")

func main() {
	printVersion := flag.Bool("v", false, "print the version and exit")
	flag.Parse()
	if *printVersion {
		fmt.Println(Version)
		return
	}

	logger := logging.NewLogger()
	logger.Info("Launching OpenTelemetry Lambda extension", zap.String("version", Version))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, logger)
	stop()
	if err != nil {
		logger.Error("failed", zap.Error(err))
		os.Exit(1)
	}
	logger.Info("stopped")
}

func run(ctx context.Context, logger *zap.Logger) error {
	address := os.Getenv(runtimeAPIVariable)
	if address == "" {
		return errors.New(runtimeAPIVariable + " is not set")
	}
	api := extensionapi.New(address)
	if err := api.Register(ctx, filepath.Base(os.Args[0])); err != nil {
		return err
	}
	functions, err := telemetryapi.Listen()
	if err != nil {
		return err
	}
	defer functions.Close()
	if err := api.Subscribe(ctx, functions.URI()); err != nil {
		return err
	}

	listeners := &lambdalifecycle.Listeners{}
	lambdalifecycle.SetNotifier(listeners)
	running, err := startCollector(ctx, api.ID())
	if err != nil {
		if ctx.Err() != nil {
			return nil // a signal came before the collector was running
		}
		return errors.Join(err, api.InitError(ctx, "Collector.StartFailed", err))
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		<-running.Done()
		cancel(errCollectorEnded)
	}()

	err = follow(ctx, logger, api, functions, listeners)
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errCollectorEnded) {
		err = nil // a signal is an orderly end too
	}
	listeners.EnvironmentShutdown()
	if err = errors.Join(err, running.Stop()); err != nil {
		// ctx may have ended, but the report has to get out.
		reportErr := api.ExitError(context.WithoutCancel(ctx), "Collector.Failed", err)
		return errors.Join(err, reportErr)
	}
	return nil
}

func startCollector(ctx context.Context, extensionID string) (*collector.Collector, error) {
	configURI := os.Getenv(configURIVariable)
	if configURI == "" {
		configURI = defaultConfigURI
	}
	factories, err := lambdacomponents.Components(extensionID)
	if err != nil {
		return nil, err
	}
	made, err := collector.New(factories, configURI, Version)
	if err != nil {
		return nil, err
	}
	return made, made.Start(ctx)
}

// follow passes events on to the listeners until the environment is shut down
// or ctx ends.
func follow(ctx context.Context, logger *zap.Logger, api *extensionapi.Client, functions *telemetryapi.Listener, listener lambdalifecycle.Listener) error {
	for {
		event, err := api.Next(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		switch event.Type {
		case extensionapi.Invoke:
			listener.FunctionInvoked()
			if err := functions.Wait(ctx, event.RequestID); err != nil {
				return err
			}
			// Asking for the next event would freeze the environment.
			listener.FunctionFinished()
		case extensionapi.Shutdown:
			logger.Info("shutting down", zap.String("reason", event.ShutdownReason))
			return nil
		default:
			logger.Warn("unknown event", zap.String("type", string(event.Type)))
		}
	}
}
