"""Each `ocelot` and `dagger call` command in workflows and documents exists, with its options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from command_lines import check_command
from unit_examples import CHECKOUT

WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
DOCUMENTS = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "oidc/README.md")),
    *sorted((CHECKOUT / "docs").glob("**/*.md")),
]
_COMMAND = re.compile(r"(?:^|(?<=\s))(?:ocelot|dagger(?: -m \S+)? call)\s[^|&;#]*")
_CODE = re.compile(r"```sh\n(.*?)```|`((?:ocelot|dagger call) [^`]*)`", re.DOTALL)


def commands_in(script: str) -> list[str]:
    """The commands of a shell script, with the options that depend on a variable."""
    joined = re.sub(r"\$\{\w+:\+(--[^}]+)\}", r"\1", re.sub(r"\\\n\s*", "", script))
    joined = re.sub(r"\$\([^)]*\)", "$VALUE", joined)
    others = ("#", "dagger settings")  # the latter has "ocelot" as an argument
    lines = [line for line in joined.splitlines() if not line.lstrip().startswith(others)]
    return [found.strip() for line in lines for found in _COMMAND.findall(line)]


def written() -> Iterator[tuple[str, bool]]:
    """Each command; True if it is complete, False if it is part of a sentence."""
    for path in WORKFLOWS:
        jobs: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        for job in jobs.values():
            for step in job["steps"]:
                yield from ((each, True) for each in commands_in(step.get("run", "")))
    for path in DOCUMENTS:
        for block, inline in _CODE.findall(path.read_text(encoding="utf-8")):
            yield from ((each, bool(block)) for each in commands_in(block or inline))


COMMANDS = dict(sorted(written()))


@pytest.mark.parametrize(("command", "complete"), COMMANDS.items())
def test_a_written_command_exists_with_its_options(command: str, *, complete: bool) -> None:
    check_command(command, complete=complete)


def test_the_commands_are_found() -> None:
    assert 'ocelot oidc check --owner-id "$VALUE"' in " ".join(COMMANDS)
    called = {command.split()[2] for command in COMMANDS if command.startswith("dagger call ")}
    assert called >= {"lock", "build", "publish", "fetch", "verify", "toolchain"}
    assert sum(command.startswith("ocelot ") for command in COMMANDS) > 30
