"""Steps of a build as data, which the Dagger module turns into steps in containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program that runs in a container.

    Attributes:
        name: of the step, for errors.
        argv: program and arguments; no shell reads them unless it is the program.
        root: True if it runs as root, and not as the container's user.
        credentials: True if it sees the registry's credentials.
        failures: what an exit code means.
    """

    name: str
    argv: tuple[str, ...]
    root: bool = False
    credentials: bool = False
    failures: Mapping[int, str] = field(default_factory=dict[int, str])

    def document(self) -> dict[str, Any]:
        """Return the step as JSON values."""
        return {**asdict(self), "argv": list(self.argv)}


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder of the plan that a container gets.

    Attributes:
        source: below the plan's folder; empty for an empty folder.
        target: in the container.
    """

    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class BuildContainer:
    """A container in which commands run, one after the other.

    Attributes:
        image: by digest.
        user: whose files are the folders, and who runs the commands.
        workdir: working folder of the commands.
        folders: that it gets before the first command.
        caches: folders that are kept for the next build, by the name of their volume.
        environment: of all commands.
        registry_environment: of those that see the registry's credentials.
        commands: in their order.
    """

    image: str
    user: str
    workdir: str
    folders: tuple[Mount, ...]
    caches: Mapping[str, str]
    environment: Mapping[str, str]
    registry_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    commands: tuple[Command, ...]

    def document(self) -> dict[str, Any]:
        """Return the container as JSON values."""
        return {
            **asdict(self),
            "folders": [asdict(each) for each in self.folders],
            "commands": [each.document() for each in self.commands],
        }
