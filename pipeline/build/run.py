"""A build from end to end: what `ocelot build` calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import files, progress
from pipeline.build import apply, lock
from pipeline.build.compile import Compiler
from pipeline.build.failure import blaming
from pipeline.build.lock import Locked
from pipeline.build.plan import BuildPlan, Materials, build_plan
from pipeline.build.upstream import Resolved, Upstream
from pipeline.config.folder import Config
from pipeline.errors import CompileError, LockError, OutputError, ToolchainError, UpstreamError
from pipeline.naming import Architecture
from pipeline.supply.provenance import Builder


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for.

    Attributes:
        epoch: SOURCE_DATE_EPOCH, None for the commit's date.
        rebuild: compile even what the store has.
        locked: refuse to go beyond the lock.
        tune: whether upstream's files are changed as the distribution's tunings say.
        builder: who runs ocelot, for the provenance.
    """

    distribution: str
    architectures: tuple[Architecture, ...]
    upstream: Upstream
    output: Path
    epoch: int | None = None
    rebuild: bool = False
    locked: bool = False
    tune: bool = True
    builder: Builder | None = None


async def build(
    request: Request, config: Config, compiler: Compiler, *, cache: Path
) -> apply.Build:
    """Fetch, decide, compile, pack, write; note in the lock what it has not yet.

    Raises:
        OcelotError: one of its classes for each way this can fail.
    """
    files.ensure_writable(request.output)
    plan = await plan_build(request, config)
    try:
        done = await apply.apply_plan(
            plan,
            compiler,
            output=request.output,
            cache=cache,
            rebuild=request.rebuild,
            builder=request.builder,
        )
    except CompileError as error:
        raise blaming(error, plan.tuned) from error
    if plan.locked and not request.locked:
        _record(config, plan.locked, done)
    return done


async def plan_build(request: Request, config: Config) -> BuildPlan:
    """Look into the lock, fetch upstream and decide what to build.

    Raises:
        LockError: a tag was moved; or the lock is to be kept to, and cannot.
    """
    config.distribution(request.distribution)
    upstream = request.upstream
    entry = lock.read_lock(config.folder).find(request.distribution, upstream.given, upstream.ref)
    commit, note = lock.settled(entry, await _resolved(request, entry))
    plan = await plan_commit(request, config, commit, entry)
    if request.locked and (plan.deviations or plan.misfits):
        raise LockError(
            f"{request.distribution} is not as {lock.FILE_NAME} has it",
            hint="ocelot lock brings the lock up to date; commit it with the configuration",
            details=(*plan.deviations, *plan.misfits),
        )
    deviations = plan.deviations if entry else ()
    notes = [*([note] if note else []), *(f"not locked: {each}" for each in deviations)]
    return replace(plan, notes=(*notes, *plan.misfits, *plan.notes))


async def plan_commit(
    request: Request, config: Config, commit: str, entry: Locked | None
) -> BuildPlan:
    """Fetch a commit and decide what to build of it."""
    source = await request.upstream.read(commit)
    own = config.config_file(request.distribution)
    materials = Materials(
        source=source,
        overlay=files.read_tree(config.overlay),
        config_file=own.read_bytes() if own else None,
        tuning_files=files.read_tree(config.tuning_files),
        tune=request.tune,
        epoch=request.epoch,
        entry=entry,
    )
    return build_plan(config, request.distribution, materials, architectures=request.architectures)


async def _resolved(request: Request, entry: Locked | None) -> Resolved:
    """What the ref means now; where upstream cannot be asked, what the lock says."""
    try:
        return await request.upstream.resolve()
    except (UpstreamError, ToolchainError) as error:
        if entry is None:
            raise
        progress.note(f"{error}; building the locked commit {entry.commit[:12]}")
        return Resolved(commit=entry.commit, kind="commit")


def _record(config: Config, entry: Locked, done: apply.Build) -> None:
    zips = {each.layer.architecture: each.layer.sha256 for each in done.layers}
    if zips.items() <= entry.zips.items():
        return
    try:
        lock.record_zips(config.folder, entry, zips)
    except OutputError as error:
        progress.note(f"the zips' digests are not in the lock: {error}")
