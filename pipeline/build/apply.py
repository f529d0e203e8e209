"""Carry a build plan out: take what the store has, compile the rest, pack, write."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from anyio import create_task_group, to_thread

from pipeline import progress
from pipeline.build import store
from pipeline.build.compile import Compiler, Workspace, golang_image, workspace
from pipeline.build.failure import together
from pipeline.build.plan import BuildPlan, LayerPlan
from pipeline.build.store import StoredLayer
from pipeline.errors import LockError, OcelotError
from pipeline.files import ensure_writable, write_atomic
from pipeline.layer import manifest
from pipeline.layer.budget import check_budget
from pipeline.layer.limits import check_limits
from pipeline.layer.manifest import Go, Layer, Manifest, Upstream
from pipeline.layer.zip import ZipEntry, pack
from pipeline.supply.evidence import layer_contents, layer_evidence
from pipeline.supply.provenance import Builder, builder_of

BINARY = "extensions/collector"


@dataclass(frozen=True, kw_only=True)
class BuiltLayer:
    """A layer that lies in the output folder.

    Attributes:
        reused: it came from the store.
        seconds: from the start of its work to its zip.
    """

    layer: Layer
    reused: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a build left behind.

    Attributes:
        layers: this build's layers.
        manifest: of the whole output folder.
        notes: what the user should know.
    """

    folder: Path
    layers: tuple[BuiltLayer, ...]
    manifest: Manifest
    notes: tuple[str, ...]


class _Done(NamedTuple):
    """A layer that is ready to be written; see `BuiltLayer`."""

    stored: StoredLayer
    reused: bool
    seconds: float


async def apply_plan(
    plan: BuildPlan,
    compiler: Compiler,
    *,
    output: Path,
    cache: Path,
    rebuild: bool = False,
    builder: Builder | None = None,
) -> Build:
    """Build the plan's layers and write them with their evidence and manifest.

    Nothing is written to the output folder before every layer is done.

    Args:
        plan: what to build.
        compiler: how Go is run.
        output: folder for zips and manifest.
        cache: the user cache.
        rebuild: compile even what the store has.
        builder: who runs ocelot, for the provenance.

    Raises:
        ToolchainError: Go or a module cannot be had.
        CompileError: the compiler refused; raised once every architecture has ended.
        LimitError, LockError: a layer is too large, or not the one that was locked.
        OutputError: a disk is full or read-only.
    """
    ensure_writable(output)
    for note in plan.notes:
        progress.note(note)
    layers = cache / "layers"
    done = {} if rebuild else _stored(plan, layers)
    missing = [each for each in plan.layers if each.file not in done]
    if missing:
        done |= await _compiled(plan, missing, compiler, layers)
    builder = builder or builder_of({}, version=version("ocelot"))
    return _write(plan, done, output, builder)


def _stored(plan: BuildPlan, layers: Path) -> dict[str, _Done]:
    """Layers of the store by file name."""
    done: dict[str, _Done] = {}
    for each in plan.layers:
        started = time.monotonic()
        if stored := store.find_layer(layers, each.key):
            with progress.step(str(each.architecture), "look into the cache") as step:
                done[each.file] = _Done(stored, reused=True, seconds=time.monotonic() - started)
                step.result = "reused: nothing changed"
    return done


async def _compiled(
    plan: BuildPlan, missing: Sequence[LayerPlan], compiler: Compiler, layers: Path
) -> dict[str, _Done]:
    """Layers compiled, packed and kept in the store, by file name: each in a task of its own.

    Raises:
        OcelotError: what failed, once every task has ended; nothing of several errors is lost.
    """
    done: dict[str, _Done] = {}
    errors: list[OcelotError] = []
    started = time.monotonic()

    async def finish(layer: LayerPlan, work: Workspace) -> None:
        try:
            stored = await _layer(plan, layer, work, compiler.module_cache)
            store.keep_layer(layers, layer.key, stored)
        except OcelotError as error:
            errors.append(error)
        else:
            seconds = time.monotonic() - started
            done[layer.file] = _Done(stored, reused=False, seconds=seconds)

    async with workspace(plan.tree, plan.prepare(missing), compiler) as work:
        async with create_task_group() as tasks:
            for each in missing:
                tasks.start_soon(finish, each, work)
        if errors:
            raise together(errors)
    return done


