"""The reference: the least that an extension can be, compiled by the pinned Go.

It registers and waits. What a layer takes to start is told as a multiple of what the reference
takes on the same machine at the same time: a figure that means the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.build.engines import Compiled, Engine
from pipeline.build.recipe import Recipe, compile_step
from pipeline.files import Tree
from pipeline.model import Architecture
from pipeline.progress import Silence

NAME = "reference"
_SOURCE = Path(__file__).with_suffix(".go")
_MODULE = b"module ocelot/reference\n\ngo 1.26\n"


def reference_tree() -> Tree:
    """Its sources."""
    return {"go.mod": _MODULE, "main.go": _SOURCE.read_bytes()}


def reference_recipe(architecture: Architecture) -> Recipe:
    """How it is compiled."""
    return Recipe(stages=((compile_step(architecture),),))


async def compiled_reference(architecture: Architecture, engine: Engine) -> bytes:
    """Compile it.

    Raises:
        ToolchainError: Go cannot be had.
        OutputError: a disk is full or read-only.
    """
    found: list[bytes] = []

    async def keep(compiled: Compiled) -> None:
        found.append(compiled.binary)

    await engine.compile(reference_tree(), reference_recipe(architecture), Silence(), keep)
    return found[0]
