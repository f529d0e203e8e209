module go.opentelemetry.io/auto/sdk

go 1.24

// The least that has what is needed here; upstream's own, newer version is the one that counts.
require go.opentelemetry.io/otel/trace v1.31.0