async def _layer(
    plan: BuildPlan, layer: LayerPlan, work: Workspace, module_cache: Path
) -> StoredLayer:
    """Compile and pack one layer, and look into it."""
    lane = str(layer.architecture)
    entries = layer_entries(layer, await work.compiled(layer.step))
    with progress.step(lane, "pack") as step:
        packing = partial(pack, entries, epoch=plan.facts.source_date_epoch)
        packed = await to_thread.run_sync(packing, abandon_on_cancel=True)
        step.result = "packed"
    unzipped = sum(len(entry.content) for entry in entries)
    with progress.step(lane, "bill of materials"):
        looking = partial(layer_contents, packed, file=layer.file, module_cache=module_cache)
        contents = await to_thread.run_sync(looking, abandon_on_cancel=True)
        check_limits(layer.file, size=len(packed), unzipped=unzipped)
    image = golang_image()
    return StoredLayer(
        content=packed,
        unzipped_size=unzipped,
        engine="dagger" if image else "host",
        image=image,
        contents=contents,
    )


def layer_entries(layer: LayerPlan, binary: bytes) -> tuple[ZipEntry, ...]:
    """The files of a layer's zip."""
    configs = (ZipEntry(name=name, content=content) for name, content in layer.configs.items())
    return (ZipEntry(name=BINARY, content=binary, mode=0o755), *configs)


def _write(plan: BuildPlan, done: Mapping[str, _Done], output: Path, builder: Builder) -> Build:
    for each in plan.layers:
        stored = done[each.file].stored
        check_locked(each, stored.content)
        check_budget(plan.budget, each.file, stored, output / each.file)
    built: list[BuiltLayer] = []
    notes = list(plan.notes)
    for each in plan.layers:
        stored, reused, seconds = done[each.file]
        size = len(stored.content)
        for note in check_limits(each.file, size=size, unzipped=stored.unzipped_size):
            notes.append(note)
            progress.note(note)
        write_atomic(output / each.file, stored.content)
        record = _with_evidence(plan, layer_record(plan, each, stored), stored, output, builder)
        built.append(BuiltLayer(layer=record, reused=reused, seconds=seconds))
    merged = manifest.update_manifest(output, tuple(each.layer for each in built))
    return Build(folder=output, layers=tuple(built), manifest=merged, notes=tuple(notes))


def _with_evidence(
    plan: BuildPlan, record: Layer, stored: StoredLayer, output: Path, builder: Builder
) -> Layer:
    """The manifest's entry with the files that were written beside the zip."""
    evidence = layer_evidence(
        record, stored.contents, plan.facts, image=stored.image, builder=builder
    )
    for name, content in evidence.items():
        write_atomic(output / name, content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in evidence.items()}
    return record.model_copy(update={"evidence": digests})


def layer_record(plan: BuildPlan, layer: LayerPlan, stored: StoredLayer) -> Layer:
    """The manifest's entry for a finished layer."""
    facts = plan.facts
    return Layer(
        file=layer.file,
        sha256=hashlib.sha256(stored.content).hexdigest(),
        code_sha256=manifest.code_sha256(stored.content),
        size=len(stored.content),
        unzipped_size=stored.unzipped_size,
        architecture=layer.architecture,
        distribution=facts.distribution,
        description=plan.description,
        build_tags=facts.build_tags,
        custom_modules=facts.custom_modules,
        tunings=plan.tuned.applied,
        collector_version=facts.collector,
        upstream=Upstream(repository=facts.repository, ref=facts.ref, commit=facts.commit),
        go=Go(version=facts.go, command=layer.step.argv, environment=dict(layer.step.env)),
        packer=facts.packer,
        source_date_epoch=facts.source_date_epoch,
        engine=stored.engine,
        ocelot=version("ocelot"),
        evidence={},
        locked=plan.locked is not None,
    )


def check_locked(layer: LayerPlan, content: bytes) -> None:
    """Compare a zip with the digest that the lock has of it.

    Raises:
        LockError: they differ.
    """
    digest = hashlib.sha256(content).hexdigest()
    if layer.expected in ("", digest):
        return
    raise LockError(
        f"{layer.file} is not the zip that was locked",
        hint="the same inputs gave other bytes: either the lock was changed by hand, or a module "
        "or compiler in the cache was (OCELOT_CACHE names an empty one to try again with)",
        details=(f"locked: sha256 {layer.expected}", f"built:  sha256 {digest}"),
    )
