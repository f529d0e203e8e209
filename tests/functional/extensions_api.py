"""A stand-in for the Lambda Extensions API, enough to see an extension start and end.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import json
import queue
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from loopback import Quiet, serving

Request = tuple[str, dict[str, str], Any]

IDENTIFIER = "11111111-2222-3333-4444-555555555555"


@dataclass
class ExtensionsApi:
    """The requests of an extension, and the events that it is sent."""

    address: str = ""
    requests: queue.Queue[Request] = field(default_factory=queue.Queue[Request])
    events: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue[dict[str, Any]])

    def received(self, path: str, *, seconds: float = 20) -> tuple[dict[str, str], Any]:
        """Wait for the next request, which must be to that path; return its headers and body."""
        got, headers, body = self.requests.get(timeout=seconds)
        assert got == f"/2020-01-01/extension/{path}", f"{got}: {body}"
        return headers, body


@contextmanager
def extensions_api() -> Generator[ExtensionsApi]:
    """Serve the API on loopback."""
    api = ExtensionsApi()

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            api.requests.put((self.path, dict(self.headers), json.loads(body or b"null")))
            self.answer({"functionName": "f", "functionVersion": "1", "handler": "h"})

        def do_GET(self) -> None:
            api.requests.put((self.path, dict(self.headers), None))
            self.answer(api.events.get(timeout=60))

        def do_PUT(self) -> None:  # a subscription to the Telemetry API, which sends nothing here
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer({})

        def answer(self, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            head = [
                b"HTTP/1.1 200 OK",
                b"Content-Type: application/json",
                f"Lambda-Extension-Identifier: {IDENTIFIER}".encode(),
                f"Content-Length: {len(raw)}".encode(),
            ]
            self.wfile.write(b"\r\n".join([*head, b"", raw]))

    with serving(Handler) as api.address:
        yield api
