"""The reference: the least that an extension can be, compiled by the pinned Go.

It registers and waits. What a layer takes to start is told as a multiple of what the reference
takes on the same machine at the same time: a figure that means the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.bench.collector_config import Ports
from pipeline.bench.opt import EXTENSIONS
from pipeline.bench.start import Limits, Measured, Subject, cold_start
from pipeline.build.engines import Compiled, Engine
from pipeline.build.recipe import Recipe, compile_step
from pipeline.errors import BenchError
from pipeline.files import Tree, told_write_errors
from pipeline.model import Architecture
from pipeline.progress import Progress

NAME = "reference"
_SOURCE = Path(__file__).with_suffix(".go")
_MODULE = b"module ocelot/reference\n\ngo 1.26\n"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The reference at work.

    Attributes:
        measured: its starts so far.
    """

    subject: Subject
    measured: list[Measured] = field(default_factory=list[Measured])

    async def start(self, limits: Limits) -> None:
        """Start it once.

        Raises:
            BenchError: it does not run as it should.
        """
        outcome = await cold_start(self.subject, 0, limits=limits)
        if isinstance(outcome, BenchError):
            raise outcome
        self.measured.append(outcome)


def reference_tree() -> Tree:
    """Its sources."""
    return {"go.mod": _MODULE, "main.go": _SOURCE.read_bytes()}


async def compiled_reference(
    architecture: Architecture, engine: Engine, progress: Progress
) -> bytes:
    """Compile it.

    Raises:
        ToolchainError: Go cannot be had.
        OutputError: a disk is full or read-only.
    """
    found: list[bytes] = []

    async def keep(compiled: Compiled) -> None:
        found.append(compiled.binary)

    recipe = Recipe(stages=((compile_step(architecture),),))
    await engine.compile(reference_tree(), recipe, progress, keep)
    return found[0]


def reference_subject(binary: bytes, folder: Path) -> Subject:
    """What is started of it.

    Args:
        binary: the compiled extension.
        folder: where to unpack it; it is made.

    Raises:
        OutputError: there is no room for it.
    """
    path = folder / EXTENSIONS / NAME
    with told_write_errors(folder):
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
