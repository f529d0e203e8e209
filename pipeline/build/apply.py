"""Carry out a build plan: take finished zips from the cache, compile and pack the others."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio import create_task_group, to_thread

from pipeline import progress
from pipeline.build.compile import Compiler, Workspace, workspace
from pipeline.build.failure import merged_error, with_tuning_blame
from pipeline.build.gofiles import constraint
from pipeline.build.packages import Packages
from pipeline.build.plan import BuildPlan, LayerPlan
from pipeline.build.store import LayerZip, find_zip, keep_zip
from pipeline.build.toolchain import golang_image
from pipeline.errors import CompileError, LockError, OcelotError, OutputError
from pipeline.layer.layerfile import COLLECTOR
from pipeline.layer.limits import check_limits
from pipeline.layer.zip import ZipEntry, pack

# A tag in a build constraint.
_TAG = re.compile(r"[\w.]+")


@dataclass(frozen=True, kw_only=True)
class BuiltLayer:
    """A finished layer in memory.

    Attributes:
        reused: True if its zip was in the cache.
        seconds: from the start of the work to the finished zip.
    """

    plan: LayerPlan
    zip: LayerZip
    reused: bool
    seconds: float


async def apply_plan(
    plan: BuildPlan, compiler: Compiler, *, cache: Path | None, rebuild: bool = False
) -> tuple[BuiltLayer, ...]:
    """Return the plan's layers, within Lambda's limits and as they were locked.

    Args:
        plan: what to build.
        compiler: how Go is run.
        cache: the user cache, which keeps finished zips; None to neither use nor keep any.
        rebuild: compile even what the cache has.

    Raises:
        ToolchainError: Go is missing, or a module cannot be downloaded.
        CompileError: the compiler refused; raised once every architecture has ended.
        LimitError: a layer is larger than Lambda takes.
        LockError: a zip is not the one that was locked, or the plan is strict and a tuning does not
            fit.
        OutputError: a disk is full or read-only.
    """
    for note in plan.notes:
        progress.note(note)
    built = {} if rebuild or cache is None else _reused(plan, cache)
    missing = [each for each in plan.layers if each.file not in built]
    if missing:
        built |= await _compiled(plan, missing, compiler, cache)
    elif compiler.keep_temp:
        async with workspace(plan.tree, plan.prepare(), compiler):
            pass  # the sources are as they are compiled, and are kept
    layers = tuple(built[each.file] for each in plan.layers)
    for each in layers:
        _check_locked(each)
        _check_tags(plan, each.zip.unused_tags)
    return layers


def _reused(plan: BuildPlan, cache: Path) -> dict[str, BuiltLayer]:
    """Layers whose zip is in the cache, by file name."""
    found: dict[str, BuiltLayer] = {}
    for each in plan.layers:
        started = time.monotonic()
        kept = find_zip(cache, each.key)
        if kept and each.expected in ("", kept.sha256):
            with progress.step(str(each.architecture), "look into the cache") as step:
                seconds = time.monotonic() - started
                found[each.file] = BuiltLayer(plan=each, zip=kept, reused=True, seconds=seconds)
                step.result = "reused: nothing changed"
    return found


async def _compiled(
    plan: BuildPlan, missing: Sequence[LayerPlan], compiler: Compiler, cache: Path | None
) -> dict[str, BuiltLayer]:
    """Layers compiled, packed and kept in the cache, by file name: each in a task of its own.

    Raises:
        OcelotError: all errors as one, once every task has ended.
    """
    built: dict[str, BuiltLayer] = {}
    errors: list[OcelotError] = []
    started = time.monotonic()

    async def finish(layer: LayerPlan, work: Workspace) -> None:
        try:
            made = await _made(plan, layer, work)
        except OcelotError as error:
            errors.append(error)
            return
        seconds = time.monotonic() - started
        built[layer.file] = BuiltLayer(plan=layer, zip=made, reused=False, seconds=seconds)
        if cache:
            _keep(cache, layer, made)

    async with workspace(plan.tree, plan.prepare(missing), compiler) as work:
        async with create_task_group() as tasks:
            for each in missing:
                tasks.start_soon(finish, each, work)
        if errors:
            error = merged_error(errors)
            if isinstance(error, CompileError):
                raise with_tuning_blame(error, plan.tuned, plan.tree)
            raise error
    return built


def _keep(cache: Path, layer: LayerPlan, made: LayerZip) -> None:
    """Put a finished zip into the cache; if that fails, the layer is used all the same."""
    try:
        keep_zip(cache, layer.key, made)
    except OutputError as error:
        progress.note(f"{layer.file} is not kept for later builds: {error}; next: {error.hint}")


async def _made(plan: BuildPlan, layer: LayerPlan, work: Workspace) -> LayerZip:
    """A layer's zip, compiled and packed.

    Raises:
        LimitError: Lambda does not take it.
        LockError: the plan is strict and a tuning does not fit.
    """
    unused = await _unused_tags(plan, layer, work)
    _check_tags(plan, unused)
    binary = ZipEntry(name=COLLECTOR, content=await work.compiled(layer.step), mode=0o755)
    configs = (ZipEntry(name=name, content=content) for name, content in layer.configs.items())
    entries = (binary, *configs)
    unzipped = sum(len(entry.content) for entry in entries)
    with progress.step(str(layer.architecture), "pack") as step:
        packing = partial(pack, entries, epoch=plan.facts.source_date_epoch)
        content = await to_thread.run_sync(packing, abandon_on_cancel=True)
        step.result = "packed"
    check_limits(layer.file, size=len(content), unzipped=unzipped)
    image = golang_image()
    return LayerZip(
        content=content,
        unzipped_size=unzipped,
        engine="dagger" if image else "host",
        image=image,
        unused_tags=unused,
    )


async def _unused_tags(plan: BuildPlan, layer: LayerPlan, work: Workspace) -> tuple[str, ...]:
    """The build tags of tunings that none of the layer's packages uses."""
    if not (tags := plan.tuned.named_tags):
        return ()
    find = partial(unused_tags, work.packages.get(layer.modules.target, ()), tags)
    return await to_thread.run_sync(find, abandon_on_cancel=True)


