"""Where a recipe runs. An engine takes a source tree and a recipe and hands back binaries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from pipeline.build.recipe import Recipe, Step
from pipeline.files import Tree
from pipeline.progress import Progress

OnBinary = Callable[[Step, bytes], Awaitable[None]]


class Engine(Protocol):
    """One way to run a recipe; all give the same bytes."""

    @property
    def name(self) -> str:
        """Its name in the manifest."""
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
