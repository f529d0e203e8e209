"""The Dagger module's bench: layers run in containers of their own architecture.

The engine may have to emulate it. A layer that it cannot run at all cannot be tried.
"""

# The SDK's overloads know no `cache`.
# pyright: reportCallIssue=false, reportUntypedFunctionDecorator=false

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import dagger
from dagger import Doc, ReturnType, dag, function

from pipeline import progress
from pipeline.bench.gate import INVOCATIONS, NOT_WANTED, STARTS, skipped, tell, untried
from pipeline.bench.reference import NAME, reference_recipe, reference_tree
from pipeline.bench.verdicts import Status, Verdict, check_verdicts, read_verdicts
from pipeline.build.engines import dagger as engines
from pipeline.build.manifest import FILE_NAME, Layer, note_benched, read_manifest
from pipeline.config import Config
from pipeline.errors import BenchError, ToolchainError, UsageError
from pipeline.model import Architecture
from pipeline.module_container import python_container
from pipeline.module_options import BuiltFolder, GoImage, own_config, own_workspace, told
from pipeline.report.progress import plain_progress

Starts = Annotated[int, Doc("Cold starts of each layer.")]
Invocations = Annotated[int, Doc("Invocations in each cold start.")]
CollectorConfig = Annotated[dagger.File | None, Doc("A collector's config that must be accepted.")]
Bench = Annotated[bool, Doc("Run each layer before it is handed out, as `bench` does.")]
NoBench = Annotated[bool, Doc("Run no layer before it is published.")]

# What `uv sync` is to install besides ocelot.
_PARTS = ("--no-dev", "--group", "bench")
_COMMAND = ("uv", "run", "--no-sync", "ocelot", "bench", "--json", "--config=/config")

_MISSING = "the engine needs the image of Python, and packages from PyPI"
_BROKEN = "what the bench, or the engine, said is above"
_EMULATE = (
    "have an engine of that architecture, or qemu-user where it runs: "
    "docker run --privileged --rm tonistiigi/binfmt --install {}"
)
_EMULATED = "it was emulated: its figures say little, and it may have been too slow for no fault"


class PlatformError(BenchError):
    """The engine runs no programs of an architecture."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Layers that are tried by a bench of the module's own sources.

    Attributes:
        layers: their zips.
        config: in the working folder of this function.
        starts: cold starts of each.
        invocations: in each start.
        go_image: another golang image than the config's, to compile the reference in.
        collector_config: a collector's config that must be accepted.
    """

    layers: dagger.Directory
    config: Config
    starts: int
    invocations: int
    go_image: str = ""
    collector_config: dagger.File | None = None

    async def told(self, architecture: Architecture, names: Sequence[str]) -> str:
        """What `ocelot bench --json` tells of some of the zips.

        Raises:
            PlatformError: the engine runs no programs of that architecture.
            BenchError: the bench cannot run.
        """
        place, options = await self._place(architecture)
        # of this call alone: else the engine might tell again what came of an earlier one
        place = place.with_env_variable("OCELOT_AGAIN", uuid4().hex)
        command = [*_COMMAND, *options, *(f"/layers/{name}" for name in names)]
        ran = place.with_exec(command, expect=ReturnType.ANY)
        broken = f"the bench does not run in a container for {architecture}"
        try:
            code, document = await ran.exit_code(), await ran.stdout()
            said = await ran.stderr()
        except dagger.DaggerError as error:
            raise _bench_error(broken, _BROKEN, error) from error
        if code in {0, BenchError.exit_code} and document.strip():
            return document
        raise BenchError(broken, hint=_BROKEN, details=tuple(said.splitlines()))

    async def _place(self, architecture: Architecture) -> tuple[dagger.Container, list[str]]:
        """The container with all that the bench is handed, and the options that name it."""
        place = (await _ready(architecture)).with_mounted_directory("/layers", self.layers)
        place = place.with_mounted_directory("/config", engines.from_module(self.config.folder))
        options = [f"--starts={self.starts}", f"--invocations={self.invocations}"]
        files = (
            ("--collector-config", "/collector.yaml", self.collector_config),
            ("--reference", "/reference", await self._reference(architecture)),
        )
        for option, path, file in files:
            if file:
                place = place.with_mounted_file(path, file)
                options.append(f"{option}={path}")
        return place, options

    async def _reference(self, architecture: Architecture) -> dagger.File | None:
        """The reference; None where it is emulated, or cannot be compiled, which is told."""
        if await _emulates(architecture):  # the comparison would say little
            return None
        recipe = reference_recipe(architecture)
        (step,) = recipe.compile
        try:
            engine = engines.DaggerEngine(
                image=engines.go_image(self.config, self.go_image),
                deliver=engines.from_module,
                workspace=own_workspace(),
            )
            own = replace(step, lane=NAME)  # beside the layer's, which bears the architecture
            return await engine.compiled(reference_tree(), recipe, own, plain_progress())
        except (ToolchainError, UsageError) as error:
            plain_progress().note(f"nothing is compared with the reference: {error.text()}")
            return None


