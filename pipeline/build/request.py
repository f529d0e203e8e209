"""A build as it was requested, and the plan of it: read the lock and upstream, then decide."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline import progress
from pipeline.build import lock
from pipeline.build.lock import Locked
from pipeline.build.overlay import read_config_file, read_config_files
from pipeline.build.plan import BuildPlan, Materials, build_plan
from pipeline.build.upstream import Resolved, UpstreamReader
from pipeline.config.folder import Config
from pipeline.errors import LockError, ToolchainError, UpstreamError
from pipeline.naming import Architecture


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """The distribution to build, and how.

    Attributes:
        epoch: SOURCE_DATE_EPOCH, None for the commit's date.
        locked: True to fail where the lock is not up to date.
        tune: True to apply the distribution's tunings to upstream's files.
    """

    distribution: str
    architectures: tuple[Architecture, ...] = tuple(Architecture)
    upstream: UpstreamReader
    epoch: int | None = None
    locked: bool = False
    tune: bool = True


async def plan_build(request: BuildRequest, config: Config) -> BuildPlan:
    """Read the lock, fetch upstream and decide what to build.

    Raises:
        LockError: a tag was moved; or the request is for a locked build and the lock is not up
            to date.
        OcelotError: upstream cannot be read; or see `build_plan`.
    """
    config.distribution(request.distribution)
    upstream = request.upstream
    entry = lock.read_lock(config.folder).find(request.distribution, upstream.given, upstream.ref)
    commit, note = lock.commit_to_build(entry, await _resolved(request, entry))
    plan = await plan_commit(request, config, commit, entry)
    if request.locked and (plan.deviations or plan.misfits):
        raise LockError(
            f"{request.distribution} is not as {lock.FILE_NAME} has it",
            hint="ocelot lock brings the lock up to date; commit it with the configuration",
            details=(*plan.deviations, *plan.misfits),
        )
    deviations = plan.deviations if entry else ()
    notes = [*([note] if note else []), *(f"not locked: {each}" for each in deviations)]
    notes = [*notes, *plan.misfits, *plan.notes]
    return replace(plan, notes=tuple(notes), strict=request.locked)


async def plan_commit(
    request: BuildRequest, config: Config, commit: str, entry: Locked | None
) -> BuildPlan:
    """Fetch a commit and decide what to build of it."""
    source = await request.upstream.read(commit)
    own = config.config_file(request.distribution)
    overlay = read_config_files(config.overlay)
    materials = Materials(
        source=source,
        overlay=overlay.files,
        left_out=overlay.left_out,
        config_file=read_config_file(own) if own else None,
        tuning_files=read_config_files(config.tuning_files).files,
        tune=request.tune,
        epoch=request.epoch,
        entry=entry,
    )
    return build_plan(config, request.distribution, materials, architectures=request.architectures)


async def _resolved(request: BuildRequest, entry: Locked | None) -> Resolved:
    """The commit that the ref means now; the locked commit where upstream cannot be reached."""
    try:
        return await request.upstream.resolve()
    except (UpstreamError, ToolchainError) as error:
        if entry is None:
            raise
        progress.note(f"{error}; building the locked commit {entry.commit[:12]}")
        return Resolved(commit=entry.commit, kind="commit")
