// Our telemetry against the collector's: the same settings, the same resource, the same log lines.
package replaced

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/xconfmap"
	"go.opentelemetry.io/collector/service/telemetry"
	theirs "go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	ours "replaced/ours"
)

var settings = map[string]string{
	"none":                    ``,
	"level warn":              `logs: {level: warn}`,
	"level debug":             `logs: {level: debug}`,
	"json":                    `logs: {encoding: json}`,
	"console":                 `logs: {encoding: console, disable_caller: true}`,
	"development":             `logs: {development: true, level: debug}`,
	"no stack traces":         `logs: {disable_stacktrace: true}`,
	"no sampling":             `logs: {sampling: {enabled: false}}`,
	"sampling":                `logs: {sampling: {initial: 2, thereafter: 3}}`,
	"null sampling":           `logs: {sampling: }`,
	"fields":                  `logs: {initial_fields: {team: one, number: 7}, encoding: json}`,
	"no resource in logs":     `logs: {disable_zap_resource: true}`,
	"legacy resource":         `resource: {team: one, service.name: own}`,
	"less of the resource":    `resource: {service.instance.id: , service.version: , service.name: }`,
	"resource":                `{resource: {attributes: [{name: team, value: one}, {name: number, value: 7}]}, logs: {encoding: json}}`,
	"types of attributes":     `resource: {attributes: [{name: a, value: true}, {name: b, value: 1.5}, {name: c, value: [1, 2]}, {name: d, value: }, {name: "", value: x}]}`,
	"an attribute twice":      `resource: {attributes: [{name: a, value: 1}, {name: a, value: 2}, {name: service.name, value: own}]}`,
	"schema":                  `resource: {schema_url: https://example.com/schema}`,
	"metrics off":             `metrics: {level: none}`,
	"metrics off, readers":    `metrics: {level: none, readers: [{periodic: {exporter: {console: {}}}}]}`,
	"traces off":              `traces: {level: none}`,
	"propagators":             `traces: {propagators: [b3]}`,
	"unknown key":             `loggs: {}`,
	"unknown key of logs":     `logs: {levle: info}`,
	"unknown key of metrics":  `metrics: {leve: none}`,
	"unknown key of traces":   `traces: {leve: none}`,
	"unknown level":           `logs: {level: loud}`,
	"unknown metrics level":   `metrics: {level: loud}`,
	"unknown encoding":        `logs: {encoding: xml}`,
	"a file that cannot be":   `logs: {output_paths: [/no/such/folder/file]}`,
	"a legacy number":         `resource: {team: 7}`,
	"both kinds of attribute": `resource: {team: one, attributes: [{name: a, value: b}]}`,
	"a list of attributes":    `resource: {attributes_list: a=b}`,
}

