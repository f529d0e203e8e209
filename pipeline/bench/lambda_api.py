"""A stand-in for Lambda's Extensions and Telemetry APIs on loopback.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html

The server is aiohttp's: it is server and client in one, well kept, and writes head and body of an
answer at once. An answer in two packets can wait 40 ms for the extension's acknowledgement of the
first, which would show in every figure.
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

from pipeline.bench import events
from pipeline.bench.events import EVENTS, Document, refusal
from pipeline.bench.here import HOST
from pipeline.bench.sandbox import Changes
from pipeline.bench.subscription import Buffer, RefusedError, subscription

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
    """What the APIs know of an extension.

    Attributes:
        name: of its file.
        identifier: empty until it has registered.
        events: those that it registered for.
        asked: how often it asked for the next event.
        error: the type of the error that it reported, and its message; empty if it did not.
        buffer: what waits for its listener; None where it did not subscribe.
    """

    name: str
    identifier: str = ""
    events: tuple[str, ...] = ()
    asked: int = 0
    error: str = ""
    waiting: deque[Document] = field(default_factory=deque[Document])
    buffer: Buffer | None = None


@dataclass(kw_only=True)
class LambdaApi:
    """The APIs of one execution environment.

    Attributes:
        extensions: those whose executables there are, by name.
        on_next: called at once when an extension asks for an event.
        changes: told whenever an extension said something.
        frozen: nothing is delivered while this is so.
    """

    extensions: dict[str, Extension]
    on_next: Callable[[Extension], None]
    address: str = ""
    changes: Changes = field(default_factory=Changes)
    frozen: bool = False
    _past: list[Document] | None = field(default_factory=list[Document])

    def send(self, event: Document) -> None:
        """Give an event to all extensions that registered for it."""
        for each in self.extensions.values():
            if event["eventType"] in each.events:
                each.waiting.append(event)
        self.changes.tell()

    def emit(self, kind: str, record: Document | str) -> None:
        """Tell subscribers of an event; those who subscribe later hear of what was before."""
        event = events.telemetry(kind, record, now=time.time())
        if self._past is not None:
            self._past.append(event)
        for each in self.extensions.values():
            if each.buffer:
                each.buffer.add(event, time.monotonic())
        self.changes.tell()

    def begin(self) -> None:
        """The init phase is over: who subscribes now hears of what comes, and of nothing before."""
        self._past = None

    async def register(self, request: web.Request) -> web.Response:
        """POST register: the extension names itself and the events it wants."""
        extension = self.extensions.get(request.headers.get(NAME, ""))
        if extension is None:
            name = "the name is not that of a file in extensions/"
            return _refused(_FORBIDDEN, "Extension.InvalidExtensionName", name)
        if extension.identifier:
            return _refused(_FORBIDDEN, "Extension.AlreadyRegistered", "it is registered already")
        try:
            wanted = _wanted_events(await request.text())
        except ValueError as error:
            return _refused(_BAD_REQUEST, "InvalidRequestFormat", str(error))
        if unknown := [each for each in wanted if each not in EVENTS]:
            return _refused(_BAD_REQUEST, "Extension.InvalidEventType", str(unknown[0]))
        extension.identifier, extension.events = str(uuid.uuid4()), wanted
        self.emit(
            "platform.extension",
            {"name": extension.name, "state": "Registered", "events": list(wanted)},
        )
        features = [word.strip() for word in request.headers.get(FEATURES, "").split(",")]
        answer = events.registered(with_account="accountId" in features)
        return _answer(answer, headers={IDENTIFIER: extension.identifier})

    async def next_event(self, request: web.Request) -> web.Response:
        """GET event/next: the extension is done with the last event; answered when there is one."""
        extension = self._known(request)
        if isinstance(extension, web.Response):
            return extension
        self.on_next(extension)
        extension.asked += 1
        self.changes.tell()
        await self.changes.until(lambda: bool(extension.waiting))
        headers = {IDENTIFIER: extension.identifier, EVENT_IDENTIFIER: str(uuid.uuid4())}
        return _answer(extension.waiting.popleft(), headers=headers)

    async def error(self, request: web.Request) -> web.Response:
        """POST init/error and exit/error: the extension gives up."""
        extension = self._known(request)
        if isinstance(extension, web.Response):
            return extension
        kind = request.headers.get(ERROR_TYPE, "")
        if not kind:
            return _refused(_BAD_REQUEST, "InvalidRequestFormat", f"there is no {ERROR_TYPE}")
        extension.error = " ".join(filter(None, (kind, _message(await request.text()))))
        self.changes.tell()
        return _answer({"status": "OK"}, status=_ACCEPTED)

    async def subscribe(self, request: web.Request) -> web.Response:
        """PUT telemetry: the extension wants to be told of things."""
        extension = self._known(request)
        if isinstance(extension, web.Response):
            return extension
        try:
            asked = subscription(json.loads(await request.text()))
        except ValueError as error:
            kind = "ValidationError" if isinstance(error, RefusedError) else "BadJSON"
            return _refused(_BAD_REQUEST, kind, str(error))
        extension.buffer = Buffer(subscription=asked)
        for event in self._past or ():
            extension.buffer.add(event, time.monotonic())
        told = events.subscribed(extension.name, list(asked.types))
        self.emit("platform.telemetrySubscription", told)
        return _answer("OK")

    def _known(self, request: web.Request) -> Extension | web.Response:
        """The extension that asks, or the answer that it gets if it is none."""
        given = request.headers.get(IDENTIFIER, "")
        if not given:
            missing = "Extension.MissingExtensionIdentifier"
            return _refused(_FORBIDDEN, missing, f"there is no {IDENTIFIER}")
        for each in self.extensions.values():
            if each.identifier == given:
                return each
        return _refused(_FORBIDDEN, "Extension.UnknownExtensionIdentifier", "nobody has it")

    async def deliver(self, extension: Extension, session: aiohttp.ClientSession) -> None:
        """Send what waits for a subscriber, as soon as it is due and nothing is frozen."""
        while True:
            await self.changes.until(lambda: bool(extension.buffer and extension.buffer.events))
            buffer = cast("Buffer", extension.buffer)
            await anyio.sleep(buffer.wait(time.monotonic()) or 0)
            await self.changes.until(lambda: not self.frozen)
            batch = buffer.take()
            target = f"http://{HOST}:{buffer.subscription.port}{buffer.subscription.path}"
            # what a listener does not take is lost
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(target, json=batch):
                    pass


@asynccontextmanager
async def serving(
    names: Sequence[str], on_next: Callable[[Extension], None]
) -> AsyncGenerator[LambdaApi]:
    """The APIs for extensions of those names, until the context ends."""
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
    """Serve on a free port of loopback; the port."""
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


def _wanted_events(body: str) -> tuple[str, ...]:
    asked: object = json.loads(body) if body.strip() else {}
    if not isinstance(asked, dict):
        raise RefusedError("the body is no object")
    wanted = cast("dict[str, object]", asked).get("events", [])
    if not isinstance(wanted, list):
        raise RefusedError("events is no list")
    return tuple(str(each) for each in cast("list[object]", wanted))


def _message(body: str) -> str:
    """The message of an error's body, which extensions may leave out."""
    try:
        told: object = json.loads(body)
    except ValueError:
        return ""
    message = cast("dict[str, object]", told).get("errorMessage") if isinstance(told, dict) else ""
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
