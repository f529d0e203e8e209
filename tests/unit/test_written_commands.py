"""Each `ocelot` and `dagger call` command of workflows and documents has the options it names."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_type_hints

import dagger
import pytest
import typer
import yaml
from unit_examples import CHECKOUT

from pipeline.cli import app
from pipeline.module import Ocelot

WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
DOCUMENTS = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", CHECKOUT / "oidc" / "README.md"]
_COMMAND = re.compile(r"(?:^|(?<=\s))(?:ocelot|dagger(?: -m \S+)? call)\s[^|&;#]*")
_CODE = re.compile(r"```sh\n(.*?)```|`((?:ocelot|dagger call) [^`]*)`", re.DOTALL)


class WrongCommandError(Exception):
    """A command that does not exist, or an option that it does not take."""


def commands_in(script: str) -> list[str]:
    """The commands of a shell script; an option that depends on a variable is taken as given."""
    joined = re.sub(r"\$\{\w+:\+(--[\w-]+)\}", r"\1", re.sub(r"\\\n\s*", "", script))
    joined = re.sub(r"\$\([^)]*\)", "$VALUE", joined)
    lines = [line for line in joined.splitlines() if not line.lstrip().startswith("#")]
    return [found.strip() for line in lines for found in _COMMAND.findall(line)]


def written() -> Iterator[tuple[str, bool]]:
    """Each command, and whether it is to be run as it stands: one within a sentence is not."""
    for path in WORKFLOWS:
        jobs: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        for job in jobs.values():
            for step in job["steps"]:
                yield from ((each, True) for each in commands_in(step.get("run", "")))
    for path in DOCUMENTS:
        for block, inline in _CODE.findall(path.read_text(encoding="utf-8")):
            yield from ((each, bool(block)) for each in commands_in(block or inline))


COMMANDS = dict(sorted(written()))


def check_command(command: str, *, complete: bool) -> None:
    """Check a command against the real ones.

    Raises:
        WrongCommandError: there is none of this name, or it has no such option.
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
    words = _without_options("create", words, complete=False)
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


@pytest.mark.parametrize(("command", "complete"), COMMANDS.items())
def test_a_written_command_exists_with_its_options(command: str, *, complete: bool) -> None:
    check_command(command, complete=complete)


def test_the_commands_are_found() -> None:
    assert 'ocelot oidc check --owner-id "$VALUE"' in " ".join(COMMANDS)
    called = {command.split()[2] for command in COMMANDS if command.startswith("dagger call ")}
    assert called >= {"lock", "build", "publish", "fetch", "verify", "toolchain"}
    assert sum(command.startswith("ocelot ") for command in COMMANDS) > 30


@pytest.mark.parametrize(
    "command",
    [
        "ocelot forge",
        "ocelot layers forge",
        "ocelot build --forge",
        "ocelot build --distribution",
        "ocelot build minimal",
        "ocelot verify --json",
        "dagger call forge",
        "dagger call _forge",
        "dagger call build --forge minimal",
        "dagger call build --locked minimal export --path dist",
        "dagger call verify --bundle b.tar export --path verified",
        "dagger call build export dist",
        "dagger call --forge build",
    ],
)
def test_a_wrong_command_is_refused(command: str) -> None:
    with pytest.raises(WrongCommandError):
        check_command(command, complete=True)


def test_a_chain_ends_at_what_a_function_returns() -> None:
    assert hasattr(dagger.Directory, "export")
    check_command("dagger -m github.com/acme/ocelot@v1 call layer export --path x", complete=True)
