"""`dagger call` for tests, as a program: the module's own functions, on a stand-in engine.

An option is taken only where the function has an argument of that name, and its value is made what
that argument is: a folder of the caller's, a secret of its environment. What is compiled is paper.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import dagger
from dagger import dag
from dagger.mod._exceptions import FunctionError
from dagger_client import SCHEMA, with_client
from dagger_engine import Engine, Node, dagger_engine
from dagger_module import (
    SAMPLE,
    Input,
    Values,
    all_goes_well,
    called,
    exported_binary,
    exported_folder,
    ocelot_module,
)

from pipeline.build import toolchain
from pipeline.errors import ToolchainError

_KINDS = {dagger.Directory: "directory", dagger.File: "file", dagger.Secret: "secret"}


class Call(NamedTuple):
    """A call as it was typed.

    Attributes:
        options: by the argument's name; None for a flag alone.
        path: where the result is to be exported; None for nowhere.
    """

    function: str
    options: Mapping[str, str | None]
    path: Path | None


def typed_call(arguments: list[str]) -> Call:
    """Read `call FUNCTION --option value --flag export --path PATH`; another form is an error."""
    call, function, *rest = arguments
    assert call == "call", call
    path = None
    if len(rest) >= 3 and rest[-3:-1] == ["export", "--path"]:
        rest, path = rest[:-3], Path(rest[-1])
    kinds = _arguments(function.replace("-", "_"))
    options: dict[str, str | None] = {}
    while rest:
        option, _, value = rest.pop(0).partition("=")
        name = option.removeprefix("--").replace("-", "_")
        assert option.startswith("--"), f"{option!r} is no option"
        assert name in kinds, f"{function} has no option {option}"
        assert name not in options, f"{option} is given twice"
        options[name] = (value or None) if kinds[name] == "flag" else value or rest.pop(0)
    return Call(function.replace("-", "_"), options, path)


def _arguments(function: str) -> Mapping[str, str]:
    """A function's arguments by name: directory, file, secret, flag, list or text."""
    functions: Any = vars(ocelot_module())["_main"].functions
    assert function in functions, f"there is no function {function}"
    found = {name: each.resolved_type for name, each in functions[function].parameters.items()}
    return {name: _kind(annotation) for name, annotation in found.items()}


def _kind(annotation: Any) -> str:  # noqa: ANN401  whatever was annotated
    if isinstance(annotation, types.UnionType):
        (annotation,) = [each for each in typing.get_args(annotation) if each is not type(None)]
    if annotation in _KINDS:
        return _KINDS[annotation]
    if annotation is bool:
        return "flag"
    return "list" if typing.get_origin(annotation) is list else "text"


def inputs_of(call: Call, here: Path, environment: Mapping[str, str]) -> dict[str, Input]:
    """The inputs that the engine hands to the function."""
    kinds = _arguments(call.function)
    inputs: dict[str, Input] = {}
    for name, value in call.options.items():
        text = value or ""
        if kinds[name] == "flag":
            inputs[name] = text != "false"
        elif kinds[name] == "list":
            inputs[name] = text.split(",")
        elif kinds[name] == "text":
            inputs[name] = text
        elif kinds[name] == "secret":
            place, _, variable = text.partition(":")
            assert place == "env", f"--{name} takes env:NAME here"
            inputs[name] = _secret(variable, environment[variable])
        else:
            assert (here / text).exists(), f"{text} is not there"
            inputs[name] = _handed(kinds[name], str(here / text))
    return inputs


def _secret(name: str, value: str) -> Callable[[], Awaitable[str]]:
    async def made() -> str:
        return await dag.set_secret(name, value).id()

    return made


def _handed(kind: str, path: str) -> Callable[[], Awaitable[str]]:
    async def made() -> str:
        if kind == "file":
            return await dag.container().file(path).id()
        return await dag.directory().with_new_directory(path).id()

    return made


def answer(engine: Engine, here: Path) -> None:
    """Have the engine hand over the caller's files; all else goes well."""
    all_goes_well(engine)
    engine.answer("Directory.export", partial(_folder, here))
    engine.answer("File.export", _file)
    engine.answer("File.contents", _contents)
    engine.answer("Secret.plaintext", _plaintext)


def _folder(here: Path, node: Node, arguments: Values) -> str:
    path = Path(arguments["path"])
    handed = Path(str(node.arguments.get("path", "")))
    if any(step.arguments.get("key") == "config" for step in node.walk()):
        shutil.copytree(here / "config", path)
    elif handed.is_relative_to(here):
        shutil.copytree(handed, path)
    else:
        return exported_folder(node, arguments)
    return str(path)


def _file(node: Node, arguments: Values) -> str:
    handed = Path(str(node.arguments["path"]))
    if not handed.is_file():
        return exported_binary(node, arguments)
    shutil.copyfile(handed, arguments["path"])
    return str(arguments["path"])


def _contents(node: Node, _: Values) -> str:
    return (SAMPLE / "collector" / Path(node.arguments["path"]).name).read_text()


def _plaintext(node: Node, _: Values) -> str:
    return str(node.calls("setSecret")[0].arguments["plaintext"])


def hand_out(engine: Engine, result: str, path: Path | None) -> None:
    """Export a file or folder into the caller's; print a text."""
    try:
        chain = engine.node(result).chain()
    except LookupError:
        sys.stdout.write(result)
        return
    parts = [str(node.arguments["path"]) for node in chain if "path" in node.arguments]
    made = Path.cwd().joinpath(*parts)
    assert path, "the result is not exported"
    path.parent.mkdir(parents=True, exist_ok=True)
    if made.is_dir():
        shutil.copytree(made, path, dirs_exist_ok=True)
    else:
        shutil.copyfile(made, path)


def main() -> int:
    """Make the call; what is wrong with it is told, with exit code 1."""
    here = Path.cwd()
    environment = dict(os.environ)
    for name in environment:  # a module has nothing of its caller's; AWS' place is a test's
        if name.startswith(("ACTIONS_", "AWS_", "DYNAMODB_", "GITHUB_", "OIDC_")) and name not in (
            "AWS_ENDPOINT_URL",
            "AWS_CA_BUNDLE",
        ):
            del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    setattr(toolchain, "wheel_name", _no_wheel)  # noqa: B010  pyright knows the function's own
    call = typed_call(sys.argv[1:])
    with tempfile.TemporaryDirectory() as work, dagger_engine(SCHEMA) as engine:
        os.environ.update(engine.environment)
        os.chdir(work)
        answer(engine, here)
        try:
            result = with_client(called(call.function, **inputs_of(call, here, environment)))
        except FunctionError as error:
            sys.stderr.write(f"Error: {error}\n")
            return 1
        assert engine.invalid == []
        hand_out(engine, result, here / call.path if call.path else None)
    return 0


def _no_wheel() -> str:
    raise ToolchainError("the Go toolchain is not installed")


if __name__ == "__main__":
    sys.exit(main())
