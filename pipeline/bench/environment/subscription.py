"""An extension's subscription to the Telemetry API, checked, with its buffer of events. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from pipeline.bench.environment.events import Document

SCHEMAS = ("2022-07-01", "2022-12-13", "2025-01-29")
PLATFORM, FUNCTION, EXTENSION = "platform", "function", "extension"
TYPES = (PLATFORM, FUNCTION, EXTENSION)
# Hosts on which an extension listens: sandbox names in Lambda, any address with SAM.
LOOPBACK = ("", "127.0.0.1", "localhost", "sandbox", "sandbox.localdomain")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """The default and the range of a number in `buffering`."""

    default: int
    least: int
    most: int


BUFFERING = {
    "maxItems": Bound(default=10_000, least=1_000, most=10_000),
    "maxBytes": Bound(default=262_144, least=262_144, most=1_048_576),
    "timeoutMs": Bound(default=1_000, least=25, most=30_000),
}


@dataclass(kw_only=True)
class Subscription:
    """A subscription, and the events that wait to be sent to it.

    Attributes:
        port: of the listener on loopback.
        path: of its URI, with the query.
        types: some of `TYPES`.
        max_events: the most events that are sent together.
        max_bytes: waiting events of this size are sent at once.
        seconds: the longest time that an event waits.
        events: those that wait.
        size: their size in bytes.
        since: when the oldest came, by the caller's clock; None if none waits.
    """

    port: int
    path: str
    types: tuple[str, ...]
    max_events: int
    max_bytes: int
    seconds: float
    events: list[Document] = field(default_factory=list[Document])
    size: int = 0
    since: float | None = None

    def add(self, event: Document, now: float) -> None:
        """Keep an event if the subscription is for its type."""
        if str(event["type"]).partition(".")[0] not in self.types:
            return
        self.events.append(event)
        self.size += len(json.dumps(event))
        self.since = now if self.since is None else self.since

    def wait(self, now: float) -> float | None:
        """Return the seconds until the events are due; None if there are none."""
        if self.since is None:
            return None
        full = len(self.events) >= self.max_events or self.size >= self.max_bytes
        return 0.0 if full else max(0.0, self.since + self.seconds - now)

    def take(self) -> list[Document]:
        """Remove and return the events that are sent together."""
        batch, self.events = self.events[: self.max_events], self.events[self.max_events :]
        self.size = sum(len(json.dumps(event)) for event in self.events)
        if not self.events:
            self.since = None
        return batch


class RefusedError(ValueError):
    """A request that Lambda answers with status 400."""


def subscription(body: object) -> Subscription:
    """Return the subscription that a request's JSON describes.

    Raises:
        RefusedError: Lambda would not accept it.
    """
    request = _mapping(body, "the body")
    if request.get("schemaVersion") not in SCHEMAS:
        raise RefusedError("schemaVersion is not supported")
    types = request.get("types")
    if not isinstance(types, list) or not types:
        raise RefusedError("types should not be empty")
    names = cast("list[object]", types)
    if unknown := [name for name in names if name not in TYPES]:
        raise RefusedError(f"unknown type: {unknown[0]}")
    port, path = _destination(_mapping(request.get("destination"), "destination"))
    buffering = _mapping(request.get("buffering", {}), "buffering")
    return Subscription(
        port=port,
        path=path,
        types=tuple(str(name) for name in names),
        max_events=_number(buffering, "maxItems"),
        max_bytes=_number(buffering, "maxBytes"),
        seconds=_number(buffering, "timeoutMs") / 1000,
    )


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError(f"{name} is no object")
    return cast("Mapping[str, Any]", value)


def _destination(destination: Mapping[str, Any]) -> tuple[int, str]:
    if destination.get("protocol") != "HTTP":  # TCP is documented, too; no collector uses it
        raise RefusedError("the bench supports only the protocol HTTP")
    try:
        uri = urlsplit(str(destination.get("URI", "")))
        port = uri.port
    except ValueError as error:
        raise RefusedError(f"URI is none: {error}") from error
    if not port:
        raise RefusedError("URI port is not provided")
    if (uri.hostname or "") not in LOOPBACK:
        raise RefusedError("URI is not of sandbox.localdomain")
    return port, f"{uri.path or '/'}{f'?{uri.query}' if uri.query else ''}"


def _number(buffering: Mapping[str, Any], name: str) -> int:
    bound = BUFFERING[name]
    value = buffering.get(name, bound.default)
    if not isinstance(value, int) or not bound.least <= value <= bound.most:
        raise RefusedError(f"{name} must be from {bound.least} to {bound.most}")
    return value
