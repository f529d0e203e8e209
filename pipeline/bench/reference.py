"""The reference: the least that an extension can be, compiled by the pinned Go.

It registers and waits. What a layer takes to start is told as a multiple of what the reference
takes on the same machine at the same time: a figure that means the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.build.compile import Compiler, workspace
from pipeline.build.recipe import compile_step
from pipeline.files import Tree
from pipeline.model import Architecture
from pipeline.progress import Silence, shown_by

NAME = "reference"
_SOURCE = Path(__file__).with_suffix(".go")
_MODULE = b"module ocelot/reference\n\ngo 1.26\n"


def reference_tree() -> Tree:
    """Its sources."""
    return {"go.mod": _MODULE, "main.go": _SOURCE.read_bytes()}


async def compiled_reference(architecture: Architecture, compiler: Compiler) -> bytes:
    """Compile it; no progress is shown.

    Raises:
        ToolchainError: Go cannot be had.
        OutputError: a disk is full or read-only.
    """
    with shown_by(Silence()):
        async with workspace(reference_tree(), (), compiler) as work:
            return await work.compiled(compile_step(architecture))
