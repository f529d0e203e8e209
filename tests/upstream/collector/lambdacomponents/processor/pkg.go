// Package processor gathers the processors which the build tags ask for.
package processor

import "go.opentelemetry.io/collector/processor"

// Factories is filled by the init functions of this package's other files.
var Factories []func(extensionId string) processor.Factory
