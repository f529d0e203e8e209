"""The reference: the least that an extension can be, compiled by the pinned Go.

It registers and waits. What a layer takes to start is told as a multiple of what the reference
takes on the same machine at the same time: a figure that means the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.bench.collector_config import Ports
from pipeline.bench.opt import EXTENSIONS
from pipeline.bench.start import Subject
from pipeline.build.compile import Compiler, workspace
from pipeline.build.recipe import compile_step
from pipeline.files import Tree, output_errors
from pipeline.naming import Architecture
from pipeline.progress import NoProgress, shown_by

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
    with shown_by(NoProgress()):
        async with workspace(reference_tree(), (), compiler) as work:
            return await work.compiled(compile_step(architecture))


def reference_subject(binary: bytes, folder: Path) -> Subject:
    """What is started of the compiled reference.

    Args:
        binary: the extension.
        folder: where to put it; it is made.

    Raises:
        OutputError: there is no room for it.
    """
    path = folder / EXTENSIONS / NAME
    with output_errors(folder):
        path.parent.mkdir(parents=True)
        path.write_bytes(binary)
        path.chmod(0o555)
    return Subject(
        name=NAME,
        root=folder,
        commands={NAME: (str(path),)},
        config=folder,
        ports=Ports(grpc=0, http=0),
        sends=False,
    )
