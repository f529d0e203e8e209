"""The endpoint that a layer exports to: OTLP over HTTP and gRPC, on loopback.

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

from pipeline.bench.here import HOST
from pipeline.bench.items import ATTRIBUTE
from pipeline.bench.lambda_api import listening

_LARGEST = 64 * 2**20
_PROTOBUF = "application/x-protobuf"


@dataclass(kw_only=True)
class Received:
    """What arrived since the last time it was emptied.

    Attributes:
        items: by their names.
        requests: exports.
        first: when the first one came, by the monotonic clock; None before that.
    """

    items: set[str] = field(default_factory=set[str])
    requests: int = 0
    first: float | None = None

    def empty(self) -> None:
        """Forget everything."""
        self.items.clear()
        self.requests, self.first = 0, None

    def take(self, attributes: Iterable[Iterable[KeyValue]]) -> None:
        """An export came, with items of those attributes."""
        self.first = time.monotonic() if self.first is None else self.first
        self.requests += 1
        for each in attributes:
            self.items.update(pair.value.string_value for pair in each if pair.key == ATTRIBUTE)


def span_attributes(request: ExportTraceServiceRequest) -> Iterator[Iterable[KeyValue]]:
    """The attributes of all spans."""
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield span.attributes


def point_attributes(request: ExportMetricsServiceRequest) -> Iterator[Iterable[KeyValue]]:
    """The attributes of all points of sums, the only metrics that the function sends."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.sum.data_points:
                    yield point.attributes


def log_attributes(request: ExportLogsServiceRequest) -> Iterator[Iterable[KeyValue]]:
    """The attributes of all log records."""
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield record.attributes


# For each signal: path over HTTP, service over gRPC, request, response, what is in it.
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


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a layer exports to, and what came there.

    Attributes:
        http: URL without path.
        grpc: host and port; empty where nothing exports by gRPC.
    """

    http: str
    grpc: str
    received: Received


@asynccontextmanager
async def endpoint(*, with_grpc: bool) -> AsyncGenerator[Endpoint]:
    """An endpoint, until the context ends.

    Args:
        with_grpc: whether anything exports by gRPC; its threads take time of the machine's.
    """
    received = Received()
    async with listening(_http_app(received)) as port:
        http = f"http://{HOST}:{port}"
        if not with_grpc:
            yield Endpoint(http=http, grpc="", received=received)
            return
        server = _grpc_server(received)
        at = server.add_insecure_port(f"{HOST}:0")
        await server.start()
        try:
            yield Endpoint(http=http, grpc=f"{HOST}:{at}", received=received)
        finally:
            await server.stop(0)


def _http_app(received: Received) -> web.Application:
    app = web.Application(client_max_size=_LARGEST)
    for path, _service, kind, answer, attributes in _SIGNALS:

        async def export(
            request: web.Request,
            kind: Any = kind,  # noqa: ANN401  a protobuf message's class
            answer: Any = answer,  # noqa: ANN401
            attributes: Any = attributes,  # noqa: ANN401
        ) -> web.Response:
            received.take(attributes(kind.FromString(await request.read())))
            return web.Response(body=answer().SerializeToString(), content_type=_PROTOBUF)

        app.add_routes([web.post(f"/v1/{path}", export)])
    return app


def _grpc_server(received: Received) -> Any:  # noqa: ANN401  grpcio has no types
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
            received.take(attributes(request))
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
