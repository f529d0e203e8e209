"""Delete what a plan names, from end to end; `ocelot reap --apply` calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import anyio

from pipeline.build.lock import Lock, Locked, read_lock
from pipeline.errors import ReapError, counted, publish_error
from pipeline.naming import version_key
from pipeline.publish.turns import LayerWork, layer_turn
from pipeline.reap.apply import ApplyContext, RegionReaper, VersionOutcome
from pipeline.reap.observe import ReapScope
from pipeline.reap.parameters import NamedLayers
from pipeline.reap.plan import ReapPlan, VersionPlan, reap_digest
from pipeline.reap.planning import (
    ReapContext,
    ReapSources,
    opened_context,
    plan,
    reap_scope,
)
from pipeline.reap.request import ReapRequest
from pipeline.reap.tombstones import FolderTombstones
from pipeline.registry.tombstone import Tombstone
from pipeline.threads import in_thread

# Layer versions that an error names.
_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """The deletions that a person has approved.

    Attributes:
        number: of layer versions.
        digest: of the plan.
        plan: as it was shown; None if only number and digest are known.
    """

    number: int
    digest: str
    plan: ReapPlan | None = None


@dataclass(frozen=True, kw_only=True)
class ReapResult:
    """The plan of a run and its outcomes.

    Attributes:
        digest: of the approved plan.
        outcomes: of all that was still to be deleted.
        done: tombstones of what earlier runs of the same plan deleted.
        errors: by region, why a parameter may name what an earlier run deleted.
    """

    plan: ReapPlan
    digest: str
    outcomes: tuple[VersionOutcome, ...]
    done: tuple[Tombstone, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict[str, str])


# Called with the result of a run, to show it.
ReapReport = Callable[[ReapResult], None]


@dataclass(frozen=True, kw_only=True)
class ApprovedPlan:
    """A plan as an approval expects it, and the values that it is carried out with.

    Attributes:
        done: tombstones of what earlier runs of the same plan deleted.
        outcomes: by region, of all that is still to be deleted, the oldest first.
    """

    plan: ReapPlan
    scope: ReapScope
    done: tuple[Tombstone, ...]
    outcomes: Mapping[str, Sequence[VersionOutcome]]


async def reap(
    request: ReapRequest,
    sources: ReapSources,
    approval: Approval,
    report: ReapReport,
    folder: FolderTombstones,
) -> None:
    """Plan anew, and delete what was approved; finished work is not repeated.

    Args:
        request: the user's.
        sources: of facts about layer versions; all are read anew.
        approval: what may be deleted.
        report: called once with the result, after an interruption too.
        folder: of the tombstones, if there is no registry.

    Raises:
        ReapError: the plan is another one now, and nothing was deleted; or a tombstone is damaged.
        PublishError: a region or layer version is not as it should be; it was reported.
        OcelotError: see `opened_context`.
    """
    async with opened_context(request, sources) as context:
        # 1. the plan, which must be the approved one
        approved = await approved_plan(context, request, approval, folder)
        # 2. all regions at once; in each of them one deletion after another
        errors: dict[str, str] = {}
        layers = {each.version.arn.name for each in approved.plan.deletions}
        reapers = tuple(_reapers(context, request, approved, approval.digest, folder))
        try:
            async with layer_turn(context.identity.account, layers, LayerWork.REAP):
                await _all_reaped(reapers, errors)
        except anyio.get_cancelled_exc_class():
            report(_result(approved, approval, errors))
            raise
        result = _result(approved, approval, errors)
    # 3. report, and fail if something is not as it should be
    report(result)
    check_reaped(result)


async def approved_plan(
    context: ReapContext, request: ReapRequest, approval: Approval, folder: FolderTombstones
) -> ApprovedPlan:
    """Return the plan as it is now, which must be the approved one.

    What an earlier run of the approved plan deleted counts as part of it.

    Raises:
        AwsError: the registry cannot be read.
        ReapError: it is another plan; or a tombstone in the folder is damaged.
    """
    scope = await reap_scope(context, request)
    made = await plan(context, request, scope)
    stored = scope.recorded.values() if context.sources.registry else folder.all()
    own = plan_tombstones(stored, approval.digest)
    check_approved(made, own, approval)
    unseen = {each.region for each in made.regions if each.unseen}
    done = (each for arn, each in own.items() if arn not in _present(made))
    return ApprovedPlan(
        plan=made,
        scope=scope,
        done=tuple(each for each in done if each.arn.region not in unseen),
        outcomes={
            region: [VersionOutcome(plan=each) for each in _oldest_first(made, region)]
            for region in context.regions
        },
    )


def plan_tombstones(stored: Iterable[object], digest: str) -> dict[str, Tombstone]:
    """Return the tombstones of a plan, by ARN; the layer versions of some may still exist."""
    return {
        str(each.arn): each
        for each in stored
        if isinstance(each, Tombstone) and each.plan == digest
    }


def check_approved(made: ReapPlan, own: Mapping[str, Tombstone], approval: Approval) -> None:
    """Check that a plan, with what was deleted already, is what was approved.

    Args:
        made: as it is now.
        own: tombstones that an earlier run of the approved plan wrote, by ARN.
        approval: of a plan.

    Raises:
        ReapError: it is not; the error says what differs.
    """
    done = {arn: each.forced for arn, each in own.items() if arn not in _present(made)}
    pending = {
        str(each.version.arn): _forced(each, own.get(str(each.version.arn)))
        for each in made.deletions
    }
    whole = {**done, **pending}
    digest = reap_digest(whole.items())
    if (len(whole), digest) == (approval.number, approval.digest):
        return
    before = f", {len(done)} of them deleted already" if done else ""
    raise ReapError(
        "the plan is not the approved one any more; nothing was deleted",
        details=(
            f"approved: {counted(approval.number, 'layer version')}, digest {approval.digest}",
            f"now: {counted(len(whole), 'layer version')}{before}, digest {digest}",
            *_differences(made, approval.plan),
        ),
        hint="look at the new plan: run the command without --apply, --yes-delete and --plan",
    )


def _present(made: ReapPlan) -> frozenset[str]:
    """Return the ARNs of the selected layer versions that exist."""
    return frozenset(str(one.version.arn) for each in made.regions for one in each.versions)


def _forced(version: VersionPlan, begun: Tombstone | None) -> tuple[str, ...]:
    """Return the overridden reasons as they were approved.

    A run that ended before the deletion may have moved the parameters that named the version.
    """
    if begun and {*version.overridden} <= {*begun.forced}:
        return begun.forced
    return version.overridden


def _differences(made: ReapPlan, shown: ReapPlan | None) -> Iterator[str]:
    """Yield the layer versions that came or went, as far as they are known, and regions unseen."""
    for region in made.regions:
        if region.unseen:
            yield f"{region.region} cannot be read: {region.unseen}"
    if shown is None:
        return
    before = {str(each.version.arn): each for each in shown.deletions}
    now = {str(each.version.arn): each for each in made.deletions}
    decided = {str(one.version.arn): one for each in made.regions for one in each.versions}
    lines = [f"to be deleted now, too: {arn}" for arn in now.keys() - before.keys()]
    lines += [f"{_why_not(decided.get(arn))}: {arn}" for arn in before.keys() - now.keys()]
    lines += [
        f"other reasons are overridden: {arn}"
        for arn in before.keys() & now.keys()
        if before[arn].overridden != now[arn].overridden
    ]
    yield from sorted(lines)[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"and {len(lines) - _SHOWN} more"


def _why_not(plan: VersionPlan | None) -> str:
    if plan is None:
        return "gone"
    return f"kept now ({', '.join(each.text for each in plan.reasons)})"


def _oldest_first(made: ReapPlan, region: str) -> list[VersionPlan]:
    """Return a region's deletions, the oldest first.

    While they are deleted, the others keep their rank among the newest.
    """
    own = [one for each in made.regions if each.region == region for one in each.versions]
    return sorted(
        (each for each in own if each.is_deleted),
        key=lambda each: (
            version_key(each.parts.version),
            each.version.arn.name,
            each.version.arn.version,
        ),
    )


def _reapers(
    context: ReapContext,
    request: ReapRequest,
    approved: ApprovedPlan,
    digest: str,
    folder: FolderTombstones,
) -> Iterator[RegionReaper]:
    """Yield the reapers of all regions in which there is something to do."""
    registry = context.sources.registry
    shared = ApplyContext(
        request=request,
        references=context.references,
        scope=approved.scope,
        digest=digest,
        now=datetime.now(tz=UTC),
        tombstones=registry or folder,
        locked=_locked(read_lock(context.sources.config)),
    )
    for region, doors in context.regions.items():
        outcomes = approved.outcomes[region]
        done = [each for each in approved.done if each.arn.region == region]
        names = doors.parameters and NamedLayers(
            parameters=doors.parameters,
            layers=doors.layers,
            registry=registry,
            base=request.base,
            deletions=frozenset(each.arn for each in outcomes),
        )
        if outcomes or (done and names):
            yield RegionReaper(
                layers=doors.layers,
                functions=doors.functions,
                names=names,
                context=shared,
                outcomes=outcomes,
                done=done,
            )


def _locked(lock: Lock) -> dict[str, Locked]:
    return {sha256: each for each in lock.locked for sha256 in each.zips.values()}


async def _all_reaped(reapers: Iterable[RegionReaper], errors: dict[str, str]) -> None:
    """Run all regions at once; `errors` is filled in."""

    async def reaped(reaper: RegionReaper) -> None:
        if error := await in_thread(reaper.run):
            errors[reaper.layers.region] = error

    async with anyio.create_task_group() as tasks:
        for each in reapers:
            tasks.start_soon(reaped, each)


def _result(approved: ApprovedPlan, approval: Approval, errors: Mapping[str, str]) -> ReapResult:
    """Return the outcomes as far as they are known now."""
    return ReapResult(
        plan=approved.plan,
        digest=approval.digest,
        # copies: a thread that is still running may change the originals
        outcomes=tuple(replace(one) for each in approved.outcomes.values() for one in each),
        done=approved.done,
        errors=dict(errors),
    )


def check_reaped(result: ReapResult) -> None:
    """Fail if a region or layer version is not as it should be.

    Raises:
        PublishError: every failure is named; a `PartlyPublishedError` if there were not only
            failures.
    """
    unseen = {each.region: each.unseen for each in result.plan.regions if each.unseen}
    regions = {**unseen, **result.errors}
    failed = [(each.arn, each.why) for each in result.outcomes if each.failed]
    failures = [*regions.items(), *failed]
    idle = {each.region for each in result.plan.regions} - {
        each.plan.version.arn.region for each in result.outcomes
    }
    if failures:
        raise publish_error(
            f"{len(failures)} regions or layer versions are not as they should be",
            failures,
            failed=len(failures),
            total=len(result.outcomes) + len(idle | regions.keys()),
        )
