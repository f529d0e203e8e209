package exporterqueues

import (
	"context"
	"reflect"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

type optional struct {
	Queue configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

type squashed struct {
	optional `mapstructure:",squash"`
}

type enabling struct {
	Queue struct {
		Enabled bool `mapstructure:"enabled"`
	} `mapstructure:"remote_write_queue,omitempty"`
}

type nested struct {
	Inner optional `mapstructure:"inner"`
}

type none struct {
	Name string `mapstructure:"name"`
}

func factories(configs map[string]component.Config) map[component.Type]exporter.Factory {
	made := map[component.Type]exporter.Factory{}
	for name, config := range configs {
		kind := component.MustNewType(name)
		made[kind] = exporter.NewFactory(kind, func() component.Config { return config })
	}
	return made
}

// queued has a queue by default, as exporters have.
func queued() optional {
	return optional{Queue: configoptional.Some(exporterhelper.NewDefaultQueueConfig())}
}

// converted returns a config's exporters after the conversion, and the exporters that it warns of.
func converted(t *testing.T, config map[string]any) (any, []string) {
	t.Helper()
	known := factories(map[string]component.Config{
		"optional": &optional{},
		"default":  &optional{Queue: configoptional.Default(exporterhelper.NewDefaultQueueConfig())},
		"some":     &optional{Queue: queued().Queue},
		"squashed": &squashed{},
		"enabling": &enabling{},
		"nested":   &nested{},
		"none":     &none{},
		"odd":      map[string]any{},
		"nothing":  nil,
	})
	core, logs := observer.New(zapcore.WarnLevel)
	conf := confmap.NewFromStringMap(config)
	set := confmap.ConverterSettings{Logger: zap.New(core)}
	if err := Off(known).Create(set).Convert(context.Background(), conf); err != nil {
		t.Fatal(err)
	}
	var warned []string
	for _, entry := range logs.All() {
		warned = append(warned, entry.ContextMap()["exporter"].(string))
	}
	return conf.ToStringMap()["exporters"], warned
}

func TestAQueueIsOff(t *testing.T) {
	off := map[string]any{"enabled": false}
	for name, each := range map[string]struct {
		given, expected any
		warned          bool
	}{
		"optional":      {nil, map[string]any{"sending_queue": off}, false},
		"default":       {map[string]any{}, map[string]any{"sending_queue": off}, false},
		"some/a":        {map[string]any{"x": 1}, map[string]any{"x": 1, "sending_queue": off}, false},
		"squashed":      {nil, map[string]any{"sending_queue": off}, false},
		"enabling":      {nil, map[string]any{"remote_write_queue": off}, false},
		"nested":        {map[string]any{}, map[string]any{}, false},
		"none/b":        {map[string]any{"name": "b"}, map[string]any{"name": "b"}, false},
		"odd":           {map[string]any{}, map[string]any{}, false},
		"nothing":       {map[string]any{}, map[string]any{}, false},
		"unknown":       {map[string]any{}, map[string]any{}, false},
		"no type at/ /": {map[string]any{}, map[string]any{}, false},
		"optional/off":  {map[string]any{"sending_queue": off}, map[string]any{"sending_queue": off}, false},
		"optional/on": {
			map[string]any{"sending_queue": map[string]any{"enabled": true, "queue_size": 5}},
			map[string]any{"sending_queue": map[string]any{"enabled": false, "queue_size": 5}},
			true,
		},
		"optional/size": {
			map[string]any{"sending_queue": map[string]any{"queue_size": 5}},
			map[string]any{"sending_queue": map[string]any{"enabled": false, "queue_size": 5}},
			true,
		},
		"default/empty": {map[string]any{"sending_queue": nil}, map[string]any{"sending_queue": off}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, warned := converted(t, map[string]any{"exporters": map[string]any{name: each.given}})
			if expected := map[string]any{name: each.expected}; !reflect.DeepEqual(got, any(expected)) {
				t.Errorf("the exporters are %v instead of %v", got, expected)
			}
			if each.warned != (len(warned) == 1 && warned[0] == name) || !each.warned && warned != nil {
				t.Errorf("it warned of %v", warned)
			}
		})
	}
}

func TestAConfigWithoutExportersStaysAsItIs(t *testing.T) {
	for _, given := range []map[string]any{{}, {"exporters": nil}, {"exporters": "none"}} {
		got, warned := converted(t, given)
		if !reflect.DeepEqual(got, given["exporters"]) || warned != nil {
			t.Errorf("the exporters of %v are %v", given, got)
		}
	}
}

// The collector takes what the conversion makes, and the queue is off.
func TestTheResultIsAccepted(t *testing.T) {
	conf := confmap.NewFromStringMap(map[string]any{"exporters": map[string]any{"some": nil}})
	config := queued()
	known := factories(map[string]component.Config{"some": &config})
	set := confmap.ConverterSettings{Logger: zap.NewNop()}
	if err := Off(known).Create(set).Convert(context.Background(), conf); err != nil {
		t.Fatal(err)
	}
	part, err := conf.Sub("exporters::some")
	if err != nil {
		t.Fatal(err)
	}
	if err := part.Unmarshal(&config); err != nil {
		t.Fatal(err)
	}
	if config.Queue.HasValue() {
		t.Error("the queue is on")
	}
}
