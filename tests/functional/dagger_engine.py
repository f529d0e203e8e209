"""A stand-in for a Dagger engine: the GraphQL endpoint that the SDK talks to, and nothing run.

Every query is checked against Dagger's own schema, so that a call which no engine would know fails
here too. An object is not made but remembered, as the calls that led to it: a test walks that graph
to see images, mounts, caches and steps, and answers for whatever would be run.

A call that gives an object does nothing, as in an engine: asking a value of one does all that it
stands on. A handler of `Container.withExec` sees each such step, once.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, cast

import graphql

Value = Any  # whatever JSON can say, and nodes
Arguments = Mapping[str, Value]

_execute: Callable[..., graphql.ExecutionResult] = graphql.execute_sync  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
_PLAIN = {"Int": 0, "Float": 0.0, "Boolean": False, "JSON": "null", "Platform": "linux/amd64"}


@dataclass(frozen=True, kw_only=True, repr=False)
class Node:
    """An object of the API, as the call that made it; equal where all that went into it is equal.

    Attributes:
        type: the object's type, `Container`.
        field: what was called, `withExec`; for an item of a list, `inputArgs[0]`.
        arguments: with the schema's defaults, objects as nodes; an item's are its values.
        parent: what it was called on; None for Query.
        id: as handed to the client: a digest of all that.
    """

    type: str = dataclasses.field(compare=False)
    field: str = dataclasses.field(compare=False)
    arguments: Arguments = dataclasses.field(compare=False)
    parent: Node | None = dataclasses.field(compare=False)
    id: str = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(_json([self.parent, self.field, self.arguments]).encode())
        object.__setattr__(self, "id", f"{self.type}@{digest.hexdigest()[:32]}")

    def __repr__(self) -> str:
        told = (f"{name}={_json(value)}" for name, value in self.arguments.items() if value)
        return f"{self.parent or 'Query'}.{self.field}({', '.join(told)})"

    @property
    def call(self) -> str:
        """The call that made it, `Container.withExec`."""
        return f"{self.parent.type if self.parent else 'Query'}.{self.field}"

    def chain(self) -> list[Node]:
        """All calls from Query to this one, in order."""
        return [*(self.parent.chain() if self.parent else ()), self]

    def calls(self, field: str) -> list[Node]:
        """The chain's calls of one field, in order."""
        return [node for node in self.chain() if node.field == field]

    def walk(self) -> list[Node]:
        """All nodes that it stands on and itself, each once and after what it stands on itself."""
        found: dict[Node, None] = {}
        for value in (self.parent, *self.arguments.values()):
            for each in cast("list[Value]", value) if isinstance(value, list) else [value]:
                if isinstance(each, Node):
                    found.update(dict.fromkeys(each.walk()))
        return [*found, self]


Handler = Callable[[Node, Arguments], Value]


class Request(NamedTuple):
    """A query as it came."""

    text: str
    variables: Arguments


class Invalid(NamedTuple):
    """A query that no engine would take, or on which a test's own handler broke."""

    query: Request
    problems: list[str]


class Asked(NamedTuple):
    """A value that was asked for, or a step that was run for one; times by the monotonic clock."""

    name: str
    node: Node
    arguments: Arguments
    start: float
    end: float

    def overlaps(self, other: Asked) -> bool:
        """Whether both were under way at one moment."""
        return self.start < other.end and other.start < self.end


class Refused(Exception):  # noqa: N818 - not a fault but an answer
    """Raised by a handler: the engine answers with an error of this message."""


class ExecFailed(Refused):
    """Raised by a handler: a command ended with a code that was not expected.

    Told as engines do (core/exec_error.go): the message is but the code and the failure's place in
    the trace; the trimmed output stands in the extensions.
    """

    def __init__(self, argv: list[str], exit_code: int, stdout: str = "", stderr: str = "") -> None:
        place = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
        super().__init__(f"exit code: {exit_code} [traceparent:{place}]")
        told = {"cmd": argv, "exitCode": exit_code}
        output = {"stdout": stdout.strip(), "stderr": stderr.strip()}
        self.extensions: dict[str, Value] = {"_type": "EXEC_ERROR", **told, **output}