// Parts of a line that differ between any two starts, and the places in the code of both.
var changing = regexp.MustCompile(`(ours/logsonly|otelconftelemetry/logger)\.go:\d+|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d{4})|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// outcome is what came of a configuration.
type outcome struct {
	lines    string
	resource map[string]any
	failed   bool
}

func started(t *testing.T, factory telemetry.Factory, text string) outcome {
	file := filepath.Join(t.TempDir(), "log")
	lines, resource, err := logged(factory, text, file)
	if err != nil {
		return outcome{failed: true}
	}
	if _, own := resource["service.instance.id"]; own {
		resource["service.instance.id"] = "some"
	}
	return outcome{lines: changing.ReplaceAllString(lines, "*"), resource: resource}
}

func logged(factory telemetry.Factory, text, file string) (string, map[string]any, error) {
	ctx := context.Background()
	cfg, err := config(factory, text)
	if err != nil {
		return "", nil, err
	}
	set := telemetry.Settings{BuildInfo: component.BuildInfo{Command: "collector", Version: "v1"}}
	resource, err := factory.CreateResource(ctx, set, cfg)
	if err != nil {
		return "", nil, err
	}
	set.Resource = &resource
	build := func(zapped zap.Config, options ...zap.Option) (*zap.Logger, error) {
		if reflect.DeepEqual(zapped.OutputPaths, []string{"stderr"}) {
			zapped.OutputPaths = []string{file}
		}
		return zapped.Build(options...)
	}
	logger, shutdown, err := factory.CreateLogger(ctx, telemetry.LoggerSettings{Settings: set, BuildZapLogger: build}, cfg)
	if err != nil {
		return "", nil, err
	}
	write(logger)
	if err := shutdown.Shutdown(ctx); err != nil {
		return "", nil, err
	}
	lines, err := os.ReadFile(file)
	return string(lines), resource.Attributes().AsRaw(), err
}

func config(factory telemetry.Factory, text string) (component.Config, error) {
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	if err != nil {
		return nil, err
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		return nil, err
	}
	cfg := factory.CreateDefaultConfig()
	return cfg, errors.Join(conf.Unmarshal(cfg), xconfmap.Validate(cfg))
}

func write(logger *zap.Logger) {
	for range 15 {
		logger.Info("the same again and again")
	}
	logger.Debug("small")
	logger.Named("part").With(zap.String("kind", "exporter")).Warn("beware", zap.Int("left", 3))
	logger.Error("failed", zap.Error(errors.New("broken")))
}

func TestTheSameLinesAndErrors(t *testing.T) {
	for name, text := range settings {
		t.Run(name, func(t *testing.T) {
			wanted, got := started(t, theirs.NewFactory(), text), started(t, ours.NewFactory(), text)
			if !reflect.DeepEqual(got, wanted) {
				t.Fatalf("ours\n%+v\ntheirs\n%+v", got, wanted)
			}
		})
	}
}

func TestTheSameErrorsWord(t *testing.T) {
	for _, text := range []string{settings["a legacy number"], settings["both kinds of attribute"], settings["a list of attributes"]} {
		_, wanted := config(theirs.NewFactory(), text)
		if _, got := config(ours.NewFactory(), text); got == nil || got.Error() != wanted.Error() {
			t.Errorf("ours %v, theirs %v", got, wanted)
		}
	}
}

func TestWhatIsAskedForInVainIsNamedOnce(t *testing.T) {
	text := `{metrics: {level: detailed, readers: [{periodic: {exporter: {console: {}}}}]},
traces: {processors: [{simple: {exporter: {console: {}}}}]}, logs: {processors: [{simple: {exporter: {console: {}}}}]}}`
	lines, _, err := logged(ours.NewFactory(), text, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	ignored := "service::telemetry::metrics::level, service::telemetry::metrics::readers, service::telemetry::traces::processors, service::telemetry::logs::processors"
	if strings.Count(lines, "logs-only-telemetry") != 1 || !strings.Contains(lines, ignored) {
		t.Fatal(lines)
	}
	for _, name := range []string{"none", "metrics off", "metrics off, readers", "traces off", "propagators"} {
		lines, _, err := logged(ours.NewFactory(), settings[name], filepath.Join(t.TempDir(), "log"))
		if err != nil || strings.Contains(lines, "logs-only-telemetry") {
			t.Errorf("%s: %v %s", name, err, lines)
		}
	}
}

func TestAContextIsLeftAsItIs(t *testing.T) {
	factory, ctx := ours.NewFactory(), context.Background()
	cfg := factory.CreateDefaultConfig()
	traces, err := factory.CreateTracerProvider(ctx, telemetry.TracerSettings{Logger: zap.NewNop()}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	inner, span := traces.Tracer("one").Start(ctx, "two")
	if inner != ctx || span.IsRecording() || trace.SpanFromContext(inner).SpanContext().IsValid() {
		t.Error("a span has begun")
	}
	metrics, err := factory.CreateMeterProvider(ctx, telemetry.MeterSettings{Logger: zap.NewNop()}, cfg)
	if err != nil || metrics.Shutdown(ctx) != nil || traces.Shutdown(ctx) != nil {
		t.Error(err)
	}
}
