"""Checks a command line against the options of `ocelot`, or of the Dagger module's functions."""

from __future__ import annotations

import inspect
import shlex
from typing import Any, get_args, get_type_hints

import typer

from pipeline.cli import app
from pipeline.module import Ocelot


class WrongCommandError(Exception):
    """A command that does not exist, or an option that it does not have."""


def check_command(command: str, *, complete: bool) -> None:
    """Check a command against the real ones.

    Raises:
        WrongCommandError: there is no command of this name, or it has no such option.
    """
    program, *words = shlex.split(command)
    if program == "ocelot":
        _check_ocelot(words, complete=complete)
    else:
        _check_dagger(words[words.index("call") + 1 :], complete=complete)


def _check_ocelot(words: list[str], *, complete: bool) -> None:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        if words[0] not in command.commands:
            raise WrongCommandError(f"there is no command {words[0]}")
        command, words = command.commands[words[0]], words[1:]
    context = command.context_class(command, info_name=command.name)
    try:
        given, rest, _ = command.make_parser(context).parse_args(words)
    except Exception as error:
        raise WrongCommandError(str(error)) from error
    missing = [each.name for each in command.params if each.required and not given.get(each.name)]
    if rest or (complete and missing):
        raise WrongCommandError(f"left over: {rest}; missing: {missing}")


def _check_dagger(words: list[str], *, complete: bool) -> None:
    words = _without_options("__init__", words, complete=False)
    name, *rest = words
    function = name.replace("-", "_")
    if name.startswith("_") or not inspect.isfunction(getattr(Ocelot, function, None)):
        raise WrongCommandError(f"there is no function {name}")
    rest = _without_options(function, rest, complete=complete)
    returned = get_type_hints(getattr(Ocelot, function))["return"]
    if rest and not hasattr(returned, rest[0].replace("-", "_")):
        raise WrongCommandError(f"{rest[0]} cannot be called on what {name} returns")
    if rest[:1] == ["export"] and rest[1:2] != ["--path"]:
        raise WrongCommandError("export needs --path")


def _without_options(function: str, words: list[str], *, complete: bool) -> list[str]:
    """The words behind a function's own options."""
    method = getattr(Ocelot, function)
    hints = get_type_hints(method)
    parameters = {
        name.replace("_", "-"): each
        for name, each in inspect.signature(method).parameters.items()
        if name != "self"
    }
    while words and words[0].startswith("--"):
        option, has_value, _ = words.pop(0).removeprefix("--").partition("=")
        if option not in parameters:
            raise WrongCommandError(f"{function} has no option --{option}")
        hint = hints[parameters.pop(option).name]
        if not has_value and bool not in (hint, *get_args(hint)):
            words.pop(0)
    missing = [name for name, each in parameters.items() if each.default is each.empty]
    if complete and missing:
        raise WrongCommandError(f"{function} needs {missing}")
    return words
