"""The stand-in for Lambda's APIs, called over HTTP as extensions call it."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import anyio
import pytest
from aiohttp import web

from pipeline.bench.environment import events
from pipeline.bench.environment.lambda_api import Extension, LambdaApi, listening, serving
from pipeline.bench.environment.sandbox import Changes

BASE = "2020-01-01/extension"
REQUEST = "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa"
EVENTS = {"events": ["INVOKE", "SHUTDOWN"]}


class Client:
    """An extension that calls the APIs over HTTP."""

    def __init__(self, api: LambdaApi, session: aiohttp.ClientSession) -> None:
        self.api, self.session, self.identifier = api, session, ""

    async def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: object = None
    ) -> tuple[int, Any, dict[str, str]]:
        given = {"Lambda-Extension-Identifier": self.identifier, **(headers or {})}
        kept = {name: value for name, value in given.items() if value}
        url = f"http://{self.api.address}/{path}"
        async with self.session.request(method, url, headers=kept, json=body) as answer:
            return answer.status, await answer.json(), dict(answer.headers)

    async def register(
        self, name: str = "collector", body: object = EVENTS, **more: str
    ) -> tuple[int, Any]:
        headers = {"Lambda-Extension-Name": name, **more}
        path = f"{BASE}/register"
        status, answer, got = await self.call("POST", path, headers=headers, body=body)
        self.identifier = got.get("Lambda-Extension-Identifier", "")
        return status, answer

    async def next(self) -> tuple[int, Any, dict[str, str]]:
        return await self.call("GET", f"{BASE}/event/next")

    async def subscribe(self, port: int, **more: object) -> tuple[int, Any]:
        body = {
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function"],
            "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
            "destination": {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}/"},
            **more,
        }
        status, answer, _ = await self.call("PUT", "2022-07-01/telemetry", body=body)
        return status, answer


def run(work: Callable[[Client], Awaitable[None]], asked: list[Extension] | None = None) -> None:
    seen: list[Extension] = [] if asked is None else asked

    async def served() -> None:
        with anyio.fail_after(20):
            async with (
                serving(["collector", "other"], seen.append) as api,
                aiohttp.ClientSession() as session,
            ):
                await work(Client(api, session))

    anyio.run(served)


def test_registration_is_answered_with_the_function() -> None:
    async def work(client: Client) -> None:
        status, answer = await client.register()
        assert status == 200
        function = {"functionName": "bench", "functionVersion": "$LATEST"}
        assert answer == {**function, "handler": "function.handler"}
        assert str(uuid.UUID(client.identifier)) == client.identifier

    run(work)


def test_the_account_is_in_the_answer_if_it_was_requested() -> None:
    async def work(client: Client) -> None:
        _, answer = await client.register(**{"Lambda-Extension-Accept-Feature": "accountId"})
        assert answer["accountId"] == "123456789012"

    run(work)


@pytest.mark.parametrize(
    ("name", "body", "status", "kind"),
    [
        ("stranger", EVENTS, 403, "Extension.InvalidExtensionName"),
        ("collector", {"events": ["SNAP"]}, 400, "Extension.InvalidEventType"),
        ("collector", {"events": 1}, 400, "InvalidRequestFormat"),
        ("collector", [], 400, "InvalidRequestFormat"),
    ],
)
def test_a_registration_that_lambda_refuses(
    name: str, body: object, status: int, kind: str
) -> None:
    async def work(client: Client) -> None:
        got, answer = await client.register(name, body)
        assert (got, answer["errorType"]) == (status, kind)
        assert not client.identifier

    run(work)


def test_an_extension_cannot_register_twice() -> None:
    async def work(client: Client) -> None:
        await client.register()
        status, answer = await client.register()
        assert (status, answer["errorType"]) == (403, "Extension.AlreadyRegistered")

    run(work)


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("", "Extension.MissingExtensionIdentifier"),
        (REQUEST, "Extension.UnknownExtensionIdentifier"),
    ],
)
def test_an_extension_that_has_not_registered_gets_no_event(identifier: str, kind: str) -> None:
    async def work(client: Client) -> None:
        client.identifier = identifier
        status, answer, _ = await client.next()
        assert (status, answer["errorType"]) == (403, kind)

    run(work)


def test_an_invocation_and_the_end_have_the_documented_shapes() -> None:
    asked: list[Extension] = []

    async def work(client: Client) -> None:
        await client.register()
        client.api.send(events.invoke_event(REQUEST, deadline=676051))
        client.api.send(events.shutdown_event(deadline=676052))
        status, invoke, headers = await client.next()
        assert status == 200
        assert headers["Lambda-Extension-Identifier"] == client.identifier
        assert uuid.UUID(headers["Lambda-Extension-Event-Identifier"])
        assert set(invoke) == {
            *("eventType", "deadlineMs", "requestId", "invokedFunctionArn", "tracing")
        }
        assert (invoke["eventType"], invoke["deadlineMs"]) == ("INVOKE", 676051)
        assert invoke["tracing"]["type"] == "X-Amzn-Trace-Id"
        _, shutdown, _ = await client.next()
        expected = {"eventType": "SHUTDOWN", "shutdownReason": "spindown"}
        assert shutdown == {**expected, "deadlineMs": 676052}

    run(work, asked)
    assert [each.name for each in asked] == ["collector", "collector"]


def test_an_event_goes_only_to_extensions_that_registered_for_it() -> None:
    async def work(client: Client) -> None:
        other = Client(client.api, client.session)
        await client.register()
        await other.register("other", {"events": ["SHUTDOWN"]})
        client.api.send(events.invoke_event(REQUEST, deadline=1))
        client.api.send(events.shutdown_event(deadline=2))
        assert (await client.next())[1]["eventType"] == "INVOKE"
        assert (await other.next())[1]["eventType"] == "SHUTDOWN"

    run(work)


@pytest.mark.parametrize("which", ["init", "exit"])
def test_an_error_that_an_extension_reports_is_noted(which: str) -> None:
    async def work(client: Client) -> None:
        await client.register()
        status, answer, _ = await client.call(
            "POST",
            f"{BASE}/{which}/error",
            headers={"Lambda-Extension-Function-Error-Type": "Fatal.Config"},
            body={"errorMessage": "unknown exporter", "errorType": "e", "stackTrace": []},
        )
        assert (status, answer) == (202, {"status": "OK"})
        assert client.api.extensions["collector"].error == "Fatal.Config unknown exporter"

    run(work)


def test_an_answer_is_one_packet() -> None:
    """Head and body are in the first read: a second packet would wait for an acknowledgement."""

    async def work(client: Client) -> None:
        host, _, port = client.api.address.partition(":")

        def first_read() -> bytes:
            with socket.create_connection((host, int(port)), timeout=10) as wire:
                head = f"POST /{BASE}/register HTTP/1.1\r\nHost: {host}\r\n"
                wire.sendall(f"{head}Lambda-Extension-Name: other\r\n\r\n".encode())
                return wire.recv(65536)

        head, _, body = (await anyio.to_thread.run_sync(first_read)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert json.loads(body)["functionName"] == "bench"

    run(work)


class Listener(Changes):
    """A listener of the Telemetry API, and the events that it received."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Any] = []


