"""Publishing from end to end: what `ocelot publish` and `ocelot release` call."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import anyio

from pipeline import progress
from pipeline.aws.bucket import RegionBucket
from pipeline.aws.layers import LayerUpload, RegionClient
from pipeline.aws.session import Aws, Identity, identified
from pipeline.errors import PartlyPublishedError, PublishError
from pipeline.layer.manifest import BenchNote, Layer
from pipeline.publish.package import Package, upload_of
from pipeline.publish.plan import Target, TargetKey, TargetPlan
from pipeline.publish.reconcile import INTERRUPTED, Outcome, PublishContext, reconcile
from pipeline.publish.request import REGION_WORD, PublishRequest
from pipeline.registry.registry import Registry
from pipeline.threads import in_thread, in_threads

# Uploads under way at once, in all regions.
UPLOADS = 40
LANE = "publish"

# Runs layers before they are published: the manifest's entries by the zips' paths to what is
# known of each, by its sha256.
Gate = Callable[[Mapping[Path, Layer]], Awaitable[Mapping[str, BenchNote]]]


@dataclass(frozen=True, kw_only=True)
class Published:
    """What is to be done and what came of it, in the order of regions and zips.

    Attributes:
        plans: of all targets.
        skipped: regions that are left out, with the reason.
        outcomes: one for each plan; none for a plan alone.
    """

    plans: tuple[TargetPlan, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    outcomes: tuple[Outcome, ...] = ()


# Takes what came of publishing, to show it.
Report = Callable[[Published], None]


async def publish(
    request: PublishRequest,
    aws: Aws,
    registry: Registry | None,
    report: Report,
    *,
    gate: Gate | None = None,
    dry_run: bool = False,
) -> None:
    """Publish zips in all regions, each once; what is done already is not done again.

    Args:
        request: what is to be published where.
        aws: who publishes.
        registry: None where there is to be none.
        report: is called once with what came of it, after an interruption too.
        gate: runs the layers before; None to go without.
        dry_run: only decide, and report that.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
        BenchError: a layer fails at the gate.
        PublishError: a target is not as it should be; that was reported.
    """
    # 1. identity, account, registry: no work is begun that cannot be finished
    who = await preflight(request, aws, registry)
    # 2. the bench: a layer that does not run is not published
    if gate and not dry_run:
        request = await _tried(request, gate)
    # 3. look, decide and do: a thread for each zip in each region
    stopped = threading.Event()
    context = _context(request, registry, dry_run=dry_run)
    late = f"not done within {request.deadline:.0f} seconds; run the same command again"
    try:
        with anyio.move_on_after(request.deadline), progress.step(LANE, "look") as shown:
            regions = await _region_clients(request, aws, who.account, stopped)
            await _all_reconciled(request, regions, context)
            done = _so_far(request, context)
            writes = sum(len(each.steps) for each in done.plans)
            shown.result = f"{len(done.plans)} targets, {writes} things to do"
        done = _so_far(request, context, missing=late)
    except anyio.get_cancelled_exc_class():
        # 4. report, if it was interrupted, what is known by now
        if context.outcomes:
            report(_so_far(request, context))
        raise
    finally:
        stopped.set()  # only now: what the threads that are left behind run into is not reported
    # 4. report
    report(done)
    # 5. fail where a target is not as it should be
    check_outcomes(done.outcomes)


async def preflight(request: PublishRequest, aws: Aws, registry: Registry | None) -> Identity:
    """Return who we are, which must be the one that may publish; the registry must be there.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
    """
    who = await identified(aws, request.regions, request.partition, request.account)
    if registry:
        await in_thread(registry.check)
    return who


async def _tried(request: PublishRequest, gate: Gate) -> PublishRequest:
    """Return the request with what the gate found in its packages' manifest entries."""
    notes = await gate({each.path: each.record for each in request.packages})
    packages = tuple(
        replace(each, record=each.record.with_bench_note(notes[each.sha256]))
        for each in request.packages
    )
    return replace(request, packages=packages)


