"""Where a recipe runs. An engine takes a source tree and a recipe and hands back binaries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio

from pipeline.build.failure import together
from pipeline.build.recipe import Recipe, Step
from pipeline.errors import OcelotError
from pipeline.files import Tree
from pipeline.progress import Progress

# What a recipe's stages before compilation may complete.
MODULE_FILES = ("go.mod", "go.sum")

# Settings of Go that say where modules come from: https://go.dev/ref/mod#environment-variables
MODULE_SETTINGS = (
    *("GOAUTH", "GOINSECURE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOVCS"),
)

Side = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What a compile step made.

    Attributes:
        module_cache: Go's, or as much of one as has the modules' licence files; it may be empty.
    """

    step: Step
    binary: bytes = field(repr=False)
    module_cache: Path


OnBinary = Callable[[Compiled], Awaitable[None]]


class Engine(Protocol):
    """One way to run a recipe; all give the same bytes."""

    @property
    def name(self) -> str:
        """Its name in the manifest."""
        ...

    @property
    def image(self) -> str:
        """The golang image that it compiles in; empty for a machine's own Go."""
        ...

    async def compile(
        self, tree: Tree, recipe: Recipe, progress: Progress, on_binary: OnBinary
    ) -> None:
        """Run the recipe's stages; hand each compile step's output on as soon as it is there.

        Raises:
            ToolchainError: Go or a module cannot be had.
            CompileError: the compiler refused; raised once every architecture has ended.
            OutputError: a disk is full or read-only.
        """
        ...

    async def resolve(self, tree: Tree, recipe: Recipe, progress: Progress) -> Tree:
        """Run the stages before compilation; hand back the `MODULE_FILES` as they are then.

        Raises:
            ToolchainError: Go or a module cannot be had.
            OutputError: a disk is full or read-only.
        """
        ...

    async def collect(self, tree: Tree, recipe: Recipe, into: Path, progress: Progress) -> None:
        """Bring just the modules that a recipe needs, as a module proxy's folder.

        Raises:
            ToolchainError: Go or a module cannot be had.
            OutputError: a disk is full or read-only.
        """
        ...


async def run_together(sides: Sequence[Side]) -> None:
    """Run work side by side; all of it ends before its failures are told together.

    Raises:
        OcelotError: one that loses nothing of those that were raised.
    """
    errors: list[OcelotError] = []

    async def run(side: Side) -> None:
        try:
            await side()
        except OcelotError as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for side in sides:
            tasks.start_soon(run, side)
    if errors:
        raise together(errors)