def unused_tags(packages: Packages, tags: Iterable[str]) -> tuple[str, ...]:
    """Return the build tags that no Go file of these packages names in its build constraint.

    A file that its constraint leaves out counts, too.
    """
    unused = set(tags)
    # the standard library, which comes first, has few tags
    for path in (path for each in reversed(packages) for path in Path(each.folder).glob("*.go")):
        if not unused:
            break
        unused.difference_update(_TAG.findall(constraint(path.read_bytes())))
    return tuple(sorted(unused))


def _check_tags(plan: BuildPlan, unused: Collection[str]) -> None:
    """Refuse a strict plan with a tuning whose build tag has no effect.

    Raises:
        LockError: there is one.
    """
    misfits = plan.tuned.without_effect(unused)
    if plan.strict and misfits:
        raise LockError(
            f"{plan.facts.distribution} has a tuning that does not fit",
            hint="take the tuning out of the distribution or the tag out of config/tuning.yaml, "
            "then run ocelot lock and commit both files",
            details=misfits,
        )


def _check_locked(layer: BuiltLayer) -> None:
    """Compare a zip with the digest that the lock has of it.

    Raises:
        LockError: they differ.
    """
    expected, digest = layer.plan.expected, layer.zip.sha256
    if expected in ("", digest):
        return
    raise LockError(
        f"{layer.plan.file} is not the zip that was locked",
        hint="the same inputs gave other bytes: either the lock was changed by hand, or a compiled "
        "package in the cache was; try again with OCELOT_CACHE set to an empty folder",
        details=(f"locked: sha256 {expected}", f"built:  sha256 {digest}"),
    )
