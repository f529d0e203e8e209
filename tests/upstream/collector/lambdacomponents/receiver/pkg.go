// Package receiver gathers the receivers which the build tags ask for.
package receiver

import "go.opentelemetry.io/collector/receiver"

// Factories is filled by the init functions of this package's other files.
var Factories []func(extensionId string) receiver.Factory