@dataclass(kw_only=True)
class Engine:
    """What was asked, and what a test answers.

    Attributes:
        schema: Dagger's.
        environment: the variables by which the SDK finds the engine.
        queries: all but those for the schema, in order.
        invalid: those of them that make no sense.
        asked: every value but `id`, and every step with a handler, in the order they ended in.
    """

    schema: graphql.GraphQLSchema
    environment: Mapping[str, str]
    queries: list[Request] = dataclasses.field(default_factory=list[Request])
    invalid: list[Invalid] = dataclasses.field(default_factory=list[Invalid])
    asked: list[Asked] = dataclasses.field(default_factory=list[Asked])

    def __post_init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._given: list[tuple[str, Arguments]] = []
        self._nodes: dict[str, Node] = {}
        self._running: dict[str, threading.Lock] = {}
        self._done: set[str] = set()

    def answer(self, name: str, handler: Handler) -> None:
        """Have a handler, which may block, answer for a field such as `Container.stdout`.

        It gets the object that is asked and the arguments; for a list of objects it gives a mapping
        of values for each. Where the field is an object, it gets that object's own node, before the
        first value that stands on it is answered, and what it gives is ignored.
        """
        self._handlers[name] = handler

    def handler(self, name: str) -> Handler:
        """The handler that answers for a field so far."""
        return self._handlers[name]

    def call(self, parent: str, function: str, state: Arguments, inputs: Arguments) -> None:
        """Have the module that is served next run a function; without this it registers.

        The constructor's name is empty. In the object's state and in the inputs, by the API's
        names, an object of the API is its ID.
        """
        given = [{"name": name, "value": json.dumps(value)} for name, value in inputs.items()]
        said = {"parentName": parent, "name": function, "parent": json.dumps(state)}
        for name, value in {**said, "inputArgs": given}.items():
            self.answer(f"FunctionCall.{name}", partial(_say, value))

    def returned(self) -> Value:
        """What the module returned last: a plain value, an object's fields, an API object's ID."""
        results = [asked for asked in self.asked if asked.name == "FunctionCall.returnValue"]
        return json.loads(results[-1].arguments["value"])

    def node(self, identifier: str) -> Node:
        """The object of an ID, `engine.node(await container.id())`; LookupError if unknown."""
        if identifier not in self._nodes:
            raise LookupError(f"no object has the ID {identifier!r}")
        return self._nodes[identifier]

    def contains(self, text: str, except_fields: Collection[str] = ("setSecret",)) -> bool:
        """Whether a text stands in any argument of any query, as it is or written within JSON.

        The argument `plaintext` of the excepted fields is left out, as it is meant to hold it.
        """
        said = [_json(each.query) for each in self.invalid]
        for field, given in self._given:
            open_to_all = {k: v for k, v in given.items() if k != "plaintext"}
            said.append(_json(open_to_all if field in except_fields else given))
        forms = [_json(form)[1:-1] for form in (text, json.dumps(text)[1:-1], _json(text)[1:-1])]
        return any(form in each for each in said for form in (text, *forms))

    def execute(self, query: Request) -> Arguments:
        """Answer a query: the response's data and errors."""
        if query.text.lstrip().startswith("query IntrospectionQuery"):
            return _introspected(self.schema, query.text)
        self.queries.append(query)
        try:
            document = graphql.parse(query.text)
        except graphql.GraphQLSyntaxError as error:
            return self._invalid(query, [error])
        if problems := graphql.validate(self.schema, document):
            return self._invalid(query, problems)
        result = _execute(
            self.schema,
            document,
            variable_values=dict(query.variables),
            field_resolver=self._resolve,
            type_resolver=_type,
        )
        errors = [e for e in result.errors or () if not isinstance(e.original_error, Refused)]
        return self._invalid(query, errors) if errors else result.formatted

    def _invalid(self, query: Request, errors: list[graphql.GraphQLError]) -> Arguments:
        problems = [repr(error.original_error or error) for error in errors]
        self.invalid.append(Invalid(query, problems))
        return {"data": None, "errors": [error.formatted for error in errors]}

    def _resolve(self, parent: Node | None, info: Value, **given: Value) -> Value:
        name, kind = str(info.field_name), str(info.return_type)
        self._given.append((name, given))
        accepted = info.parent_type.fields[name].args
        arguments = {key: self._loaded(str(accepted[key].type), given[key]) for key in given}
        bare = kind.strip("[]!")
        is_object = graphql.is_composite_type(self.schema.type_map[bare])
        if is_object and "[" not in kind:
            if parent is None and name.startswith(("node", "load")):
                return arguments["id"]
            return self._kept(bare, name, arguments, parent)
        asked = parent or Node(type="Query", field="", arguments={}, parent=None)
        if name == "id":
            return asked.id
        value = self._value(asked, name, kind, arguments)
        if is_object:
            items = enumerate(value)
            return [self._kept(bare, f"{name}[{at}]", item, asked) for at, item in items]
        return asked.id if bare == "ID" else value  # sync and its like give the object itself

    def _loaded(self, kind: str, value: Value) -> Value:
        """An argument with IDs made nodes."""
        if value is None or not kind.strip("[]!").endswith("ID"):
            return value
        return [self.node(each) for each in value] if "[" in kind else self.node(value)

    def _kept(self, kind: str, field: str, arguments: Arguments, parent: Node | None) -> Node:
        node = Node(type=kind, field=field, arguments=arguments, parent=parent)
        return self._nodes.setdefault(node.id, node)

    def _value(self, node: Node, field: str, kind: str, arguments: Arguments) -> Value:
        name = f"{node.type}.{field}"
        with self._timed(name, node, arguments):
            for step in node.walk():
                if step.call in self._handlers:
                    self._run(step, self._handlers[step.call])
            if name in self._handlers:
                return self._handlers[name](node, arguments)
            return self._default(node, field, kind, arguments)

    def _run(self, step: Node, handler: Handler) -> None:
        """Run a step unless it is done; where it is under way already, wait for it."""
        with self._running.setdefault(step.id, threading.Lock()):
            if step.id not in self._done:
                with self._timed(step.call, step, step.arguments):
                    handler(step, step.arguments)
                self._done.add(step.id)  # one that failed is run anew when it is asked for again

    @contextmanager
    def _timed(self, name: str, node: Node, arguments: Arguments) -> Generator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.asked.append(Asked(name, node, arguments, start, time.monotonic()))

    def _default(self, node: Node, field: str, kind: str, arguments: Arguments) -> Value:
        """What the object was made with under that name, or what says as little as may be."""
        if field in node.arguments and not node.field.startswith("with"):
            return node.arguments[field]
        if field in ("export", "publish"):
            return arguments["path" if field == "export" else "address"]
        if not kind.endswith("!"):
            return None
        made = self.schema.type_map[kind.strip("[]!")]
        if isinstance(made, graphql.GraphQLEnumType):
            return next(iter(made.values))
        return [] if "[" in kind else _PLAIN.get(made.name, "")


