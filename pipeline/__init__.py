"""Custom OpenTelemetry Collector layers for AWS Lambda, built, proven and published."""
