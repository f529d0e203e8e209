"""The module's functions, called as an engine would call them, against the stand-in."""

from __future__ import annotations

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
from pipeline.build.recipe import GO_VERSION
from pipeline.module import Ocelot

SAMPLE = project.sample_upstream()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRET = "ghp_s3cret"
MINIMAL = {"distribution": "minimal", "upstream_repo": "sample"}

Values = Mapping[str, Any]
Result = Any  # what a function returns: an ID, a text
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
    return f"go{GO_VERSION}\n" if command[0] == "go" else "1700000000\n"


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


def called(function: str, **inputs: Input) -> Callable[[], Awaitable[Result]]:
    """Call a function of the module as an engine would."""

    async def work() -> Result:
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
