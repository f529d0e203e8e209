"""The receiver that a layer exports to: OTLP over HTTP and gRPC, on loopback.

https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from pipeline.bench.environment.lambda_api import listening
from pipeline.bench.environment.machine import HOST
from pipeline.bench.telemetry.items import ATTRIBUTE

_LARGEST_BODY = 64 * 2**20
_PROTOBUF = "application/x-protobuf"


@dataclass(kw_only=True)
class OtlpReceiver:
    """A receiver for OTLP, and what has arrived since it was last emptied.

    Attributes:
        endpoints: `http`, a URL without path, and `grpc`, host and port; empty if not served.
        items: the names of the items that arrived.
        first: the monotonic time of the first export; None before that.
    """

    endpoints: dict[str, str] = field(default_factory=dict[str, str])
    items: set[str] = field(default_factory=set[str])
    first: float | None = None

    def empty(self) -> None:
        """Forget what arrived."""
        self.items.clear()
        self.first = None

    def take(self, attributes: Iterable[Iterable[KeyValue]]) -> None:
        """Note an export whose items have these attributes."""
        self.first = time.monotonic() if self.first is None else self.first
        for each in attributes:
            self.items.update(pair.value.string_value for pair in each if pair.key == ATTRIBUTE)


def span_attributes(request: ExportTraceServiceRequest) -> Iterator[Iterable[KeyValue]]:
    """Yield the attributes of each span."""
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield span.attributes


def point_attributes(request: ExportMetricsServiceRequest) -> Iterator[Iterable[KeyValue]]:
    """Yield the attributes of each point of a sum, the only metric that the function sends."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.sum.data_points:
                    yield point.attributes


def log_attributes(request: ExportLogsServiceRequest) -> Iterator[Iterable[KeyValue]]:
    """Yield the attributes of each log record."""
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield record.attributes


# For each signal: path over HTTP, service over gRPC, request, response, attributes of its items.
_SIGNALS: tuple[tuple[str, str, Any, Any, Any], ...] = (
    (
        *("traces", "trace.v1.TraceService"),
        *(ExportTraceServiceRequest, ExportTraceServiceResponse, span_attributes),
    ),
    (
        *("metrics", "metrics.v1.MetricsService"),
        *(ExportMetricsServiceRequest, ExportMetricsServiceResponse, point_attributes),
    ),
    (
        *("logs", "logs.v1.LogsService"),
        *(ExportLogsServiceRequest, ExportLogsServiceResponse, log_attributes),
    ),
)


@asynccontextmanager
async def otlp_receiver(*, with_grpc: bool) -> AsyncGenerator[OtlpReceiver]:
    """A running receiver, until the context ends.

    Args:
        with_grpc: True if a layer exports by gRPC; its threads cost time that others measure.
    """
    receiver = OtlpReceiver()
    async with listening(_http_app(receiver)) as port:
        receiver.endpoints = {"http": f"http://{HOST}:{port}", "grpc": ""}
        if not with_grpc:
            yield receiver
            return
        server = _grpc_server(receiver)
        grpc_port = server.add_insecure_port(f"{HOST}:0")
        await server.start()
        receiver.endpoints["grpc"] = f"{HOST}:{grpc_port}"
        try:
            yield receiver
        finally:
            await server.stop(0)


def _http_app(receiver: OtlpReceiver) -> web.Application:
    app = web.Application(client_max_size=_LARGEST_BODY)
    for path, _service, kind, answer, attributes in _SIGNALS:

        async def export(
            request: web.Request,
            kind: Any = kind,  # noqa: ANN401  a protobuf message's class
            answer: Any = answer,  # noqa: ANN401
            attributes: Any = attributes,  # noqa: ANN401
        ) -> web.Response:
            receiver.take(attributes(kind.FromString(await request.read())))
            return web.Response(body=answer().SerializeToString(), content_type=_PROTOBUF)

        app.add_routes([web.post(f"/v1/{path}", export)])
    return app


def _grpc_server(receiver: OtlpReceiver) -> Any:  # noqa: ANN401  grpcio has no types
    library: Any = import_module("grpc.aio")
    calls: Any = import_module("grpc")
    server = library.server()
    for _path, service, kind, answer, attributes in _SIGNALS:

        async def export(
            request: Any,  # noqa: ANN401
            _context: object,
            answer: Any = answer,  # noqa: ANN401
            attributes: Any = attributes,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            receiver.take(attributes(request))
            return answer()

        method = calls.unary_unary_rpc_method_handler(
            export, request_deserializer=kind.FromString, response_serializer=_serialized
        )
        handler = calls.method_handlers_generic_handler(
            f"opentelemetry.proto.collector.{service}", {"Export": method}
        )
        server.add_generic_rpc_handlers((handler,))
    return server


def _serialized(message: Any) -> bytes:  # noqa: ANN401  a protobuf message
    return message.SerializeToString()
