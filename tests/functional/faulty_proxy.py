"""AWS with faults: a proxy between client and moto that records calls and applies rules to them.

    with MotoServer() as moto, FaultyProxy(moto) as aws:
        aws.rules(
            Rule(operation="PublishLayerVersion", region="eu-west-1", times=2, error=THROTTLED),
            Rule(operation="AddLayerVersionPermission", skip=3, times=1, reset="answer"),
            Rule(region=("me-south-1", "af-south-1"), error=NOT_OPTED_IN),
            Rule(region="ca-west-1", stall=HANG),                # or reset="head"
            Rule(stall=0.05),                                    # all calls are slow
            Rule(operation="PublishLayerVersion", region="us-east-1", after=kill),
        )
        ran = run_ocelot(..., env=aws.environment())
        assert [call.region for call in aws.calls("PublishLayerVersion")] == ...
        assert aws.client("lambda", "eu-west-1").list_layer_versions(LayerName="x")...

A call is named by its head: region and service are in the signature. The parts of a rule apply in
this order:

1. after the head: `reset="head"`
2. after half of the body: `during`, `reset="upload"`
3. after all of it: `stall`, then `before`; a call whose client has gone ends here
4. `error` is the answer, and moto does not get the call
5. AWS' own refusals; else moto does the call
6. `after`, then `late`, then `reset="answer"`: moto did it, and the client gets no answer

All rules that match a call apply, each with its own count. AWS' own behaviour is set in
`aws.emulator`: trusts, requests_per_second, expire_credentials(), layers.code_storage. Rules, hooks
and the record's calls are in `aws_rules`, errors in `aws_wire`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import trustme
from aws_emulator import REQUEST_BYTES, EmulatedAws
from aws_rules import HANG, Call, Hook, Names, Record, Rule, Rules
from aws_server import ACCOUNT, MotoServer, boto_client, environment
from aws_wire import DOWNLOADS, RefusedRequestError, Request, Response, error_code, failure, name

_AT_ONCE = 8  # uploads at a time: each is in memory several times
_PIECE = 1 << 20


class FaultyProxy:
    """AWS on loopback, for as long as its context lasts.

    Attributes:
        emulator: answers the calls; its attributes are AWS' limits and trusts.
        url: of all services in all regions.
        tls: trusts the addresses of layers' zips, as `environment` does.
    """

    def __init__(self, moto: MotoServer) -> None:
        self.emulator = EmulatedAws(moto.host)
        self.closing = threading.Event()
        self.uploads = threading.Semaphore(_AT_ONCE)
        self.problems: list[BaseException] = []
        self.ruling = Rules()
        self.record = Record()
        self._ending = contextlib.ExitStack()

    def __enter__(self) -> Self:
        authority = trustme.CA()
        folder = self._ending.enter_context(tempfile.TemporaryDirectory())
        self._bundle = Path(folder) / "ca.pem"
        known = ssl.get_default_verify_paths().cafile
        system = Path(known).read_bytes() if known else b""
        self._bundle.write_bytes(system + authority.cert_pem.bytes())
        self.tls = ssl.create_default_context(cafile=str(self._bundle))
        secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(secured)  # pyright: ignore[reportUnknownMemberType]
        self.url = f"http://{self._serve(None)}"
        self.emulator.layers.downloads = f"https://{self._serve(secured)}{DOWNLOADS}"
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.closing.set()
        self.emulator.close()
        self._ending.close()
        if self.problems and not error:
            raise self.problems[0]

    def _serve(self, tls: ssl.SSLContext | None) -> str:
        server = _Server(("127.0.0.1", 0), partial(_Handler, self))
        server.tls = tls
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self._ending.callback(thread.join)
        self._ending.callback(server.server_close)
        self._ending.callback(server.shutdown)
        return f"127.0.0.1:{server.server_port}"

    def environment(self, *, account: str = ACCOUNT, region: str = "us-east-1") -> dict[str, str]:
        """Return the variables by which the command line uses this AWS."""
        return {
            **environment(self.url, account=account, region=region),
            "SSL_CERT_FILE": str(self._bundle),
        }

    def client(
        self,
        service: Any,  # noqa: ANN401  a literal in boto3's stubs
        region: str = "us-east-1",
        *,
        credentials: dict[str, str] | None = None,
        attempts: int = 1,
    ) -> Any:  # noqa: ANN401
        """Return a client of boto3, see `aws_server.boto_client`; it is closed with the proxy."""
        made = boto_client(service, region, self.url, credentials=credentials, attempts=attempts)
        self._ending.callback(made.close)
        return made

    def rules(self, *rules: Rule) -> None:
        """Replace the rules; counts begin at zero."""
        self.ruling = Rules(rules)

    def calls(
        self, operation: Names = (), region: Names = (), *, writing: bool | None = None
    ) -> list[Call]:
        """Return the calls in the order in which they came, running ones included."""
        calls = self.record.calls(Rule(operation=operation, region=region))
        return [call for call in calls if writing in (None, call.is_writing)]

    def forget(self) -> None:
        """Begin a new record."""
        self.record.forget()

    def idle(self, seconds: float = 30) -> None:
        """Wait until no call is running: a client that was killed may have left one."""
        self.record.idle(seconds)


class _CutError(ConnectionError):
    """The connection ends without an answer."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    tls: ssl.SSLContext | None = None

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401
        self.open: set[socket.socket] = set()
        super().__init__(*arguments)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.tls:  # the handler does the handshake, in its own thread
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self.open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        self.open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End also the connections that clients keep open."""
        super().server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        # clients that hang up are expected
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """The calls of one connection."""

    protocol_version = "HTTP/1.1"

    def __init__(self, owner: FaultyProxy, *arguments: Any) -> None:  # noqa: ANN401
        self.owner = owner
        super().__init__(*arguments)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401
        """Print nothing."""

    def do_GET(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(method=self.command, target=self.path, headers=headers)
        if request.is_form or "x-amz-target" in headers:  # named by its body
            request = replace(request, body=self._read(request.size))
        called = name(request)
        number, call = self.owner.record.came(
            called, account=self.owner.emulator.account(called), size=request.size
        )
        try:
            answer = self._answer(request, call, number)
        except Exception as error:  # noqa: BLE001  a bug of the proxy: the test must fail
            if not isinstance(error, ConnectionError):
                self.owner.problems.append(error)
            self.owner.record.went(number, end=time.monotonic())
            self._reset()
        else:
            self._send(answer)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def _answer(self, request: Request, call: Call, number: int) -> Response:
        """Return the answer to a call; the module's docstring has the order.

        Raises:
            _CutError: there is no answer.
        """
        rules = self.owner.ruling.due(call.name)
        self._cut(rules, "head")
        request = self._with_body(request, call, rules)
        self._wait(sum(rule.stall for rule in rules))
        self._call_hooks(call, [rule.before for rule in rules])
        if self._is_gone():
            raise _CutError
        answer = self._done(request, call, rules, number)
        self._wait(sum(rule.late for rule in rules))
        self._cut(rules, "answer")
        if self._is_gone():
            raise _CutError
        # before the answer is sent: the test may read the record right after
        facts = {"status": answer.status, "error": error_code(answer)}
        self.owner.record.went(number, end=time.monotonic(), **facts)
        return answer

    def _done(self, request: Request, call: Call, rules: Sequence[Rule], number: int) -> Response:
        """Return the answer of a rule, or of AWS."""
        error = next((rule.error for rule in rules if rule.error), None)
        if error:
            return failure(error, call.name.service)
        try:
            answer = self.owner.emulator.do(request, call.name)
        except RefusedRequestError as refused:
            return failure(refused.error, call.name.service)
        self.owner.record.went(number, done=answer.ok)
        self._call_hooks(replace(call, done=answer.ok), [rule.after for rule in rules])
        return answer

    def _with_body(self, request: Request, call: Call, rules: Sequence[Rule]) -> Request:
        """Return the request with its whole body, in which a zip is replaced."""
        size = 0 if request.body else request.size
        half = b""
        if any(rule.during or rule.reset == "upload" for rule in rules):
            half = self._read(size // 2)
            self._call_hooks(call, [rule.during for rule in rules])
            self._cut(rules, "upload")
        if call.name.service == "lambda" and size > REQUEST_BYTES:
            for start in range(len(half), size, _PIECE):
                self._read(min(_PIECE, size - start))
            return request
        with self.owner.uploads if size > _PIECE else contextlib.nullcontext():
            body = request.body or half + self._read(size - len(half))
            return self.owner.emulator.layers.slim(replace(request, body=body), call.name)

    def _read(self, size: int) -> bytes:
        read = self.rfile.read(size)
        if len(read) < size:
            raise _CutError
        return read

    def _cut(self, rules: Sequence[Rule], moment: str) -> None:
        if any(rule.reset == moment for rule in rules):
            raise _CutError

    def _wait(self, seconds: float) -> None:
        if seconds and self.owner.closing.wait(min(seconds, HANG)):
            raise _CutError

    def _call_hooks(self, call: Call, hooks: Iterable[Hook | None]) -> None:
        for hook in filter(None, hooks):
            try:
                hook(call)
            except Exception as error:
                self.owner.problems.append(error)
                raise _CutError from error

    def _is_gone(self) -> bool:
        """True if the client has hung up; it sends nothing while it waits for an answer."""
        if isinstance(self.connection, ssl.SSLSocket):
            return False
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _reset(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _send(self, answer: Response) -> None:
        length = answer.headers.get("content-length", str(len(answer.body)))
        added = {"content-length": length, "x-amzn-requestid": str(uuid.uuid4())}
        headers = {**answer.headers, **added}
        lines = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('',))[0]}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        body = b"" if self.command == "HEAD" else answer.body
        # one write, so that the body does not wait for an acknowledgement of the head
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