async def with_listener(work: Callable[[int, Listener], Awaitable[None]]) -> None:
    """Run a listener of the Telemetry API while work is done with its port."""
    listener = Listener()

    async def receive(request: web.Request) -> web.Response:
        listener.received.extend(await request.json())
        listener.notify()
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/", receive)])
    async with listening(app) as port:
        await work(port, listener)


def test_a_listener_receives_all_events_since_init() -> None:
    async def work(client: Client) -> None:
        async def listened(port: int, listener: Listener) -> None:
            client.api.emit("platform.initStart", events.init_start())
            await client.register()
            assert await client.subscribe(port) == (200, "OK")
            client.api.emit("platform.start", events.start(REQUEST))
            client.api.emit("function", "[INFO] hello")
            client.api.emit("extension", "not subscribed to")
            client.api.emit("platform.runtimeDone", events.runtime_done(REQUEST, 140.0))
            client.api.emit("platform.report", events.report(REQUEST, 693.2, memory=2**20))
            await listener.until(lambda: len(listener.received) == 7)
            got = listener.received
            assert [each["type"] for each in got] == [
                *("platform.initStart", "platform.extension", "platform.telemetrySubscription"),
                *("platform.start", "function", "platform.runtimeDone", "platform.report"),
            ]
            assert all(each["time"].endswith("Z") for each in got)
            done, report = got[5]["record"], got[6]["record"]
            assert (done["requestId"], done["status"]) == (REQUEST, "success")
            assert done["metrics"]["durationMs"] == 140.0
            assert report["metrics"]["billedDurationMs"] == 694

        await with_listener(listened)

    run(work)


def test_nothing_is_delivered_while_the_environment_is_frozen() -> None:
    async def work(client: Client) -> None:
        async def listened(port: int, listener: Listener) -> None:
            await client.register()
            client.api.end_init()
            client.api.frozen = True
            await client.subscribe(port)
            client.api.emit("platform.start", events.start(REQUEST))
            await anyio.sleep(0.1)  # four times as long as events may wait
            assert listener.received == []
            client.api.frozen = False
            client.api.changes.notify()
            await listener.until(lambda: bool(listener.received))

        await with_listener(listened)

    run(work)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"schemaVersion": "2019-01-01"}, "schemaVersion"),
        ({"types": []}, "types should not be empty"),
        ({"types": ["weather"]}, "unknown type"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox"}}, "port is not provided"),
        ({"destination": {"protocol": "HTTP", "URI": "http://example.com:80"}}, "sandbox"),
        ({"destination": {"protocol": "TCP", "port": 1}}, "HTTP"),
        ({"buffering": {"timeoutMs": 1}}, "from 25 to 30000"),
        ({"buffering": {"maxItems": 1}}, "from 1000 to 10000"),
    ],
)
def test_a_subscription_that_lambda_refuses(more: dict[str, Any], message: str) -> None:
    async def work(client: Client) -> None:
        await client.register()
        status, answer = await client.subscribe(1, **more)
        assert (status, answer["errorType"]) == (400, "ValidationError")
        assert message in answer["errorMessage"]

    run(work)
