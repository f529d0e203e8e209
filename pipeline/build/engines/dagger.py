"""The Dagger engine: the recipe as execs in the pinned golang image.

The steps are the very data that the host engine runs. Files travel as content, in both directions:
engine and caller need not share a disk. No step gets a secret, and only module steps a way to the
network; go's own caches are volumes that outlive the session.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import anyio
import dagger
from dagger import dag

from pipeline.build.engines import MODULE_FILES, MODULE_SETTINGS, Compiled, OnBinary, run_together
from pipeline.build.failure import step_error
from pipeline.build.modules import DEFAULT_PROXY, DOWNLOADS, move_modules, offline_settings
from pipeline.build.recipe import GO_VERSION, MODULES_CACHE, Recipe, Step
from pipeline.config import Config
from pipeline.errors import CompileError, OcelotError, ToolchainError, UsageError
from pipeline.files import Tree, tree_digest, write_tree
from pipeline.model import IMAGE
from pipeline.progress import Progress

SOURCE = "/ocelot/collector"
CACHE_ROOT = "/ocelot/cache"
BUNDLED = "/ocelot/bundle"
COLLECTED = "/ocelot/collected"
LICENCES = "/ocelot/licences"

# A module step's result may be kept while the volume with its modules was pruned.
_MODULES_GONE = re.compile(r"GOPROXY=off|missing go\.sum entry|cannot find module providing")

Result = TypeVar("Result")
Deliver = Callable[[Path], dagger.Directory]


@dataclass(frozen=True, kw_only=True)
class Handed:
    """A step as a container gets it.

    Attributes:
        caches: name of the cache by the variable that points to its place.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    caches: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class DaggerEngine:
    """Runs recipes in containers.

    Attributes:
        image: the golang image, by digest.
        deliver: hands a folder of ours to the engine; see `from_host` and `from_module`.
        workspace: an empty folder of this build's own, which `deliver` can hand over.
        settings: Go's module settings for steps that may use the network, such as GOPROXY.
        modules: a folder of ours with all modules, as a proxy has them: no other is asked then.
    """

    image: str
    deliver: Deliver
    workspace: Path
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    modules: Path | None = None
    name: str = "dagger"

    async def compile(
        self, tree: Tree, recipe: Recipe, progress: Progress, on_binary: OnBinary
    ) -> None:
        """See `Engine.compile`."""
        await self.with_modules(
            lambda engine: engine.attempt(tree, recipe, progress, on_binary), progress
        )

    async def with_modules(
        self, work: Callable[[DaggerEngine], Awaitable[Result]], progress: Progress
    ) -> Result:
        """Do work that compiles; once more, with modules fetched anew, where they are gone."""
        try:
            return await work(self)
        except CompileError as error:
            if not any(_MODULES_GONE.search(line) for line in error.details):
                raise
            progress.note("modules of an earlier call are gone from the engine: once more")
            again = {**self.settings, "OCELOT_AGAIN": uuid4().hex}
            return await work(replace(self, settings=again))

    async def compiled(
        self, tree: Tree, recipe: Recipe, step: Step, progress: Progress
    ) -> dagger.File:
        """What one of the recipe's compile steps makes, as a file of the engine's.

        Raises:
            OcelotError: see `Engine.compile`.
        """

        async def work(engine: DaggerEngine) -> dagger.File:
            ready = await engine.prepared(tree, recipe, progress)
            after = await engine.stepped(ready, step, progress)
            return after.file(f"{SOURCE}/{step.output}")

        return await self.with_modules(work, progress)

    async def resolve(self, tree: Tree, recipe: Recipe, progress: Progress) -> Tree:
        """See `Engine.resolve`."""
        ready = await self.prepared(tree, recipe, progress)
        with told_engine_errors():
            return {
                name: (await ready.file(f"{SOURCE}/{name}").contents()).encode()
                for name in MODULE_FILES
            }

    async def collect(self, tree: Tree, recipe: Recipe, into: Path, progress: Progress) -> None:
        """See `Engine.collect`."""
        known = f"file://{CACHE_ROOT}/{MODULES_CACHE}/{DOWNLOADS}"
        chain = f"{known},{self.settings.get('GOPROXY') or DEFAULT_PROXY}"
        own = replace(self, settings={**self.settings, "GOPROXY": chain})
        await self.prepared(tree, recipe, progress)  # fills the volume with what is not there yet
        container = (await self.sources(tree)).with_env_variable("GOMODCACHE", COLLECTED)
        container = container.with_mounted_cache(*_volume(MODULES_CACHE))
        for stage in recipe.prepare:
            for step in stage:
                # a cache in the container itself: what is in it afterwards is what is needed
                caches = tuple(pair for pair in step.caches if pair[1] != MODULES_CACHE)
                container = await own.stepped(container, replace(step, caches=caches), progress)
        downloads = self.workspace / "downloads"
        with told_engine_errors():
            await container.directory(f"{COLLECTED}/{DOWNLOADS}").export(str(downloads))
        move_modules(downloads, into)

    async def licence_files(self, tree: Tree, folder: Path) -> Path:
        """The licence files of all modules in the engine's volume, in a folder of ours."""
        place, volume = _volume(MODULES_CACHE)
        find = ["find", ".", "-path", "./cache", "-prune", "-o", "-type", "f", "("]
        named = ["-iname", "LICEN[CS]E*", "-o", "-iname", "COPYING*", ")"]
        copy = ["-exec", "cp", "--parents", "--target-directory", LICENCES, "{}", "+"]
        container = self.toolchain().with_mounted_cache(place, volume).with_workdir(place)
        # the same sources have the same modules: the engine may keep what it found for them
        container = container.with_env_variable("OCELOT_SOURCE", tree_digest(tree))
        container = container.with_directory(LICENCES, dag.directory())
        found = container.with_exec([*find, *named, *copy]).directory(LICENCES)
        with suppress(dagger.DaggerError):  # a bill of materials without licences is one still
            await found.export(str(folder))
        return folder

    async def attempt(
        self, tree: Tree, recipe: Recipe, progress: Progress, on_binary: OnBinary
    ) -> None:
        """Run the recipe once, by what the engine's caches hold."""
        ready = await self.prepared(tree, recipe, progress)

        async def branch(step: Step) -> None:
            compiled = await self.stepped(ready, step, progress)
            # bytes of the engine's come to us over the session, whatever disk it has
            path = self.workspace / f"collector-{step.lane}"
            with told_engine_errors():
                await compiled.file(f"{SOURCE}/{step.output}").export(str(path))
            binary = await anyio.Path(path).read_bytes()
            licences = await self.licence_files(tree, self.workspace / f"licences-{step.lane}")
            await on_binary(Compiled(step=step, binary=binary, module_cache=licences))

        await run_together([partial(branch, step) for step in recipe.compile])

    async def prepared(self, tree: Tree, recipe: Recipe, progress: Progress) -> dagger.Container:
        """The container in which the recipe's compile steps run.

        Raises:
            ToolchainError: the image is not of the pinned Go, or a module cannot be had.
        """
        container = await self.sources(tree)
        for stage in recipe.prepare:
            for step in stage:
                container = await self.stepped(container, step, progress)
        return container

    async def sources(self, tree: Tree) -> dagger.Container:
        """The golang image with the source tree in it.

        Raises:
            ToolchainError: the image is not of the pinned Go, or cannot be had.
        """
        await check_go(self.toolchain())
        # named by content: the same tree is the same call to the engine
        folder = self.workspace / f"source-{tree_digest(tree)[:16]}"
        write_tree(folder, tree)
        with told_engine_errors():
            source = await self.deliver(folder).with_timestamps(0).sync()
        container = self.toolchain().with_directory(SOURCE, source).with_workdir(SOURCE)
        if self.modules:
            container = container.with_mounted_directory(BUNDLED, self.deliver(self.modules))
        return container

    def toolchain(self) -> dagger.Container:
        """The golang image."""
        return dag.container().from_(self.image)

    async def stepped(
        self, container: dagger.Container, step: Step, progress: Progress
    ) -> dagger.Container:
        """The container after a step that has been run to its end.

        Raises:
            OcelotError: the step failed; see `step_error`.
        """
        progress.begin(step.lane, step.name)
        after = self.with_step(container, step)
        try:
            printed = (await after.combined_output()).splitlines()
            failed = step.refused(printed)
        except dagger.ExecError as error:
            printed, failed = [*error.stdout.splitlines(), *error.stderr.splitlines()], True
        except dagger.DaggerError as error:
            progress.end(step.lane, "failed")
            raise engine_error(error) from error
        if failed:
            progress.end(step.lane, "failed")
            raise step_error(step, printed)
        progress.end(step.lane, "done")
        return after

    def with_step(self, container: dagger.Container, step: Step) -> dagger.Container:
        """The container with a step to be run: its environment, its caches, its command."""
        given = self.handed(step)
        for name, value in sorted(given.env.items()):
            container = container.with_env_variable(name, value)
        for variable, cache in sorted(given.caches.items()):
            place, volume = _volume(cache)
            container = container.with_env_variable(variable, place)
            container = container.with_mounted_cache(place, volume)
        return container.with_exec(list(given.argv))

    def handed(self, step: Step) -> Handed:
        """What a container is given of a step."""
        settings: Mapping[str, str] = self.settings if step.network else {}
        if step.network and self.modules:
            settings = {**settings, **offline_settings(f"file://{BUNDLED}")}
        return Handed(argv=step.argv, env={**settings, **dict(step.env)}, caches=dict(step.caches))


