// Package exporter gathers the exporters which the build tags ask for.
package exporter

import "go.opentelemetry.io/collector/exporter"

// Factories is filled by the init functions of this package's other files.
var Factories []func(extensionId string) exporter.Factory
