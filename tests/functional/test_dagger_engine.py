"""The stand-in for a Dagger engine, by the SDK's own client; and how a module is tested by it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Annotated, Any

import anyio
import dagger
import httpx
import pytest
from dagger import dag
from dagger.mod import Doc
from dagger.mod._module import Module
from dagger_client import needs_schema, with_client
from dagger_engine import Engine, ExecFailed, Node, Refused

IMAGE = f"golang@sha256:{'0' * 64}"

pytestmark = needs_schema


def test_a_chain_of_calls_is_remembered_and_its_output_answered(engine: Engine) -> None:
    def stdout(node: Node, _: Mapping[str, Any]) -> str:
        return " ".join(node.calls("withExec")[-1].arguments["args"])

    engine.answer("Container.stdout", stdout)

    async def work() -> str:
        container = dag.container().from_(IMAGE).with_workdir("/src")
        return await container.with_exec(["go", "env"]).with_exec(["go", "version"]).stdout()

    assert with_client(work) == "go version"
    assert engine.invalid == []
    [asked] = engine.asked
    assert asked.name == "Container.stdout"
    assert [node.field for node in asked.node.chain()] == [
        "container",
        "from",
        "withWorkdir",
        "withExec",
        "withExec",
    ]
    assert asked.node.calls("from")[0].arguments == {"address": IMAGE}
    assert asked.node.calls("withExec")[0].arguments["expect"] == "SUCCESS"


def test_what_has_no_handler_gives_as_little_as_may_be(engine: Engine) -> None:
    async def work() -> list[object]:
        container = dag.container()
        return [
            await container.stdout(),
            await container.exit_code(),
            await container.env_variable("HOME"),
            await dag.directory().entries(),
            await dag.directory().exists("go.mod"),
            await dag.file("a.txt", "text").contents(),
            await dag.git("https://example.invalid/a.git").url(),
            await dag.set_secret("token", "x").name(),
        ]

    url = "https://example.invalid/a.git"
    assert with_client(work) == ["", 0, None, [], False, "text", url, "token"]
    assert engine.invalid == []


def test_mounts_are_walked_from_a_leaf(engine: Engine) -> None:
    async def work() -> None:
        source = dag.directory().with_new_file("go.mod", "module a\n").with_new_directory("cmd")
        cache = dag.cache_volume("go-build")
        await (
            dag.container()
            .from_(IMAGE)
            .with_mounted_cache("/cache", cache, sharing=dagger.CacheSharingMode.LOCKED)
            .with_directory("/src", source, include=["**/*.go"])
            .with_files("/etc", [dag.file("a", "1"), dag.file("b", "2")])
            .with_exec(["go", "build"])
            .directory("/out")
            .sync()
        )

    with_client(work)
    assert engine.invalid == []
    leaf = engine.asked[-1].node
    assert engine.asked[-1].name == "Directory.sync"
    [mount] = leaf.calls("withMountedCache")
    assert mount.arguments["cache"].arguments["key"] == "go-build"
    assert mount.arguments["sharing"] == "LOCKED"
    [copied] = leaf.calls("withDirectory")
    files = copied.arguments["source"].calls("withNewFile")
    assert [file.arguments["contents"] for file in files] == ["module a\n"]
    names = [file.arguments["name"] for file in leaf.calls("withFiles")[0].arguments["sources"]]
    assert names == ["a", "b"]
    walked = leaf.walk()
    assert walked[-1] is leaf
    assert {node.type for node in walked} == {"Container", "Directory", "CacheVolume", "File"}


def test_equal_recipes_are_one_object(engine: Engine) -> None:
    async def work() -> list[str]:
        return [
            await dag.container().from_(image).with_exec(["true"]).id()
            for image in (IMAGE, IMAGE, "alpine")
        ]

    first, second, other = with_client(work)
    assert first == second != other
    assert engine.node(first).call == "Container.withExec"
    assert engine.asked == []


def test_a_long_chain(engine: Engine) -> None:
    container = dag.container()
    for number in range(190):
        container = container.with_env_variable(f"NAME_{number}", "value")
    with_client(container.stdout)
    assert engine.invalid == []
    assert len(engine.asked[-1].node.calls("withEnvVariable")) == 190


def test_a_secret_stands_in_no_query_but_the_one_that_sets_it(engine: Engine) -> None:
    value = 'p"ss\nwörd'

    async def work() -> str:
        secret = dag.set_secret("token", value)
        container = dag.container().from_(IMAGE).with_secret_variable("TOKEN", secret)
        await container.with_env_variable("SHOWN", "sh\u00f6wn\n").stdout()
        return value

    with_client(work)
    assert not engine.contains(value)
    assert engine.contains(value, except_fields=())
    assert engine.contains("shöwn\n")
    assert engine.contains("token")
    [variable] = engine.asked[-1].node.calls("withSecretVariable")
    assert variable.arguments["secret"].arguments["name"] == "token"


def test_a_secret_in_a_variable_of_the_request_is_known_too(engine: Engine) -> None:
    query = "query($a: String!, $b: String!) { setSecret(name: $a, plaintext: $b) { id } }"
    raw(engine, query, {"a": "name", "b": "hidden"})
    assert engine.invalid == []
    assert engine.contains("name")
    assert not engine.contains("hidden")
    assert engine.contains("hidden", except_fields=())


def test_git_and_export(engine: Engine) -> None:
    engine.answer("GitRef.commit", lambda node, _: f"commit of {node.arguments['name']}")

    async def work() -> tuple[str, str]:
        ref = dag.git("https://example.invalid/a.git").branch("main")
        commit = await ref.commit()
        return commit, await ref.tree().directory("collector").file("go.mod").export("/out/go.mod")

    assert with_client(work) == ("commit of main", "/out/go.mod")
    assert engine.asked[-1].arguments["path"] == "/out/go.mod"


def test_a_failed_command_is_the_sdks_exec_error_whatever_is_asked(engine: Engine) -> None:
    def run(node: Node, arguments: Mapping[str, Any]) -> None:
        assert node.call == "Container.withExec"
        if arguments["args"] == ["go", "build"]:
            raise ExecFailed(["go", "build"], 2, stderr="main.go:3: undefined: x\n")

    engine.answer("Container.withExec", run)

    async def work() -> dagger.ExecError:
        container = dag.container().with_exec(["go", "mod"]).with_exec(["go", "build"])
        lazy = dag.directory().with_file("a", container.file("a"))
        with pytest.raises(dagger.ExecError) as failed:
            await lazy.export("/out/out")
        return failed.value

    error = with_client(work)
    assert error.command == ["go", "build"]
    assert (error.exit_code, error.stdout) == (2, "")
    assert error.stderr == "main.go:3: undefined: x"
    assert error.message.startswith("exit code: 2 [traceparent:")
    assert [asked.name for asked in engine.asked] == [
        "Container.withExec",
        "Container.withExec",
        "Directory.export",
    ]
    assert engine.invalid == []


def test_a_step_runs_once_and_first(engine: Engine) -> None:
    def run(*_: object) -> None: ...

    engine.answer("Container.withExec", run)

    async def work() -> None:
        base = dag.container().with_exec(["one"])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(base.with_exec(["two"]).stdout)
            tasks.start_soon(base.with_exec(["three"]).stdout)
        await base.stdout()

    with_client(work)
    steps = [asked.arguments["args"][0] for asked in engine.asked if "withExec" in asked.name]
    assert steps[0] == "one"
    assert sorted(steps[1:]) == ["three", "two"]


def test_a_plain_error(engine: Engine) -> None:
    def refuse(*_: object) -> str:
        raise Refused("repository not found")

    engine.answer("GitRef.commit", refuse)
    head = dag.git("https://example.invalid/a.git").head()
    with pytest.raises(dagger.QueryError, match=r"^repository not found$"):
        with_client(head.commit)
    assert engine.invalid == []


def test_a_handler_that_breaks_is_told(engine: Engine) -> None:
    engine.answer("Container.stdout", lambda node, _: node.arguments["absent"])
    with pytest.raises(dagger.QueryError):
        with_client(dag.container().stdout)
    assert [invalid.problems for invalid in engine.invalid] == [["KeyError('absent')"]]


def raw(engine: Engine, query: str, variables: Mapping[str, str] | None = None) -> httpx.Response:
    """A request without the client, which would not let a bad one out."""
    return httpx.post(
        f"http://127.0.0.1:{engine.environment['DAGGER_SESSION_PORT']}/query",
        json={"query": query, "variables": variables},
        auth=(engine.environment["DAGGER_SESSION_TOKEN"], ""),
    )


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("{ container { nonsense } }", "Cannot query field 'nonsense'"),
        ("{ container { from(adress: 1) { id } } }", "Unknown argument 'adress'"),
        ("{ container { withExec { id } } }", "of type '[String!]!' is required"),
        ("{ container", "Syntax Error"),
        ('{ node(id: "Container@0") { id } }', "no object has the ID"),
    ],
)
def test_an_invalid_query_is_refused_and_kept(engine: Engine, query: str, problem: str) -> None:
    answer = raw(engine, query).json()
    assert answer["data"] in (None, {"node": None})
    assert problem in answer["errors"][0]["message"]
    assert [invalid.query.text for invalid in engine.invalid] == [query]


def test_only_the_sessions_token_is_let_in(engine: Engine) -> None:
    engine.environment = {**engine.environment, "DAGGER_SESSION_TOKEN": "another"}
    assert raw(engine, "{ version }").status_code == 401
    assert engine.queries == []


def test_parallel_branches_are_seen(engine: Engine) -> None:
    both = threading.Barrier(2)  # passed only if both are asked at one time

    def meet(*_: object) -> str:
        return str(both.wait(5))

    engine.answer("Container.stdout", meet)

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            for architecture in ("amd64", "arm64"):
                container = dag.container().with_env_variable("GOARCH", architecture)
                tasks.start_soon(container.stdout)

    with_client(work)
    first, second = engine.asked
    assert first.overlaps(second)
    assert second.node not in first.node.walk()


# A module, as pipeline/module.py is one; the decorators of `dagger` itself fill one `Module` of the
# whole process, `dagger.mod.default_module()`.
greeter = Module("Greeter")


@greeter.object_type
class Greeter:
    """Says hello."""

    source: Annotated[dagger.Directory, Doc("Where names stand.")] = greeter.field()
    greeting: str = greeter.field(default="hello")

    @greeter.function
    async def greet(self, name: Annotated[str, Doc("Who.")], *, times: int = 1) -> str:
        """Greet by a command."""
        container = dag.container().from_(IMAGE).with_mounted_directory("/src", self.source)
        return await container.with_exec(["echo", *[self.greeting, name] * times]).stdout()

    @greeter.function
    def card(self, names: list[dagger.File]) -> dagger.Directory:
        """A folder of cards."""
        return self.source.with_files("/", names)

    @greeter.function(cache="never")  # pyright: ignore[reportCallIssue, reportUntypedFunctionDecorator]
    async def post(self) -> None:
        """Fails."""
        await dag.container().with_exec(["false"]).sync()


def test_a_modules_registration(engine: Engine) -> None:
    with_client(greeter.serve)
    assert engine.invalid == []
    module = engine.node(engine.returned())
    [registered] = module.calls("withObject")
    greeter_type = registered.arguments["object"]
    assert greeter_type.calls("withObject")[0].arguments["name"] == "Greeter"
    functions = [call.arguments["function"] for call in greeter_type.calls("withFunction")]
    told = {
        function.calls("function")[0].arguments["name"]: {
            call.arguments["name"]: call.arguments["description"]
            for call in function.calls("withArg")
        }
        for function in functions
    }
    assert told == {"greet": {"name": "Who.", "times": None}, "card": {"names": None}, "post": {}}
    [policy] = [call for each in functions for call in each.calls("withCachePolicy")]
    assert policy.arguments["policy"] == "Never"


def test_a_modules_function_as_an_engine_calls_it(engine: Engine) -> None:
    async def work() -> None:
        source = await dag.directory().with_new_file("names", "").id()
        names = [await dag.file("a", "").id()]
        engine.call("Greeter", "card", {"source": source}, {"names": names})
        await greeter.serve()

    with_client(work)
    assert engine.invalid == []
    card = engine.node(engine.returned())
    assert [node.field for node in card.chain()] == ["directory", "withNewFile", "withFiles"]
    assert [node.field for node in card.arguments["sources"]] == ["file"]


def test_a_modules_function_called_directly(engine: Engine) -> None:
    engine.answer("Container.stdout", lambda node, _: node.arguments["args"][1])

    async def work() -> str:
        state = {"source": await dag.directory().id(), "greeting": "hi"}
        return await greeter.get_result("Greeter", state, "greet", {"name": "ocelot"})

    assert with_client(work) == "hi"
    step = engine.asked[-1].node
    assert step.arguments["args"] == ["echo", "hi", "ocelot"]


def test_a_modules_constructor_gives_its_state(engine: Engine) -> None:
    async def work() -> str:
        source = await dag.directory().id()
        engine.call("Greeter", "", {}, {"source": source})
        await greeter.serve()
        return source

    source = with_client(work)
    assert engine.returned() == {"source": source, "greeting": "hello"}


def test_a_modules_function_fails_as_its_command_does(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def run(*_: object) -> None:
        raise ExecFailed(["false"], 1)

    engine.answer("Container.withExec", run)

    async def work() -> None:
        state = {"source": await dag.directory().id()}
        with caplog.at_level(logging.CRITICAL), pytest.raises(dagger.ExecError):
            await greeter.get_result("Greeter", state, "post", {})

    with_client(work)
