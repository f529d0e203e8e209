module go.opentelemetry.io/contrib/detectors/aws/eks

go 1.24

// The least that has what is needed here; upstream's own, newer version is the one that counts.
require go.opentelemetry.io/otel/sdk v1.20.0
