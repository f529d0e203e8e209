"""The reference extension: a minimal one, compiled by the pinned Go, which registers and waits.

A layer's figures are divided by the reference's on the same machine at the same time: the quotients
mean the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.bench.layer import EXTENSIONS
from pipeline.bench.preparation import StartPlan
from pipeline.build.compile import Compiler, workspace
from pipeline.build.recipe import compile_step
from pipeline.files import Tree, output_errors
from pipeline.naming import Architecture
from pipeline.progress import NoProgress, shown_by

NAME = "reference"
_SOURCE = Path(__file__).with_suffix(".go")
_MODULE = b"module ocelot/reference\n\ngo 1.26\n"


def reference_tree() -> Tree:
    """Return the reference's sources."""
    return {"go.mod": _MODULE, "main.go": _SOURCE.read_bytes()}


async def compiled_reference(architecture: Architecture, compiler: Compiler) -> bytes:
    """Compile the reference; no progress is shown.

    Raises:
        ToolchainError: Go is missing.
        OutputError: a disk is full or read-only.
    """
    with shown_by(NoProgress()):
        async with workspace(reference_tree(), (), compiler) as work:
            return await work.compiled(compile_step(architecture))


def reference_plan(binary: bytes, folder: Path) -> StartPlan:
    """Write the compiled reference into a new folder; return how it is started.

    Raises:
        OutputError: there is no room for it.
    """
    path = folder / EXTENSIONS / NAME
    with output_errors(folder):
        path.parent.mkdir(parents=True)
        path.write_bytes(binary)
        path.chmod(0o555)
    return StartPlan(name=NAME, root=folder, commands={NAME: (str(path),)}, config=folder)
