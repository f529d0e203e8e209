"""What an extension asks of the Telemetry API, checked, and what Lambda holds back for it. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from pipeline.bench.events import Document

SCHEMAS = ("2022-07-01", "2022-12-13", "2025-01-29")
PLATFORM, FUNCTION, EXTENSION = "platform", "function", "extension"
TYPES = (PLATFORM, FUNCTION, EXTENSION)
# Where an extension listens: in Lambda under the second name, and with SAM on any address.
LOOPBACK = ("", "127.0.0.1", "localhost", "sandbox", "sandbox.localdomain")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """What a figure of `buffering` may be, and is where it is not given."""

    default: int
    least: int
    most: int


BUFFERING = {
    "maxItems": Bound(default=10_000, least=1_000, most=10_000),
    "maxBytes": Bound(default=262_144, least=262_144, most=1_048_576),
    "timeoutMs": Bound(default=1_000, least=25, most=30_000),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """Where telemetry goes, what of it, and how long it is held back.

    Attributes:
        port: of the listener on loopback.
        path: of its URI, with the query.
        types: some of `TYPES`.
        items: events that are sent together at most.
        size: bytes that are sent together at most.
        seconds: after which they are sent in any case.
    """

    port: int
    path: str
    types: tuple[str, ...]
    items: int
    size: int
    seconds: float


class RefusedError(ValueError):
    """What Lambda answers with 400."""


def subscription(body: object) -> Subscription:
    """The subscription that a request's JSON asks for.

    Raises:
        RefusedError: Lambda would not take it.
    """
    asked = _mapping(body, "the body")
    if asked.get("schemaVersion") not in SCHEMAS:
        raise RefusedError("schemaVersion is not supported")
    types = asked.get("types")
    if not isinstance(types, list) or not types:
        raise RefusedError("types should not be empty")
    words = cast("list[object]", types)
    if unknown := [word for word in words if word not in TYPES]:
        raise RefusedError(f"unknown type: {unknown[0]}")
    port, path = _destination(_mapping(asked.get("destination"), "destination"))
    buffering = _mapping(asked.get("buffering", {}), "buffering")
    return Subscription(
        port=port,
        path=path,
        types=tuple(str(word) for word in words),
        items=_figure(buffering, "maxItems"),
        size=_figure(buffering, "maxBytes"),
        seconds=_figure(buffering, "timeoutMs") / 1000,
    )


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError(f"{name} is no object")
    return cast("Mapping[str, Any]", value)


def _destination(asked: Mapping[str, Any]) -> tuple[int, str]:
    if asked.get("protocol") != "HTTP":  # TCP is documented, too; no collector uses it
        raise RefusedError("the bench knows the protocol HTTP alone")
    try:
        uri = urlsplit(str(asked.get("URI", "")))
        port = uri.port
    except ValueError as error:
        raise RefusedError(f"URI is none: {error}") from error
    if not port:
        raise RefusedError("URI port is not provided")
    if (uri.hostname or "") not in LOOPBACK:
        raise RefusedError("URI is not of sandbox.localdomain")
    return port, f"{uri.path or '/'}{f'?{uri.query}' if uri.query else ''}"


def _figure(asked: Mapping[str, Any], name: str) -> int:
    bound = BUFFERING[name]
    value = asked.get(name, bound.default)
    if not isinstance(value, int) or not bound.least <= value <= bound.most:
        raise RefusedError(f"{name} must be from {bound.least} to {bound.most}")
    return value


@dataclass(kw_only=True)
class Buffer:
    """Events that wait to be sent to one subscriber.

    Attributes:
        since: when the oldest came, by the caller's clock; None where none waits.
    """

    subscription: Subscription
    events: list[Document] = field(default_factory=list[Document])
    size: int = 0
    since: float | None = None

    def add(self, event: Document, now: float) -> None:
        """Keep an event if the subscriber wants its type."""
        if str(event["type"]).partition(".")[0] not in self.subscription.types:
            return
        self.events.append(event)
        self.size += len(json.dumps(event))
        self.since = now if self.since is None else self.since

    def wait(self, now: float) -> float | None:
        """Seconds until the events are due; None where there are none."""
        if self.since is None:
            return None
        full = len(self.events) >= self.subscription.items or self.size >= self.subscription.size
        return 0.0 if full else max(0.0, self.since + self.subscription.seconds - now)

    def take(self) -> list[Document]:
        """What is to be sent together; the rest stays."""
        count = self.subscription.items
        batch, self.events = self.events[:count], self.events[count:]
        self.size = sum(len(json.dumps(event)) for event in self.events)
        if not self.events:
            self.since = None
        return batch
