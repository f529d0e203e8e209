// Package logging writes the extension's log, a JSON object a line.
package logging

import (
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const extensionLogLevelEnvVar = "OPENTELEMETRY_EXTENSION_LOG_LEVEL"

// NewLogger logs from the level that the environment gives, else from info.
func NewLogger() *zap.Logger {
	level, err := parseLevel(os.Getenv(extensionLogLevelEnvVar))
	logger := zap.New(NewCore(level))
	if err != nil {
		logger.Warn("the log level is not usable", zap.Error(err))
	}
	return logger
}

// NewCore writes what a level admits to standard output.
func NewCore(level zapcore.LevelEnabler) zapcore.Core {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zapcore.NewCore(encoder, zapcore.Lock(os.Stdout), level)
}

func parseLevel(given string) (zap.AtomicLevel, error) {
	if given == "" {
		return zap.NewAtomicLevelAt(zapcore.InfoLevel), nil
	}
	level, err := zap.ParseAtomicLevel(given)
	if err != nil {
		level = zap.NewAtomicLevel()
	}
	return level, err
}
