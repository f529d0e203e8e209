"""The module's functions, called as an engine would call them, against the stand-in."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from dagger import dag
from dagger.mod import default_module
from dagger.mod._exceptions import FunctionError
from dagger.mod._module import Module
from dagger_client import with_client
from dagger_engine import Engine, Handler, Node, Value
from runs import CONFIG
from supply_examples import paper

from pipeline import project
from pipeline.bench.run import Result
from pipeline.bench.verdicts import Status
from pipeline.build.recipe import GO_VERSION
from pipeline.module import Ocelot
from pipeline.report.bench import bench_json

SAMPLE = project.sample_upstream()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRET = "ghp_s3cret"
BENCH = ["uv", "run", "--no-sync", "ocelot", "bench"]
MINIMAL = {"distribution": "minimal", "upstream_repo": "sample"}

Values = Mapping[str, Any]
Returned = Any  # by a function: an ID, a text
Input = str | bool | list[str] | Callable[[], Awaitable[str]]


def always(value: Value) -> Handler:
    """A handler that always says the same."""

    def say(_node: Node, _arguments: Values) -> Value:
        return value

    return say


def ocelot_module() -> Module:
    """The module as the SDK's runtime serves it, where it is told its main object's name."""
    assert Ocelot.__name__ == "Ocelot"
    served = default_module()
    vars(served).update(_main_name="Ocelot", _main=vars(served)["_objects"]["Ocelot"])
    return served


def stdout(node: Node, _: Values) -> str:
    command = node.calls("withExec")[-1].arguments["args"]
    if is_bench(node):
        return bench_json([passed(path) for path in tried(node)], against=False)
    return f"go{GO_VERSION}\n" if command[0] == "go" else "1700000000\n"


def is_bench(container: Node) -> bool:
    """Whether the container's last step runs layers on the bench."""
    return container.calls("withExec")[-1].arguments["args"][:5] == BENCH


def tried(container: Node) -> list[Path]:
    """The zips that are run on the bench, where they lie in the function's working folder."""
    (mount,) = [
        each
        for each in container.calls("withMountedDirectory")
        if each.arguments["path"] == "/layers"
    ]
    folder = Path.cwd() / mount.arguments["source"].arguments["path"]
    words = container.calls("withExec")[-1].arguments["args"]
    return [folder / Path(word).name for word in words if word.endswith(".zip")]


def platform_of(container: Node) -> str:
    """What it was made for; empty for the engine's own."""
    return container.calls("container")[0].arguments.get("platform") or ""


def mounted(container: Node) -> dict[str, Node]:
    """The files that a container is handed, by their places in it."""
    calls = [each.arguments for each in container.calls("withMountedFile")]
    return {each["path"]: each["source"] for each in calls}


def passed(path: Path) -> Result:
    """What the bench finds of a zip that runs as it should."""
    content = path.read_bytes()
    return Result(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        unzipped_size=len(content),
        architecture=None,
        status=Status.PASSED,
    )


def exported_folder(node: Node, arguments: Values) -> str:
    """Write what the engine would: the config, or upstream's collector/."""
    path = Path(arguments["path"])
    if any(step.arguments.get("key") == "config" for step in node.walk()):
        shutil.copytree(CONFIG, path)
    else:
        shutil.copytree(SAMPLE / "collector", path)
    return str(path)


def exported_binary(node: Node, arguments: Values) -> str:
    architecture = Path(node.arguments["path"]).parent.name
    Path(arguments["path"]).write_bytes(paper(architecture))
    return str(arguments["path"])


async def config_folder() -> str:
    """An ID of a directory that `exported_folder` knows as the config."""
    known = dag.cache_volume("config")
    return await dag.container().with_mounted_cache("/config", known).directory("/config").id()


def called(function: str, **inputs: Input) -> Callable[[], Awaitable[Returned]]:
    """Call a function of the module as an engine would."""

    async def work() -> Returned:
        given = {name: await each() if callable(each) else each for name, each in inputs.items()}
        return await ocelot_module().get_result(
            "Ocelot", {"config": await config_folder()}, function, given
        )

    return work


def all_goes_well(engine: Engine) -> None:
    """Give an engine the answers of one in which all goes well."""
    engine.answer("Container.stdout", stdout)
    engine.answer("Directory.exists", always(value=True))
    engine.answer("Directory.export", exported_folder)
    engine.answer("File.export", exported_binary)
    engine.answer("GitRef.commit", always(COMMIT))


def executed(engine: Engine) -> list[Node]:
    """The compile steps' containers, of which each binary was taken."""
    taken = [asked.node for asked in engine.asked if asked.name == "File.export"]
    return [node.parent for node in taken if node.parent]


def environment(container: Node) -> dict[str, str]:
    """What a step of the container would see."""
    calls = container.calls("withEnvVariable")
    return {each.arguments["name"]: each.arguments["value"] for each in calls}


def steps_of(container: Node) -> list[tuple[list[str], dict[str, str]]]:
    """Command and environment of each step."""
    return [(step.arguments["args"], environment(step)) for step in container.calls("withExec")]


def fails(engine: Engine, function: str, **inputs: Input) -> str:
    """What a caller reads of a call that fails."""
    with pytest.raises(FunctionError) as caught:
        with_client(called(function, **inputs))
    assert engine.invalid == []
    return str(caught.value)
