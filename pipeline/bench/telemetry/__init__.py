"""The telemetry of the bench: what the function sends through a layer and what arrives.

`items` names the spans, points and log records that each invocation sends, and decides which of
them are missing at the end. `receiver` is the OTLP endpoint, over HTTP and gRPC on loopback, to
which the layer exports; it keeps the names of the items that arrived.
"""
