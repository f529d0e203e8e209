// Package exporterqueues turns off the queues of exporters.
//
// An exporter with a queue says at once that it has sent what is only in its
// memory. Lambda then freezes the process, and may never thaw it again.
package exporterqueues

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"
)

// Keys under which exporters configure a queue: that of exporterhelper, and
// that of the Prometheus remote write exporter.
var queueKeys = []string{"sending_queue", "remote_write_queue"}

// Off makes a converter that turns off the queue of each configured exporter
// whose config has one.
func Off(factories map[component.Type]exporter.Factory) confmap.ConverterFactory {
	return confmap.NewConverterFactory(func(set confmap.ConverterSettings) confmap.Converter {
		return converter{factories: factories, logger: set.Logger}
	})
}

type converter struct {
	factories map[component.Type]exporter.Factory
	logger    *zap.Logger
}

func (c converter) Convert(_ context.Context, conf *confmap.Conf) error {
	exporters, _ := conf.Get("exporters").(map[string]any)
	off := map[string]any{}
	for name, settings := range exporters {
		queues := map[string]any{}
		for _, key := range c.keysOf(name) {
			queues[key] = map[string]any{"enabled": false}
			if isTurnedOn(settings, key) {
				c.logger.Warn("An exporter's queue is turned off: it would lose data when Lambda freezes the collector",
					zap.String("exporter", name), zap.String("key", key))
			}
		}
		if len(queues) > 0 {
			off[name] = queues
		}
	}
	if len(off) == 0 {
		return nil
	}
	return conf.Merge(confmap.NewFromStringMap(map[string]any{"exporters": off}))
}

// keysOf returns the keys of the queues of an exporter. An exporter without
// such a key would refuse it.
func (c converter) keysOf(name string) []string {
	var id component.ID
	if id.UnmarshalText([]byte(name)) != nil {
		return nil // the collector reports it
	}
	factory, ok := c.factories[id.Type()]
	if !ok {
		return nil // this, too
	}
	config := reflect.TypeOf(factory.CreateDefaultConfig())
	return slices.DeleteFunc(slices.Clone(queueKeys), func(key string) bool { return !hasKey(config, key) })
}

// hasKey reports whether a config of a type has a key at its top.
func hasKey(config reflect.Type, key string) bool {
	for config != nil && config.Kind() == reflect.Pointer {
		config = config.Elem()
	}
	if config == nil || config.Kind() != reflect.Struct {
		return false
	}
	for i := range config.NumField() {
		field := config.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		if name == key || slices.Contains(strings.Split(options, ","), "squash") && hasKey(field.Type, key) {
			return true
		}
	}
	return false
}

// isTurnedOn reports whether the user's settings of an exporter turn a queue on.
func isTurnedOn(settings any, key string) bool {
	exporter, _ := settings.(map[string]any)
	value, given := exporter[key]
	queue, _ := value.(map[string]any)
	return given && queue["enabled"] != false
}