async def _ready(architecture: Architecture) -> dagger.Container:
    """A container of an architecture that has the bench, of the module's own sources.

    Raises:
        PlatformError: the engine runs no programs of that architecture.
        BenchError: there is no such container.
    """
    source = dag.current_module().source()
    try:
        return await python_container(source, *_PARTS, platform=f"linux/{architecture}").sync()
    except dagger.DaggerError as error:
        found = _bench_error(f"the bench has no container for {architecture}", _MISSING, error)
        if any("exec format error" in line.lower() for line in found.details):
            told = f"the engine does not run linux/{architecture}"
            raise PlatformError(told, hint=_EMULATE.format(architecture)) from error
        raise found from error


def _bench_error(message: str, hint: str, error: dagger.DaggerError) -> BenchError:
    known = engines.engine_error(error)
    return BenchError(message, hint=hint, details=(str(known), *known.details))


async def _emulates(architecture: Architecture) -> bool:
    """Whether the engine runs programs of that architecture by an emulator, if at all."""
    return not str(await dag.default_platform()).startswith(f"linux/{architecture}")


class BenchFunctions:
    """What of the module runs layers."""

    config: dagger.Directory

    @function(cache="never")
    @told
    async def bench(
        self,
        layers: BuiltFolder,
        starts: Starts = 5,
        invocations: Invocations = 10,
        collector_config: CollectorConfig = None,
        go_image: GoImage = "",
    ) -> str:
        """Run layers as Lambda would, see that they lose nothing, and measure them; as JSON.

        Each runs in a container of its architecture, which the engine may have to emulate.
        """
        trial = Trial(
            layers=layers,
            config=await own_config(self.config),
            starts=starts,
            invocations=invocations,
            go_image=go_image,
            collector_config=collector_config,
        )
        zips = [name for name in await layers.entries() if name.endswith(".zip")]
        verdicts: dict[str, Verdict] = {}
        found: list[dict[str, Any]] = []
        for architecture, names in _by_architecture(zips):
            document = await trial.told(architecture, names)
            verdicts.update(read_verdicts(document))
            own = json.loads(document)["layers"]
            emulated = await _emulates(architecture)
            found += [{**each, "emulated": each["emulated"] or emulated} for each in own]
        check_verdicts(verdicts.values())
        return json.dumps({"layers": found}, indent=2) + "\n"


def _by_architecture(zips: Sequence[str]) -> Iterable[tuple[Architecture, list[str]]]:
    """The zips of each architecture, by their names.

    Raises:
        UsageError: there are none.
    """
    by_name = {
        architecture: [name for name in sorted(zips) if f"-{architecture}-" in name]
        for architecture in Architecture
    }
    if not any(by_name.values()):
        raise UsageError("there is no layer in that folder", hint="hand over what `build` makes")
    return [(architecture, names) for architecture, names in by_name.items() if names]


async def try_layers(folder: Path, config: Config, go_image: str, *, wanted: bool) -> None:
    """Try those layers of a folder of which its manifest does not say that they passed.

    What comes of it is noted in the manifest.

    Args:
        folder: zips with their manifest, in the workspace.
        config: in the working folder of this function.
        go_image: another golang image than the config's.
        wanted: whether to try any.

    Raises:
        BenchError: a layer fails, or the bench cannot run.
    """
    manifest = read_manifest(folder / FILE_NAME)
    new = untried({folder / each.file: each for each in (manifest.layers if manifest else ())})
    if not new:
        return
    if not wanted:
        with progress.shown_by(plain_progress()):
            note_benched(folder, skipped(new.values(), NOT_WANTED))
        return
    trial = Trial(
        layers=engines.from_module(_apart(new, folder / FILE_NAME)),
        config=config,
        starts=STARTS,
        invocations=INVOCATIONS,
        go_image=go_image,
    )
    verdicts: dict[str, Verdict] = {}
    with progress.shown_by(plain_progress()):
        for architecture in Architecture:
            own = [each for each in new.values() if each.architecture is architecture]
            verdicts.update(await _tried(trial, architecture, own))
        tell(verdicts.values())
    note_benched(folder, {sha256: each.noted for sha256, each in verdicts.items()})
    check_verdicts(verdicts.values())


def _apart(zips: Iterable[Path], manifest: Path) -> Path:
    """A copy of zips and manifest for the engine.

    In a session it reads a folder of ours once, and in theirs the manifest is yet to change.
    """
    folder = own_workspace() / "tried"
    folder.mkdir()
    for path in (*zips, manifest):
        shutil.copyfile(path, folder / path.name)
    return folder


async def _tried(
    trial: Trial, architecture: Architecture, layers: Sequence[Layer]
) -> Mapping[str, Verdict]:
    """What came of layers of one architecture, by their sha256."""
    if not layers:
        return {}
    lane, names = f"bench {architecture}", [each.file for each in layers]
    try:
        with progress.step(lane, "in a container"):
            verdicts = read_verdicts(await trial.told(architecture, names))
    except PlatformError as error:
        return {
            each.sha256: Verdict(
                path=Path(each.file),
                sha256=each.sha256,
                status=Status.SKIPPED,
                reason=str(error),
                notes=(error.hint,),
            )
            for each in layers
        }
    if untold := [each.file for each in layers if each.sha256 not in verdicts]:
        raise BenchError(
            f"the bench told nothing of {', '.join(untold)}",
            hint="the zip is not the one that the manifest names: build it again",
        )
    if await _emulates(architecture):
        return {
            key: replace(each, start=None, notes=(*each.notes, _EMULATED))
            for key, each in verdicts.items()
        }
    return verdicts
