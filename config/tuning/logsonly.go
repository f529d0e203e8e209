// Package logsonly gives the collector its own logs, and none of its own metrics and traces.
//
// It takes the place of the package otelconftelemetry of the collector's service. The logs are the
// same, with the same settings; what serves metrics and exports telemetry is not linked.
package logsonly

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configtelemetry"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/service/telemetry"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Config is the section service::telemetry of a collector's configuration.
type Config struct {
	Logs     Logs     `mapstructure:"logs"`
	Metrics  Metrics  `mapstructure:"metrics"`
	Traces   Traces   `mapstructure:"traces,omitempty"`
	Resource Resource `mapstructure:"resource,omitempty"`
}

// Logs has the settings of the logger; Processors, which export logs, are ignored.
type Logs struct {
	Level              zapcore.Level  `mapstructure:"level"`
	Development        bool           `mapstructure:"development,omitempty"`
	Encoding           string         `mapstructure:"encoding"`
	DisableCaller      bool           `mapstructure:"disable_caller,omitempty"`
	DisableStacktrace  bool           `mapstructure:"disable_stacktrace,omitempty"`
	DisableZapResource bool           `mapstructure:"disable_zap_resource,omitempty"`
	Sampling           *Sampling      `mapstructure:"sampling"`
	OutputPaths        []string       `mapstructure:"output_paths"`
	ErrorOutputPaths   []string       `mapstructure:"error_output_paths"`
	InitialFields      map[string]any `mapstructure:"initial_fields,omitempty"`
	Processors         []any          `mapstructure:"processors,omitempty"`
}

// Sampling limits how many equal lines are logged in each Tick.
type Sampling struct {
	Enabled    bool          `mapstructure:"enabled"`
	Tick       time.Duration `mapstructure:"tick"`
	Initial    int           `mapstructure:"initial"`
	Thereafter int           `mapstructure:"thereafter"`
}

// Metrics has the settings of metrics, which are ignored.
type Metrics struct {
	Level   *configtelemetry.Level `mapstructure:"level"`
	Readers []any                  `mapstructure:"readers,omitempty"`
	Views   []any                  `mapstructure:"views,omitempty"`
}

// Traces has the settings of traces, which are ignored.
type Traces struct {
	Level       configtelemetry.Level `mapstructure:"level"`
	Propagators []string              `mapstructure:"propagators"`
	Processors  []any                 `mapstructure:"processors,omitempty"`
	Sampler     any                   `mapstructure:"sampler,omitempty"`
	Limits      any                   `mapstructure:"limits,omitempty"`
}

// Resource has attributes, as a list or, as it was before, as keys and values; Detection is ignored.
type Resource struct {
	Attributes     []Attribute    `mapstructure:"attributes,omitempty"`
	AttributesList *string        `mapstructure:"attributes_list,omitempty"`
	Detectors      any            `mapstructure:"detectors,omitempty"`
	SchemaURL      *string        `mapstructure:"schema_url,omitempty"`
	Detection      any            `mapstructure:"detection/development,omitempty"`
	Legacy         map[string]any `mapstructure:",remain"`
}

// Attribute is an attribute of a resource.
type Attribute struct {
	Name  string `mapstructure:"name"`
	Type  any    `mapstructure:"type,omitempty"`
	Value any    `mapstructure:"value"`
}

// NewFactory returns the factory that the collector creates its telemetry with.
func NewFactory() telemetry.Factory {
	return telemetry.NewFactory(
		defaultConfig,
		telemetry.WithCreateResource(createResource),
		telemetry.WithCreateLogger(createLogger),
		telemetry.WithCreateMeterProvider(createMeterProvider),
		telemetry.WithCreateTracerProvider(createTracerProvider),
	)
}

func defaultConfig() component.Config {
	return &Config{Logs: Logs{
		Level:            zapcore.InfoLevel,
		Encoding:         "console",
		Sampling:         &Sampling{Enabled: true, Tick: 10 * time.Second, Initial: 10, Thereafter: 100},
		OutputPaths:      []string{"stderr"},
		ErrorOutputPaths: []string{"stderr"},
	}}
}

// Validate returns the errors that the collector finds in a resource.
func (r *Resource) Validate() error {
	if r.AttributesList != nil {
		return errors.New("resource::attributes_list is not currently supported, please use resource::attributes")
	}
	for key, value := range r.Legacy {
		if _, isText := value.(string); !isText && value != nil {
			return fmt.Errorf("legacy resource attribute %q must be string or null", key)
		}
	}
	if len(r.Attributes) > 0 && len(r.Legacy) > 0 {
		return errors.New("resource::attributes cannot be used together with legacy inline resource attributes")
	}
	return nil
}

// ignored returns the settings that ask for what this package does not have.
func (c *Config) ignored() []string {
	var keys []string
	note := func(asks bool, key string) {
		if asks {
			keys = append(keys, "service::telemetry::"+key)
		}
	}
	level := c.Metrics.Level
	wanted := level == nil || *level != configtelemetry.LevelNone
	note(level != nil && wanted, "metrics::level")
	note(len(c.Metrics.Readers) > 0 && wanted, "metrics::readers")
	note(len(c.Traces.Processors) > 0 && c.Traces.Level != configtelemetry.LevelNone, "traces::processors")
	note(len(c.Logs.Processors) > 0, "logs::processors")
	note(c.Resource.Detection != nil, "resource::detection/development")
	return keys
}

