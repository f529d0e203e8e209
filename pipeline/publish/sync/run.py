"""Bringing the registry in step from end to end: what `ocelot layers sync` calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import anyio

from pipeline.errors import PartlyPublishedError, PublishError
from pipeline.progress import Progress
from pipeline.publish.aws.session import Aws
from pipeline.publish.concurrency import all_of
from pipeline.publish.places import identified, opened_places
from pipeline.publish.recording import Records
from pipeline.publish.run import TABLE_REQUESTS
from pipeline.publish.sync.apply import Means, Outcome, apply_repair
from pipeline.publish.sync.observe import observe_region
from pipeline.publish.sync.plan import RegionPlan, Scope, SyncPlan, region_plan, told_foreign

# Downloads under way at once, in all regions; each zip is read once and not kept.
DOWNLOADS = 8
LANE = "sync"


@dataclass(frozen=True, kw_only=True)
class SyncRequested:
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
    outcomes: tuple[Outcome, ...] = ()


async def sync(
    request: SyncRequested, aws: Aws, records: Records, *, progress: Progress, dry_run: bool = False
) -> Synced:
    """Look at all regions side by side, and repair the rows of each as soon as it was seen.

    The rows are read before the layers are looked at: a version that has a row by then and is not
    there afterwards is gone, since its number is never used again.

    Args:
        request: which layers in which regions.
        aws: who asks.
        records: the registry.
        progress: told of everything; each region is a lane.
        dry_run: only decide.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
    """
    progress.begin(LANE, "look")
    who = await identified(aws, request.regions, request.partition, request.account)
    table = anyio.CapacityLimiter(TABLE_REQUESTS)
    await records.check(table)
    scope = Scope(
        account=who.account,
        base=request.base,
        distributions=records.config.distributions,
        registry=await records.asked(records.registry.all, table),
    )
    means = Means(
        places=await opened_places(request.regions, aws),
        records=records,
        table=table,
        transfers=anyio.CapacityLimiter(DOWNLOADS),
    )

    async def reconcile(region: str) -> tuple[RegionPlan, list[Outcome]]:
        look = await observe_region(means.places[region], scope, progress, request.deadline)
        plan = region_plan(look, scope)
        repairs = () if dry_run else plan.repairs
        return plan, await all_of(repairs, partial(apply_repair, means=means))

    done = await all_of(request.regions, reconcile)
    plan = SyncPlan(
        regions=tuple(plan for plan, _ in done),
        foreign=tuple(told_foreign(scope, request.regions)),
        skipped=request.skipped,
    )
    progress.end(LANE, f"{len(request.regions)} regions, {len(plan.repairs)} things to do")
    return Synced(plan=plan, outcomes=tuple(each for _, outcomes in done for each in outcomes))


def check_synced(synced: Synced) -> None:
    """Fail where the registry is not in step with a region.

    Raises:
        PublishError: with every failure; it tells whether no region is in step, or only some.
    """
    failures = [
        *(f"{each.region}: {each.unseen}" for each in synced.plan.regions if each.unseen),
        *(f"{each.repair.arn}: {each.error}" for each in synced.outcomes if not each.well),
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
    failed = {each.repair.arn.region for each in synced.outcomes if not each.well}
    return [each.region for each in synced.plan.regions if each.unseen or each.region in failed]