def _type(node: Node, *_: object) -> str:
    return node.type


def _say(value: Value, *_: object) -> Value:
    return value


def _json(value: Value) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=lambda node: node.id)


@cache
def _schema(path: Path) -> graphql.GraphQLSchema:
    return graphql.build_schema(path.read_text())


@cache
def _introspected(schema: graphql.GraphQLSchema, query: str) -> Arguments:
    """The schema as a client asks for it: dear to work out, and the same for every connection."""
    return _execute(schema, graphql.parse(query)).formatted


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    engine: Engine
    authorization: str
    places: threading.Semaphore

    def handle_error(self, request: Value, client_address: Value) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that hung up is no news
            super().handle_error(request, client_address)


class _Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is printed; the engine keeps what was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != self.server.authorization:
            return self._send("401 Unauthorized", {})
        if self.path != "/query":
            return self._send("404 Not Found", {})
        asked = json.loads(body)
        with self.server.places:
            query = Request(asked["query"], asked.get("variables") or {})
            answer = self.server.engine.execute(query)
        return self._send("200 OK", answer)

    def _send(self, status: str, answer: Arguments) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        # one write: the body is not to wait for an acknowledgement of the head
        self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


@contextmanager
def dagger_engine(schema: Path, *, at_once: int = 32) -> Generator[Engine]:
    """Serve on loopback, where `engine.environment` points the SDK to; at most so many at once."""
    token = secrets.token_hex(16)
    server = _Server(("127.0.0.1", 0), _Endpoint)
    port = str(server.server_port)
    found = {"DAGGER_SESSION_PORT": port, "DAGGER_SESSION_TOKEN": token}
    server.engine = Engine(schema=_schema(schema), environment=found)
    server.authorization = f"Basic {base64.b64encode(f'{token}:'.encode()).decode()}"
    server.places = threading.Semaphore(at_once)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(5000)  # a chain of 150 calls is beyond the usual; 200 is the parser's end
    try:
        yield server.engine
    finally:
        sys.setrecursionlimit(limit)
        server.shutdown()
        server.server_close()
        thread.join()
