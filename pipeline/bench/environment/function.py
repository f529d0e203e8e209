"""The function beside the extensions: it sends telemetry by the official OpenTelemetry SDK.

It runs as its own process, as a function does, and imports nothing of ocelot. It reads orders from
standard input, a JSON object a line, and answers each by one on standard output:

    {"do": "open", "endpoints": {"grpc": "127.0.0.1:1", "http": "http://127.0.0.1:2"}}
    {"do": "invoke", "items": ["0/traces/grpc/0", "0/logs/http/0"]}
    {"do": "close"}

The answer is `{"problems": [...]}`, the warnings and errors that the SDK logged.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ATTRIBUTE = "ocelot.item"
_ANSWERS = 1  # standard output, a pipe to the bench
NAME = "ocelot.bench"
SECONDS = 2
FLUSH_MS = 5000
# Each point is sent once: a later one of the same series would hide the loss of the first.
_TEMPORALITY: dict[type, AggregationTemporality] = {Counter: AggregationTemporality.DELTA}


class Sender:
    """Sends all three signals by one protocol."""

    def __init__(self, spans: Any, metrics: Any, logs: Any) -> None:  # noqa: ANN401
        resource = Resource.create({"service.name": NAME})
        self._traces = TracerProvider(resource=resource)
        self._traces.add_span_processor(BatchSpanProcessor(spans))
        reader = PeriodicExportingMetricReader(metrics, export_interval_millis=math.inf)
        self._metrics = MeterProvider(metric_readers=[reader], resource=resource)
        self._logs = LoggerProvider(resource=resource)
        self._logs.add_log_record_processor(BatchLogRecordProcessor(logs))
        self._tracer = self._traces.get_tracer(NAME)
        self._counter = self._metrics.get_meter(NAME).create_counter("invocations")
        self._logger = self._logs.get_logger(NAME)

    def send(self, item: str) -> None:
        """Record an item of the signal in its name."""
        signal, attributes = item.split("/")[1], {ATTRIBUTE: item}
        if signal == "traces":
            self._tracer.start_span(item, attributes=attributes).end()
        elif signal == "metrics":
            self._counter.add(1, attributes)
        else:
            self._logger.emit(body=item, attributes=attributes)

    def flush(self) -> None:
        """Send the recorded items, as a function does before it returns."""
        self._traces.force_flush(FLUSH_MS)
        self._metrics.force_flush(FLUSH_MS)
        self._logs.force_flush(FLUSH_MS)

    def close(self) -> None:
        """Close the connections."""
        self._traces.shutdown()
        self._metrics.shutdown()
        self._logs.shutdown()


def over_grpc(endpoint: str) -> Sender:
    """Return a sender by gRPC to host and port."""
    return Sender(
        GrpcSpans(endpoint=endpoint, insecure=True, timeout=SECONDS),
        GrpcMetrics(
            endpoint=endpoint, insecure=True, timeout=SECONDS, preferred_temporality=_TEMPORALITY
        ),
        GrpcLogs(endpoint=endpoint, insecure=True, timeout=SECONDS),
    )


def over_http(endpoint: str) -> Sender:
    """Return a sender by HTTP to a URL without path."""
    return Sender(
        HttpSpans(endpoint=f"{endpoint}/v1/traces", timeout=SECONDS),
        HttpMetrics(
            endpoint=f"{endpoint}/v1/metrics", timeout=SECONDS, preferred_temporality=_TEMPORALITY
        ),
        HttpLogs(endpoint=f"{endpoint}/v1/logs", timeout=SECONDS),
    )


OPENERS: dict[str, Callable[[str], Sender]] = {"grpc": over_grpc, "http": over_http}


class LoggedProblems(logging.Handler):
    """Keeps the warnings and errors that the SDK logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


def obey(order: dict[str, Any], opened: dict[str, Sender]) -> None:
    """Carry out an order.

    Args:
        order: a line of standard input.
        opened: the senders by protocol, kept from one order to the next.
    """
    if order["do"] == "open":
        opened.update((name, OPENERS[name](at)) for name, at in order["endpoints"].items())
    elif order["do"] == "invoke":
        for item in order["items"]:
            opened[item.split("/")[2]].send(item)
        for each in opened.values():
            each.flush()
    else:
        for each in opened.values():
            each.close()
        opened.clear()


def main() -> None:
    """Carry out orders until standard input ends."""
    problems = LoggedProblems()
    logging.getLogger("opentelemetry").addHandler(problems)
    logging.getLogger("opentelemetry").propagate = False
    opened: dict[str, Sender] = {}
    with os.fdopen(_ANSWERS, "w", encoding="utf-8", closefd=False) as answers:
        for line in sys.stdin:
            obey(json.loads(line), opened)
            logged, problems.lines = problems.lines, []
            answers.write(json.dumps({"problems": logged[:5]}) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
