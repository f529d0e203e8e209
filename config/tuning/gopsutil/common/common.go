// Package common has the keys by which gopsutil is told where /proc is.
package common

type (
	// EnvKeyType is the type of the key.
	EnvKeyType string
	// EnvMap has the settings.
	EnvMap map[EnvKeyType]string
)

// Keys of a context and of the map in it.
const (
	EnvKey         EnvKeyType = "env"
	HostProcEnvKey EnvKeyType = "HOST_PROC"
)
