// Package connector gathers the connectors which the build tags ask for.
package connector

import "go.opentelemetry.io/collector/connector"

// Factories is filled by the init functions of this package's other files.
var Factories []func(extensionId string) connector.Factory
