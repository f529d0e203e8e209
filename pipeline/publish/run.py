"""Publishing from end to end: what `ocelot publish` and its Dagger twin call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import anyio

from pipeline.errors import PartlyPublishedError, PublishError
from pipeline.progress import Progress
from pipeline.publish.apply import Means, Outcome, apply_plan
from pipeline.publish.aws.layers import PublishRequest
from pipeline.publish.aws.session import Aws
from pipeline.publish.journal import Journal
from pipeline.publish.observe import FindRow, observe
from pipeline.publish.package import Package, publish_request
from pipeline.publish.places import identified, opened_places
from pipeline.publish.plan import PublishPlan, Target, TargetPlan, target_plan
from pipeline.publish.recording import Records

# Requests to the table under way at once; each has a thread.
TABLE_REQUESTS = 40
# Uploads under way at once, in all regions.
TRANSFERS = 40
LANE = "publish"


@dataclass(frozen=True, kw_only=True)
class PublishRequested:
    """What a user asks for.

    Attributes:
        packages: the zips.
        partition: of the regions; the identity must be of it.
        regions: where to.
        skipped: regions that are left out, with the reason.
        public: whether everybody is to use the layers; None to leave that as it is.
        account: the account that it must be; empty for whichever it is.
        deadline: seconds that a target may take.
    """

    packages: tuple[Package, ...]
    partition: str
    regions: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    public: bool | None = None
    account: str = ""
    deadline: float = 900.0


@dataclass(frozen=True, kw_only=True)
class Published:
    """What came of it; no outcomes for a plan alone."""

    plan: PublishPlan
    outcomes: tuple[Outcome, ...] = ()


async def publish(
    request: PublishRequested,
    aws: Aws,
    records: Records | None,
    *,
    journal: Path,
    progress: Progress,
    dry_run: bool = False,
) -> Published:
    """Look, decide, and do what is missing, each target by itself: none waits for another.

    Args:
        request: what to publish where.
        aws: who does.
        records: the registry, if there is one.
        journal: the file in which is noted what was begun.
        progress: told of everything.
        dry_run: only decide.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
    """
    progress.begin(LANE, "look")
    await identified(aws, request.regions, request.partition, request.account)
    table = anyio.CapacityLimiter(TABLE_REQUESTS)
    if records:
        await records.check(table)
    means = Means(
        places=await opened_places(request.regions, aws),
        requests=_requests(request.packages),
        transfers=anyio.CapacityLimiter(TRANSFERS),
        journal=Journal(path=journal),
        progress=progress,
        record=records.recorder(table) if records else None,
        deadline=request.deadline,
    )
    look = _look(request, means, records.finder(table) if records else None)
    plans: dict[tuple[str, str], TargetPlan] = {}
    outcomes: dict[tuple[str, str], Outcome] = {}

    async def reconcile(target: Target) -> None:
        plans[target.key] = plan = await look(target)
        if not dry_run:
            outcomes[target.key] = await apply_plan(plan, means)

    targets = [Target(region=r, package=p) for r in request.regions for p in request.packages]
    async with anyio.create_task_group() as tasks:
        for target in targets:
            tasks.start_soon(reconcile, target)
    ordered = tuple(plans[each.key] for each in targets)
    plan = PublishPlan(targets=ordered, skipped=request.skipped)
    progress.end(LANE, f"{len(targets)} targets, {plan.writes} things to do")
    return Published(
        plan=plan, outcomes=tuple(outcomes[each.key] for each in targets if each.key in outcomes)
    )


def _look(
    request: PublishRequested, means: Means, find_row: FindRow | None
) -> Callable[[Target], Awaitable[TargetPlan]]:
    """What sees a target and decides what is to be done for it."""
    unanswered = {(region, layer) for region, layer, _ in means.journal.unanswered()}

    async def look(target: Target) -> TargetPlan:
        place, patient = means.places[target.region], target.key in unanswered
        seen = await observe(target, place, find_row, patient=patient)
        registry = find_row is not None
        return target_plan(target, seen, public=request.public, registry=registry)

    return look


def check_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Fail where a target is not as it should be.

    Raises:
        PublishError: with every failure; it tells whether nothing was done, or only a part.
    """
    failed = [each for each in outcomes if not each.well]
    if failed:
        kind = PartlyPublishedError if len(failed) < len(outcomes) else PublishError
        raise kind(
            f"{len(failed)} of {len(outcomes)} targets are not as they should be",
            hint="run the same command again: what is done is not done twice",
            details=tuple(
                f"{each.plan.target.region} {each.plan.target.package.architecture}: {each.error}"
                for each in failed
            ),
        )


def _requests(packages: Sequence[Package]) -> Callable[[str], PublishRequest]:
    """Makes each layer's request when it is first wanted, and keeps it for all regions."""
    by_layer = {each.layer: each for each in packages}

    @cache
    def request(layer: str) -> PublishRequest:
        return publish_request(by_layer[layer])

    return request
