"""The command line and the Dagger module show their shared options in the same way."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

import dagger
import pytest
import typer
from dagger import Doc

from pipeline.cli import app
from pipeline.module import Ocelot

# Types of the engine: the command line takes a path, or where a secret is, instead.
ENGINE_TYPES = {dagger.Directory, dagger.File, dagger.Secret}


def commands(group: Any, *above: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  click's own
    """Yield each command by all of its names, such as `layers_sync` and `sync`; groups first."""
    for name, command in sorted(group.commands.items(), key=lambda each: is_command(each[1])):
        if not is_command(command):
            yield from commands(command, name)
        else:
            yield from {name: command, "_".join((*above, name)): command}.items()


def is_command(command: Any) -> bool:  # noqa: ANN401  click's own
    """Return False for a group of commands."""
    return not hasattr(command, "commands")


def kinds(annotation: object) -> tuple[object, ...]:
    """Return the type of an annotated parameter; of a union, also its members."""
    kind = get_args(annotation)[0]
    return (kind, *get_args(kind))


COMMANDS = dict(commands(typer.main.get_command(app)))
COMMANDS["gitops_image"] = COMMANDS["gitops_plan"]
COMMANDS["layers"] = COMMANDS["layers_list"]
SHARED = {
    (function, name): parameter
    for function, method in inspect.getmembers(Ocelot, inspect.isfunction)
    if function in COMMANDS
    for name, parameter in inspect.signature(method).parameters.items()
    if name != "as_json"  # `dagger call` has an option --json of its own
    and name in {each.name for each in COMMANDS[function].params if each.opts[0].startswith("-")}
    and not ENGINE_TYPES & set(kinds(parameter.annotation))
}


def plain(default: object) -> object:
    """Return a default as it is written."""
    return default.value if isinstance(default, Enum) else default


@pytest.mark.parametrize(("function", "name"), SHARED)
def test_an_option_of_both_faces_is_the_same_on_both(function: str, name: str) -> None:
    parameter = SHARED[function, name]
    _, *notes = get_args(parameter.annotation)
    (shown,) = [each for each in COMMANDS[function].params if each.name == name]
    assert f"--{name.replace('_', '-')}" in shown.opts
    assert notes == [Doc(shown.help)]
    assert plain(parameter.default) == plain(shown.default)


def test_the_faces_share_their_options() -> None:
    assert {function for function, _ in SHARED} >= {
        *("build", "lock", "bundle", "bench", "components"),
        *("publish", "release", "fetch", "sync", "layers"),
    }
    assert len(SHARED) > 50
