"""Bringing the registry in step from end to end: what `ocelot layers sync` calls."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import anyio

from pipeline import progress
from pipeline.errors import PartlyPublishedError, PublishError
from pipeline.model import Distribution
from pipeline.publish.aws.layers import RegionClient
from pipeline.publish.aws.registry import Registry
from pipeline.publish.aws.session import Aws
from pipeline.publish.run import identified
from pipeline.publish.sync.apply import RepairContext, RepairOutcome, apply_repair
from pipeline.publish.sync.observe import observe_region
from pipeline.publish.sync.plan import RegionPlan, Scope, SyncPlan, foreign_rows, region_plan
from pipeline.threads import in_thread, in_threads

# Repairs under way at once in a region; each has a thread.
REPAIRS = 8
# Downloads under way at once, in all regions; each zip is read once and not kept.
DOWNLOADS = 8
LANE = "sync"


@dataclass(frozen=True, kw_only=True)
class SyncRequest:
    """What a user asks for.

    Attributes:
        base: what the layers' names begin with.
        partition: of the regions; the identity must be of it.
        regions: which to look at.
        skipped: regions that are left out, with the reason.
        account: the account that it must be; empty for whichever it is.
        deadline: seconds that the look at a region may take; it takes a tenth for each layer
            version, at the pace that AWS allows.
    """

    base: str
    partition: str
    regions: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    account: str = ""
    deadline: float = 3600.0


@dataclass(frozen=True, kw_only=True)
class Synced:
    """What came of it; no outcomes for a plan alone, or where all was in step."""

    plan: SyncPlan
    outcomes: tuple[RepairOutcome, ...] = ()


async def sync(
    request: SyncRequest,
    aws: Aws,
    registry: Registry,
    distributions: Mapping[str, Distribution],
    *,
    dry_run: bool = False,
) -> Synced:
    """Look at all regions side by side, and repair the rows of each as soon as it was seen.

    The rows are read before the layers are looked at: a version that has a row by then and is not
    there afterwards is gone, since its number is never used again.

    Args:
        request: which layers in which regions.
        aws: whose layers.
        registry: the table of rows.
        distributions: the configured ones, by name.
        dry_run: only decide.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
    """
    stopped = threading.Event()
    with progress.step(LANE, "look") as step:
        who = await identified(aws, request.regions, request.partition, request.account)
        await in_thread(registry.check)
        scope = Scope(
            account=who.account,
            base=request.base,
            distributions=distributions,
            registry=await in_thread(registry.all),
        )
        try:
            done = await _all_synced(request, aws, scope, registry, stopped, dry_run=dry_run)
        finally:
            stopped.set()
        plan = SyncPlan(
            regions=tuple(plan for plan, _ in done),
            foreign=tuple(foreign_rows(scope, request.regions)),
            skipped=request.skipped,
        )
        step.result = f"{len(request.regions)} regions, {len(plan.repairs)} things to do"
    return Synced(plan=plan, outcomes=tuple(each for _, outcomes in done for each in outcomes))


async def _all_synced(
    request: SyncRequest,
    aws: Aws,
    scope: Scope,
    registry: Registry,
    stopped: threading.Event,
    *,
    dry_run: bool,
) -> list[tuple[RegionPlan, list[RepairOutcome]]]:
    """Return each region's plan and what became of its repairs; all regions go at once."""
    made = await in_threads(
        lambda region: RegionClient(aws, region, stopped),
        request.regions,
        at_once=len(request.regions),
    )
    context = RepairContext(
        clients=dict(zip(request.regions, made, strict=True)),
        registry=registry,
        downloading=threading.Semaphore(DOWNLOADS),
    )
    done: dict[str, tuple[RegionPlan, list[RepairOutcome]]] = {}

    async def one(client: RegionClient) -> None:
        look = await observe_region(client, scope, request.deadline)
        plan = region_plan(look, scope)
        repairs = () if dry_run else plan.repairs
        repair = partial(apply_repair, context=context)
        done[client.region] = plan, await in_threads(repair, repairs, at_once=REPAIRS)

    async with anyio.create_task_group() as tasks:
        for client in made:
            tasks.start_soon(one, client)
    return [done[region] for region in request.regions]


def check_synced(synced: Synced) -> None:
    """Fail where the registry is not in step with a region.

    Raises:
        PublishError: with every failure; it tells whether no region is in step, or only some.
    """
    failures = [
        *(f"{each.region}: {each.unseen}" for each in synced.plan.regions if each.unseen),
        *(f"{each.repair.arn}: {each.error}" for each in synced.outcomes if not each.succeeded),
    ]
    amiss = amiss_regions(synced)
    if amiss:
        kind = PartlyPublishedError if len(amiss) < len(synced.plan.regions) else PublishError
        raise kind(
            f"the registry is not in step with {len(amiss)} of {len(synced.plan.regions)} regions",
            hint="run the same command again: what is done is not done twice",
            details=tuple(failures),
        )


def amiss_regions(synced: Synced) -> Sequence[str]:
    """The regions that were not seen, or of which a repair failed."""
    failed = {each.repair.arn.region for each in synced.outcomes if not each.succeeded}
    return [each.region for each in synced.plan.regions if each.unseen or each.region in failed]
