"""Publish from end to end; `ocelot publish` and `ocelot release` call it."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio

from pipeline import progress
from pipeline.aws.layers import RegionClient
from pipeline.aws.s3 import RegionBucket
from pipeline.aws.session import Aws, Identity, identified
from pipeline.aws.ssm import RegionParameters
from pipeline.errors import RUN_AGAIN, publish_error
from pipeline.layer.manifest import BenchNote, Layer
from pipeline.publish.parameters import ParameterContext
from pipeline.publish.plan import Target, TargetKey, TargetPlan, target_names
from pipeline.publish.reconcile import INTERRUPTED, PublishContext, TargetOutcome, reconcile
from pipeline.publish.request import PublishRequest
from pipeline.publish.turns import LayerWork, layer_turn
from pipeline.registry.registry import Registry
from pipeline.threads import in_thread, in_threads

# Seconds that all targets together may take.
DEADLINE_SECONDS = 900.0
LANE = "publish"

# Runs layers before they are published. It is called with the manifest's entries by path of the
# zip, and returns a note for each, by its sha256.
Gate = Callable[[Mapping[Path, Layer]], Awaitable[Mapping[str, BenchNote]]]


@dataclass(frozen=True, kw_only=True)
class PublishResult:
    """The plans and outcomes of a run, in the order of regions and zips.

    Attributes:
        plans: of all targets.
        skipped: regions that are left out, each with the reason.
        outcomes: one for each plan; empty for a dry run.
    """

    plans: tuple[TargetPlan, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    outcomes: tuple[TargetOutcome, ...] = ()


# Called with the result of publishing, to show it.
Report = Callable[[PublishResult], None]


async def publish(
    request: PublishRequest,
    aws: Aws,
    registry: Registry | None,
    report: Report,
    *,
    gate: Gate | None = None,
    dry_run: bool = False,
) -> None:
    """Publish each zip once in each region; finished work is not repeated.

    Args:
        request: the zips and regions.
        aws: makes the clients.
        registry: None for none.
        report: called once with the result, after an interruption too.
        gate: runs the layers first; None to publish without that.
        dry_run: only decide, and report the plans.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
        BenchError: a layer fails at the gate.
        PublishError: a target is not as it should be; it was reported.
    """
    # 1. identity, account, registry
    identity = await preflight(request, aws, registry)
    # 2. the bench: a layer that does not run is not published
    if gate and not dry_run:
        request = await _benched(request, gate)
    # 3. each target in its own thread: observe, plan, apply; one publisher of a layer at a time
    stopped = threading.Event()
    parameters = await _parameter_context(request, aws, identity.account, stopped)
    context = _context(request, registry, parameters, dry_run=dry_run)
    layers = () if dry_run else [each.layer for each in request.packages]
    async with layer_turn(identity.account, layers, LayerWork.PUBLISH):
        try:
            result = await _reconciled(context, aws, identity.account, stopped)
        except anyio.get_cancelled_exc_class():
            if context.outcomes:
                report(_result(context))
            raise
        finally:
            stopped.set()  # after the result: errors of threads still running are not in it
    # 4. report, and fail if a target is not as it should be
    report(result)
    check_outcomes(result.outcomes)


async def preflight(request: PublishRequest, aws: Aws, registry: Registry | None) -> Identity:
    """Return the identity, which must be allowed to publish; the registry must exist.

    The request's warnings are shown.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
    """
    for each in request.warnings:
        progress.note(each)
    identity = await identified(aws, request.regions, request.partition, request.account)
    if registry:
        await in_thread(registry.check)
    return identity


async def _benched(request: PublishRequest, gate: Gate) -> PublishRequest:
    """Run the layers, and return the request with the gate's notes in the manifest's entries."""
    notes = await gate({each.path: each.entry for each in request.packages})
    packages = tuple(
        replace(each, entry=each.entry.with_bench_note(notes[each.sha256]))
        for each in request.packages
    )
    return replace(request, packages=packages)


def _context(
    request: PublishRequest,
    registry: Registry | None,
    parameters: ParameterContext | None,
    *,
    dry_run: bool,
) -> PublishContext:
    targets = request.targets()
    return PublishContext(
        request=request,
        registry=registry,
        parameters=parameters,
        dry_run=dry_run,
        bases=_bases(targets, request.based_on),
        ended={each.key: threading.Event() for each in targets},
    )


def _bases(targets: Sequence[Target], based_on: Mapping[str, str]) -> dict[TargetKey, TargetKey]:
    """Return the targets whose base is a target of the same run, each with that one."""

    def identity(target: Target, distribution: str) -> tuple[str, str, str]:
        return (target.region, str(target.package.architecture), distribution)

    keys = {identity(each, each.package.entry.distribution): each.key for each in targets}
    return {
        each.key: keys[base]
        for each in targets
        if (name := based_on.get(each.package.entry.distribution))
        and (base := identity(each, name)) in keys
    }


async def _reconciled(
    context: PublishContext, aws: Aws, account: str, stopped: threading.Event
) -> PublishResult:
    """Reconcile all targets at once, and return the result; a late target counts as failed."""
    request = context.request
    with anyio.move_on_after(DEADLINE_SECONDS), progress.step(LANE, "reconcile") as step:
        clients = await _region_clients(request, aws, account, stopped)
        async with anyio.create_task_group() as tasks:
            for each in request.targets():
                work = partial(reconcile, each, clients[each.region], context)
                tasks.start_soon(in_thread, work)
        writes = sum(len(each.steps) for each in context.plans.values())
        step.result = f"{len(context.plans)} targets, {writes} things to do"
    late = f"not done within {DEADLINE_SECONDS:.0f} seconds; {RUN_AGAIN}"
    return _result(context, missing=late)


async def _region_clients(
    request: PublishRequest, aws: Aws, account: str, stopped: threading.Event
) -> dict[str, RegionClient]:
    """Return a client for each region, with its bucket if a zip needs one."""

    def client(region: str) -> RegionClient:
        name = request.bucket_in(region)
        bucket = RegionBucket(aws, region, name, account) if name else None
        return RegionClient(aws, region, stopped, bucket)

    made = await in_threads(client, request.regions, at_once=len(request.regions))
    return dict(zip(request.regions, made, strict=True))


async def _parameter_context(
    request: PublishRequest, aws: Aws, account: str, stopped: threading.Event
) -> ParameterContext | None:
    """Return a client for the parameters of each region, and the values that they share."""
    if request.ssm_prefix is None:
        return None
    client = partial(RegionParameters, aws, prefix=request.ssm_prefix, stopped=stopped)
    made = await in_threads(client, request.regions, at_once=len(request.regions))
    return ParameterContext(
        prefix=request.ssm_prefix,
        partition=request.partition,
        account=account,
        release_group=request.release_group,
        move_back=request.move_back,
        clients=dict(zip(request.regions, made, strict=True)),
    )


def _result(context: PublishContext, *, missing: str = "") -> PublishResult:
    """Return the plans and outcomes as far as they are known now.

    Args:
        context: of the run.
        missing: error of a target that has not ended; empty after an interruption, when targets
            without a plan are left out.
    """
    plans: list[TargetPlan] = []
    outcomes: list[TargetOutcome] = []
    for target in context.request.targets():
        plan = context.plans.get(target.key)
        if plan is None and missing:
            plan = TargetPlan(target=target, blocked=missing)
        if plan is None:
            continue
        plans.append(plan)
        # a copy: a thread that is still running may change the original
        outcome = replace(context.outcomes.get(target.key, TargetOutcome(plan=plan)))
        if outcome.error == INTERRUPTED:
            outcome.error = missing or INTERRUPTED
        outcomes.append(outcome)
    return PublishResult(
        plans=tuple(plans),
        skipped=context.request.skipped,
        outcomes=() if context.dry_run else tuple(outcomes),
    )


def check_outcomes(outcomes: Sequence[TargetOutcome]) -> None:
    """Fail if a target is not as it should be.

    Raises:
        PublishError: every failure is named; a `PartlyPublishedError` if some targets succeeded.
    """
    failed = [each for each in outcomes if not each.succeeded]
    names = target_names([each.plan.target for each in outcomes])
    if failed:
        raise publish_error(
            f"{len(failed)} of {len(outcomes)} targets are not as they should be",
            (
                (name, each.error)
                for name, each in zip(names, outcomes, strict=True)
                if not each.succeeded
            ),
            failed=len(failed),
            total=len(outcomes),
        )