def _context(
    request: PublishRequest, registry: Registry | None, *, dry_run: bool
) -> PublishContext:
    by_layer = {each.layer: each for each in request.packages}
    targets = request.targets()

    @cache
    def upload(layer: str) -> LayerUpload:
        return upload_of(by_layer[layer])

    making = threading.Lock()

    def shared_upload(package: Package) -> LayerUpload:
        with making:  # each is made once, when it is first wanted, for all regions
            return upload(package.layer)

    return PublishContext(
        public=request.public,
        dry_run=dry_run,
        registry=registry,
        upload=shared_upload,
        uploading=threading.Semaphore(UPLOADS),
        based_on=request.based_on,
        bases=_bases(targets, request.based_on),
        ended={each.key: threading.Event() for each in targets},
    )


def _bases(targets: Sequence[Target], based_on: Mapping[str, str]) -> dict[TargetKey, TargetKey]:
    """Return the targets that are based on others of the same run, each with that one."""

    def place(target: Target, distribution: str) -> tuple[str, str, str]:
        return (target.region, str(target.package.architecture), distribution)

    by_place = {place(each, each.package.record.distribution): each.key for each in targets}
    return {
        each.key: by_place[wanted]
        for each in targets
        if (base := based_on.get(each.package.record.distribution))
        and (wanted := place(each, base)) in by_place
    }


async def _region_clients(
    request: PublishRequest, aws: Aws, account: str, stopped: threading.Event
) -> dict[str, RegionClient]:
    """Return a client for each region, with a bucket where a zip is large."""
    with_bucket = request.bucket and any(package.is_large for package in request.packages)

    def opened(region: str) -> RegionClient:
        name = request.bucket.replace(REGION_WORD, region)
        bucket = RegionBucket(aws, region, name, account) if with_bucket else None
        return RegionClient(aws, region, stopped, bucket)

    made = await in_threads(opened, request.regions, at_once=len(request.regions))
    return dict(zip(request.regions, made, strict=True))


async def _all_reconciled(
    request: PublishRequest, regions: Mapping[str, RegionClient], context: PublishContext
) -> None:
    """Reconcile all targets at once: none holds up another."""
    async with anyio.create_task_group() as tasks:
        for each in request.targets():
            region = regions[each.region]
            tasks.start_soon(in_thread, partial(reconcile, each, region, context))


def _so_far(request: PublishRequest, context: PublishContext, *, missing: str = "") -> Published:
    """Return what is known by now.

    Args:
        request: what is to be published where.
        context: what came of the targets.
        missing: why a target has not ended; empty to say what an interruption means, and to leave
            out those that have no plan yet.
    """
    plans: list[TargetPlan] = []
    outcomes: list[Outcome] = []
    for target in request.targets():
        plan = context.plans.get(target.key)
        if plan is None and missing:
            plan = TargetPlan(target=target, blocked=missing)
        if plan is None:
            continue
        plans.append(plan)
        # a copy: a thread that was left behind may still change its own
        outcome = replace(context.outcomes.get(target.key, Outcome(plan=plan)))
        if outcome.error == INTERRUPTED:
            outcome.error = missing or INTERRUPTED
        outcomes.append(outcome)
    return Published(
        plans=tuple(plans),
        skipped=request.skipped,
        outcomes=() if context.dry_run else tuple(outcomes),
    )


def check_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Fail where a target is not as it should be.

    Raises:
        PublishError: with every failure; it says whether nothing was done, or only a part.
    """
    failed = [each for each in outcomes if not each.succeeded]
    if failed:
        kind = PartlyPublishedError if len(failed) < len(outcomes) else PublishError
        raise kind(
            f"{len(failed)} of {len(outcomes)} targets are not as they should be",
            hint="run the same command again: what is done is not done twice",
            details=tuple(f"{each.plan.target}: {each.error}" for each in failed),
        )
