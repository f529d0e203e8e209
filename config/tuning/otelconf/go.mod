module go.opentelemetry.io/contrib/otelconf

go 1.24
