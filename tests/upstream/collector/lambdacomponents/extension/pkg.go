// Package extension gathers the extensions which the build tags ask for.
package extension

import "go.opentelemetry.io/collector/extension"

// Factories is filled by the init functions of this package's other files.
var Factories []func(extensionId string) extension.Factory
