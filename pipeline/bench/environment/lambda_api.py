"""A stand-in for Lambda's Extensions and Telemetry APIs on loopback.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html

The server is aiohttp's, because it writes head and body of an answer in one packet. A second packet
can wait 40 ms for the extension's acknowledgement of the first, which would distort every figure.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import anyio
from aiohttp import web

from pipeline.bench.environment import events
from pipeline.bench.environment.events import EVENTS, Document, refusal
from pipeline.bench.environment.machine import HOST
from pipeline.bench.environment.sandbox import Changes
from pipeline.bench.environment.subscription import RefusedError, Subscription, subscription

NAME = "Lambda-Extension-Name"
IDENTIFIER = "Lambda-Extension-Identifier"
EVENT_IDENTIFIER = "Lambda-Extension-Event-Identifier"
ERROR_TYPE = "Lambda-Extension-Function-Error-Type"
FEATURES = "Lambda-Extension-Accept-Feature"
_EXTENSION, _TELEMETRY = "/2020-01-01/extension", "/2022-07-01/telemetry"
_DELIVERY_SECONDS = 5.0
_FORBIDDEN, _BAD_REQUEST, _ACCEPTED = 403, 400, 202


@dataclass(kw_only=True)
class Extension:
    """An extension, as the APIs know it.

    Attributes:
        name: of its file.
        identifier: given to it at registration; empty before.
        events: those that it registered for.
        asked: how many times it has asked for the next event.
        error: type and message of the error that it reported; empty if it reported none.
        waiting: events that it has not asked for yet.
        subscription: to the Telemetry API; None if it did not subscribe.
    """

    name: str
    identifier: str = ""
    events: tuple[str, ...] = ()
    asked: int = 0
    error: str = ""
    waiting: deque[Document] = field(default_factory=deque[Document])
    subscription: Subscription | None = None


@dataclass(kw_only=True)
class LambdaApi:
    """The APIs of one execution environment.

    Attributes:
        extensions: all of the layer, by the names of their files.
        on_next: called as soon as an extension asks for an event.
        changes: notified after each request of an extension.
        frozen: True while no telemetry is delivered.
    """

    extensions: dict[str, Extension]
    on_next: Callable[[Extension], None]
    address: str = ""
    changes: Changes = field(default_factory=Changes)
    frozen: bool = False
    _past: list[Document] | None = field(default_factory=list[Document])

    def send(self, event: Document) -> None:
        """Send an event to all extensions that registered for it."""
        for each in self.extensions.values():
            if event["eventType"] in each.events:
                each.waiting.append(event)
        self.changes.notify()

    def emit(self, kind: str, record: Document | str) -> None:
        """Send an event to subscribers; during init, also to those that subscribe later."""
        event = events.telemetry(kind, record, now=time.time())
        if self._past is not None:
            self._past.append(event)
        for each in self.extensions.values():
            if each.subscription:
                each.subscription.add(event, time.monotonic())
        self.changes.notify()

    def end_init(self) -> None:
        """End the init phase: later subscribers do not receive its events."""
        self._past = None

    async def register(self, request: web.Request) -> web.Response:
        """POST register: the extension gives its name and the events that it handles."""
        extension = self.extensions.get(request.headers.get(NAME, ""))
        if extension is None:
            why = "the name is not that of a file in extensions/"
            return _refused(_FORBIDDEN, "Extension.InvalidExtensionName", why)
        if extension.identifier:
            return _refused(_FORBIDDEN, "Extension.AlreadyRegistered", "it is registered already")
        try:
            requested = _requested_events(await request.text())
        except ValueError as error:
            return _refused(_BAD_REQUEST, "InvalidRequestFormat", str(error))
        if unknown := [each for each in requested if each not in EVENTS]:
            return _refused(_BAD_REQUEST, "Extension.InvalidEventType", str(unknown[0]))
        extension.identifier, extension.events = str(uuid.uuid4()), requested
        self.emit(
            "platform.extension",
            {"name": extension.name, "state": "Registered", "events": list(requested)},
        )
        features = [word.strip() for word in request.headers.get(FEATURES, "").split(",")]
        answer = events.registered(with_account="accountId" in features)
        return _answer(answer, headers={IDENTIFIER: extension.identifier})

    async def next_event(self, request: web.Request) -> web.Response:
        """GET event/next: the extension has handled the last event; the answer is the next one."""
        extension = self._known(request)
        if isinstance(extension, web.Response):
            return extension
        self.on_next(extension)
        extension.asked += 1
        self.changes.notify()
        await self.changes.until(lambda: bool(extension.waiting))
        headers = {IDENTIFIER: extension.identifier, EVENT_IDENTIFIER: str(uuid.uuid4())}
        return _answer(extension.waiting.popleft(), headers=headers)

    async def error(self, request: web.Request) -> web.Response:
        """POST init/error and exit/error: the extension reports an error."""
        extension = self._known(request)
        if isinstance(extension, web.Response):
            return extension
        kind = request.headers.get(ERROR_TYPE, "")
        if not kind:
            return _refused(_BAD_REQUEST, "InvalidRequestFormat", f"there is no {ERROR_TYPE}")
        extension.error = " ".join(filter(None, (kind, _message(await request.text()))))
        self.changes.notify()
        return _answer({"status": "OK"}, status=_ACCEPTED)

    async def subscribe(self, request: web.Request) -> web.Response:
        """PUT telemetry: the extension subscribes to telemetry."""
        extension = self._known(request)
        if isinstance(extension, web.Response):
            return extension
        try:
            subscribed = subscription(json.loads(await request.text()))
        except ValueError as error:
            kind = "ValidationError" if isinstance(error, RefusedError) else "BadJSON"
            return _refused(_BAD_REQUEST, kind, str(error))
        extension.subscription = subscribed
        for event in self._past or ():
            subscribed.add(event, time.monotonic())
        record = events.subscribed(extension.name, list(subscribed.types))
        self.emit("platform.telemetrySubscription", record)
        return _answer("OK")

    def _known(self, request: web.Request) -> Extension | web.Response:
        """Return the extension that sent a request, or the answer to an unknown one."""
        given = request.headers.get(IDENTIFIER, "")
        if not given:
            missing = "Extension.MissingExtensionIdentifier"
            return _refused(_FORBIDDEN, missing, f"there is no {IDENTIFIER}")
        for each in self.extensions.values():
            if each.identifier == given:
                return each
        return _refused(_FORBIDDEN, "Extension.UnknownExtensionIdentifier", "no extension has it")

    async def deliver(self, extension: Extension, session: aiohttp.ClientSession) -> None:
        """Send the waiting events to a subscriber when they are due and nothing is frozen."""
        while True:
            await self.changes.until(
                lambda: bool(extension.subscription and extension.subscription.events)
            )
            to = cast("Subscription", extension.subscription)
            await anyio.sleep(to.wait(time.monotonic()) or 0)
            await self.changes.until(lambda: not self.frozen)
            batch = to.take()
            target = f"http://{HOST}:{to.port}{to.path}"
            # events that a listener does not accept are lost
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(target, json=batch):
                    pass


@asynccontextmanager
async def serving(
    names: Sequence[str], on_next: Callable[[Extension], None]
) -> AsyncGenerator[LambdaApi]:
    """The running APIs for extensions of these names, until the context ends."""
    extensions = {name: Extension(name=name) for name in names}
    api = LambdaApi(extensions=extensions, on_next=on_next)
    app = web.Application()
    app.add_routes(
        [
            web.post(f"{_EXTENSION}/register", api.register),
            web.get(f"{_EXTENSION}/event/next", api.next_event),
            web.post(f"{_EXTENSION}/init/error", api.error),
            web.post(f"{_EXTENSION}/exit/error", api.error),
            web.put(_TELEMETRY, api.subscribe),
            web.put(f"{_TELEMETRY}/", api.subscribe),
        ]
    )
    timeout = aiohttp.ClientTimeout(total=_DELIVERY_SECONDS)
    async with (
        listening(app) as port,
        aiohttp.ClientSession(timeout=timeout) as session,
        anyio.create_task_group() as tasks,
    ):
        api.address = f"{HOST}:{port}"
        for each in extensions.values():
            tasks.start_soon(api.deliver, each, session)
        yield api
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def listening(app: web.Application) -> AsyncGenerator[int]:
    """Serve an app on a free port of loopback, until the context ends; gives the port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        address = cast("tuple[str, int]", runner.addresses[0])
        yield address[1]
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


def _requested_events(body: str) -> tuple[str, ...]:
    request: object = json.loads(body) if body.strip() else {}
    if not isinstance(request, dict):
        raise RefusedError("the body is no object")
    requested = cast("dict[str, object]", request).get("events", [])
    if not isinstance(requested, list):
        raise RefusedError("events is no list")
    return tuple(str(each) for each in cast("list[object]", requested))


def _message(body: str) -> str:
    """Return the message in the body of an error; extensions may omit it."""
    try:
        error: object = json.loads(body)
    except ValueError:
        return ""
    message = (
        cast("dict[str, object]", error).get("errorMessage") if isinstance(error, dict) else ""
    )
    return message if isinstance(message, str) else ""


def _answer(
    body: Any,  # noqa: ANN401  it may be any JSON
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> web.Response:
    return web.json_response(body, status=status, headers=headers)


def _refused(status: int, kind: str, message: str) -> web.Response:
    return _answer(refusal(kind, message), status=status)