def _volume(cache: str) -> tuple[str, dagger.CacheVolume]:
    """Where a named cache stands in containers, and what it is."""
    return f"{CACHE_ROOT}/{cache}", dag.cache_volume(f"ocelot-go-{cache}")


def container_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Go's module settings for containers, whose environment is no place for a password.

    Raises:
        UsageError: GOPROXY carries one.
    """
    settings = {name: environment[name] for name in MODULE_SETTINGS if environment.get(name)}
    if "@" in settings.get("GOPROXY", ""):
        raise UsageError(
            "GOPROXY carries credentials, which would be seen in a container's environment",
            hint="name a proxy that needs none, or build with --engine host",
        )
    return settings


def go_image(config: Config, given: str) -> str:
    """The golang image: the one given, else the config's.

    Raises:
        UsageError: there is none, or it is no image's name.
    """
    image = given or (config.images.go if config.images else "")
    if not re.match(IMAGE, image):
        raise UsageError(
            f"{image!r} is no image" if image else "no golang image is named",
            hint="name one with --go-image, or by digest in config/images.yaml",
        )
    return image


@dataclass(frozen=True, kw_only=True)
class DaggerClient:
    """The Dagger engine for a program that is no module: it opens a session when it has to compile.

    Attributes:
        image: the golang image, by digest.
        settings: Go's module settings for steps that may use the network.
        modules: see `DaggerEngine`.
    """

    image: str
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    modules: Path | None = None
    name: str = "dagger"

    async def compile(
        self, tree: Tree, recipe: Recipe, progress: Progress, on_binary: OnBinary
    ) -> None:
        """See `Engine.compile`."""
        async with self._engine() as engine:
            await engine.compile(tree, recipe, progress, on_binary)

    async def resolve(self, tree: Tree, recipe: Recipe, progress: Progress) -> Tree:
        """See `Engine.resolve`."""
        async with self._engine() as engine:
            return await engine.resolve(tree, recipe, progress)

    async def collect(self, tree: Tree, recipe: Recipe, into: Path, progress: Progress) -> None:
        """See `Engine.collect`."""
        async with self._engine() as engine:
            await engine.collect(tree, recipe, into, progress)

    @asynccontextmanager
    async def _engine(self) -> AsyncGenerator[DaggerEngine]:
        with tempfile.TemporaryDirectory(prefix="ocelot-") as folder:
            async with dagger_session():
                yield DaggerEngine(
                    image=self.image,
                    deliver=from_host,
                    workspace=Path(folder),
                    settings=self.settings,
                    modules=self.modules,
                )


@asynccontextmanager
async def dagger_session() -> AsyncGenerator[None]:
    """A session with an engine, for a program that is no module.

    Raises:
        ToolchainError: no engine can be had.
    """
    if program := shutil.which("dagger"):
        # else the SDK would download a command of its own
        os.environ.setdefault("_EXPERIMENTAL_DAGGER_CLI_BIN", program)
    with told_engine_errors():
        async with dagger.connection():
            yield


async def check_go(container: dagger.Container) -> None:
    """Make sure that an image, perhaps one of a mirror, holds the pinned Go.

    Raises:
        ToolchainError: it does not, or cannot be had.
    """
    with told_engine_errors():
        told = await container.with_exec(["go", "env", "GOVERSION"]).stdout()
    if told.strip() != f"go{GO_VERSION}":
        raise ToolchainError(
            f"Go {GO_VERSION} is wanted, the image has {told.strip() or 'none'}",
            hint="name an image of that version with --go-image, or in config/images.yaml",
        )


@contextmanager
def told_engine_errors() -> Generator[None]:
    """Turn what the engine could not do into a user's error; a group of tasks would hide it."""
    try:
        yield
    except dagger.DaggerError as error:
        raise engine_error(error) from error


def engine_error(error: dagger.DaggerError) -> OcelotError:
    """The error for an engine that could not do what it was asked."""
    # an exec's own words stand beside its message, which ends in a place of the engine's trace
    told = f"{error.stdout}\n{error.stderr}" if isinstance(error, dagger.ExecError) else ""
    message = re.sub(r" \[traceparent:[0-9a-f-]+\]", "", str(error))
    first, *more = message.splitlines() or ["no reason given"]
    more += [line for line in told.splitlines() if line.strip()]
    return ToolchainError(
        f"the Dagger engine could not go on: {first}",
        hint="check the engine and the registry of the golang image (--go-image names a mirror's); "
        "--engine host builds without containers",
        details=tuple(more),
    )


def from_host(folder: Path) -> dagger.Directory:
    """Hand over a folder of this machine, as a client of the engine."""
    return dag.host().directory(str(folder))


def from_module(folder: Path) -> dagger.Directory:
    """Hand over a folder of the working folder of a module's function."""
    return dag.current_module().workdir(str(folder.relative_to(Path.cwd())))