func createResource(_ context.Context, set telemetry.Settings, config component.Config) (pcommon.Resource, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return pcommon.Resource{}, err
	}
	cfg := config.(*Config).Resource
	values := map[string]any{
		"service.name":        set.BuildInfo.Command,
		"service.version":     set.BuildInfo.Version,
		"service.instance.id": id.String(),
	}
	for name, value := range cfg.Legacy {
		values[name] = value
		if value == nil { // leaves out an attribute that is there by default
			delete(values, name)
		}
	}
	for _, each := range cfg.Attributes {
		values[each.Name] = each.Value
		if each.Value == nil {
			values[each.Name] = fmt.Sprint(nil)
		}
	}
	resource := pcommon.NewResource()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name != "" {
			put(resource.Attributes(), name, values[name])
		}
	}
	return resource, nil
}

// put adds an attribute: what OpenTelemetry's attributes cannot hold becomes text.
func put(attributes pcommon.Map, name string, value any) {
	switch typed := value.(type) {
	case uint64:
		attributes.PutStr(name, strconv.FormatUint(typed, 10))
	case uint:
		attributes.PutStr(name, strconv.FormatUint(uint64(typed), 10))
	case string, bool, int, int8, int16, int32, int64, uint8, uint16, uint32, float32, float64:
		_ = attributes.PutEmpty(name).FromRaw(typed) // fails for other types alone
	default:
		attributes.PutStr(name, fmt.Sprint(value))
	}
}

func createLogger(_ context.Context, set telemetry.LoggerSettings, config component.Config) (*zap.Logger, component.ShutdownFunc, error) {
	cfg := config.(*Config)
	build := set.BuildZapLogger
	if build == nil {
		build = zap.Config.Build
	}
	logger, err := build(zapConfig(cfg.Logs), set.ZapOptions...)
	if err != nil {
		return nil, nil, err
	}
	if set.Resource != nil && set.Resource.Attributes().Len() > 0 && !cfg.Logs.DisableZapResource {
		var fields []zap.Field
		for name, value := range set.Resource.Attributes().All() {
			fields = append(fields, zap.String(name, value.AsString()))
		}
		logger = wrapped(logger, func(core zapcore.Core) zapcore.Core {
			return core.With([]zap.Field{zap.Dict("resource", fields...)})
		})
	}
	if sampling := cfg.Logs.Sampling; sampling != nil && sampling.Enabled {
		logger = wrapped(logger, func(core zapcore.Core) zapcore.Core {
			return zapcore.NewSamplerWithOptions(core, sampling.Tick, sampling.Initial, sampling.Thereafter)
		})
	}
	warn(logger, cfg)
	return logger, nil, nil
}

func zapConfig(logs Logs) zap.Config {
	encoder := zap.NewProductionEncoderConfig()
	encoder.EncodeTime = zapcore.ISO8601TimeEncoder
	return zap.Config{
		Level:             zap.NewAtomicLevelAt(logs.Level),
		Development:       logs.Development,
		Encoding:          logs.Encoding,
		EncoderConfig:     encoder,
		OutputPaths:       logs.OutputPaths,
		ErrorOutputPaths:  logs.ErrorOutputPaths,
		DisableCaller:     logs.DisableCaller,
		DisableStacktrace: logs.DisableStacktrace,
		InitialFields:     logs.InitialFields,
	}
}

func wrapped(logger *zap.Logger, wrap func(zapcore.Core) zapcore.Core) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(wrap))
}

func warn(logger *zap.Logger, cfg *Config) {
	if len(cfg.Resource.Legacy) > 0 {
		logger.Warn(
			"Using legacy service.telemetry.resource inline map format; prefer service.telemetry.resource.attributes (array of maps with `name` and `value` keys)",
			zap.Strings("legacy_resource_attributes", slices.Sorted(maps.Keys(cfg.Resource.Legacy))),
		)
	}
	if keys := cfg.ignored(); len(keys) > 0 {
		logger.Warn("this layer makes no metrics and traces of its own and exports no logs of its own " +
			"(tuning logs-only-telemetry): these settings are ignored: " + strings.Join(keys, ", "))
	}
}

// Its providers do nothing.
var silent = telemetry.NewFactory(nil)

func createMeterProvider(ctx context.Context, set telemetry.MeterSettings, cfg component.Config) (telemetry.MeterProvider, error) {
	set.Logger.Info("Internal metrics telemetry disabled")
	return silent.CreateMeterProvider(ctx, set, cfg)
}

func createTracerProvider(_ context.Context, set telemetry.TracerSettings, _ component.Config) (telemetry.TracerProvider, error) {
	set.Logger.Info("Internal trace telemetry disabled")
	return tracers{}, nil
}

// tracers makes tracers that leave a context as it is.
type tracers struct{ embedded.TracerProvider }

func (tracers) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{} }

func (tracers) Shutdown(context.Context) error { return nil }

type tracer struct{ embedded.Tracer }

func (tracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, noop.Span{}
}
