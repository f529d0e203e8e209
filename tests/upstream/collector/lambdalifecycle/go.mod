module github.com/open-telemetry/opentelemetry-lambda/collector/lambdalifecycle

go 1.25.0
