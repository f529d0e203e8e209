package logging

import (
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Launched writes one line that says what runs. By default it is there although the extension logs
// warnings only; a level that is given decides about this line, too.
func Launched(version, commit, distribution string) {
	level := zap.NewAtomicLevelAt(zapcore.InfoLevel)
	if given := os.Getenv(extensionLogLevelEnvVar); given != "" {
		level, _ = parseLevel(given) // NewLogger reports an error
	}
	zap.New(NewCore(level)).Info("Launching OpenTelemetry Lambda extension",
		zap.String("version", version), zap.String("distribution", distribution), zap.String("commit", commit))
}
