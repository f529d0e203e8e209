"""Publishing from end to end: what `ocelot publish`, `release` and their Dagger twins call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import anyio

from pipeline.errors import PartlyPublishedError, PublishError
from pipeline.progress import Progress, Silence
from pipeline.publish.apply import Ledger, Means, Outcome, Record, apply_plan
from pipeline.publish.aws.bucket import RegionBucket
from pipeline.publish.aws.layers import PublishRequest
from pipeline.publish.aws.session import Aws, Identity
from pipeline.publish.journal import Journal
from pipeline.publish.observe import FindRow, Place, observe
from pipeline.publish.package import Package, publish_request
from pipeline.publish.places import identified, opened_places
from pipeline.publish.plan import PublishPlan, Target, TargetKey, TargetPlan, target_plan
from pipeline.publish.recording import Records

# Requests to the table under way at once; each has a thread.
TABLE_REQUESTS = 40
# Uploads under way at once, in all regions.
TRANSFERS = 40
LANE = "publish"
# What stands for the region in a bucket's name.
REGION_WORD = "{region}"


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
        bucket: name of the bucket in each region that takes zips too large for a request, with
            `{region}` in it; empty for none.
        deadline: seconds that a target may take.
    """

    packages: tuple[Package, ...]
    partition: str
    regions: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    public: bool | None = None
    account: str = ""
    bucket: str = ""
    deadline: float = 900.0

    def targets(self) -> list[Target]:
        """Each zip in each region."""
        return [Target(region=r, package=p) for r in self.regions for p in self.packages]


@dataclass(frozen=True, kw_only=True)
class Published:
    """What came of it; no outcomes for a plan alone."""

    plan: PublishPlan
    outcomes: tuple[Outcome, ...] = ()


@dataclass(kw_only=True)
class Publishing:
    """Look, decide, and do what is missing, each target by itself: none waits for another.

    Attributes:
        request: what to publish where.
        aws: who does.
        records: the registry, if there is one.
        journal: the file in which is noted what was begun.
        progress: told of everything.
        dry_run: only decide.
    """

    request: PublishRequested
    aws: Aws
    records: Records | None
    journal: Path
    progress: Progress = field(default_factory=Silence)
    dry_run: bool = False
    plans: dict[TargetKey, TargetPlan] = field(default_factory=dict[TargetKey, TargetPlan])
    ledger: Ledger = field(default_factory=Ledger)

    async def publish(self) -> Published:
        """Do all of it.

        Raises:
            AwsError: no credentials, another account, no registry.
            UsageError: the identity is of another partition.
        """
        self.progress.begin(LANE, "look")
        who = await preflight(self.request, self.aws, self.records)
        table = anyio.CapacityLimiter(TABLE_REQUESTS)
        means = await self._means(who, self.records.recorder(table) if self.records else None)
        look = _look(self.request, means, self.records.finder(table) if self.records else None)

        async def reconcile(target: Target) -> None:
            self.plans[target.key] = plan = await look(target)
            if not self.dry_run:
                await apply_plan(plan, means)

        async with anyio.create_task_group() as tasks:
            for target in self.request.targets():
                tasks.start_soon(reconcile, target)
        done = self.so_far()
        count = len(done.plan.targets)
        self.progress.end(LANE, f"{count} targets, {done.plan.writes} things to do")
        return done

    def so_far(self) -> Published:
        """What is known by now, in the order of regions and zips."""
        keys = [target.key for target in self.request.targets()]
        plans = tuple(self.plans[key] for key in keys if key in self.plans)
        outcomes = tuple(self.ledger.outcomes[key] for key in keys if key in self.ledger.outcomes)
        return Published(
            plan=PublishPlan(targets=plans, skipped=self.request.skipped), outcomes=outcomes
        )

    async def _means(self, who: Identity, record: Record | None) -> Means:
        based = self.records.based_on if self.records else {}
        return Means(
            places=await _places(self.request, self.aws, who.account),
            request=_requests(self.request.packages),
            transfers=anyio.CapacityLimiter(TRANSFERS),
            journal=Journal(path=self.journal),
            progress=self.progress,
            record=record,
            bases=_bases(self.request.targets(), based),
            ledger=self.ledger,
            deadline=self.request.deadline,
        )


def _bases(targets: Sequence[Target], based_on: Mapping[str, str]) -> dict[TargetKey, TargetKey]:
    """The targets that are based on others of the same run, each with that one."""

    def place(target: Target, distribution: str) -> tuple[str, str, str]:
        return (target.region, str(target.package.architecture), distribution)

    by_place = {place(each, each.package.record.distribution): each.key for each in targets}
    return {
        each.key: by_place[wanted]
        for each in targets
        if (base := based_on.get(each.package.record.distribution))
        and (wanted := place(each, base)) in by_place
    }


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
            details=tuple(f"{each.plan.target}: {each.error}" for each in failed),
        )


async def preflight(request: PublishRequested, aws: Aws, records: Records | None) -> Identity:
    """See that we are who we have to be, and that the registry is there.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
    """
    who = await identified(aws, request.regions, request.partition, request.account)
    if records:
        await records.check(anyio.CapacityLimiter(1))
    return who


async def _places(request: PublishRequested, aws: Aws, account: str) -> dict[str, Place]:
    """The regions, with a bucket in each where a zip is large."""
    with_bucket = any(package.is_large for package in request.packages)

    def bucket(region: str) -> RegionBucket:
        return RegionBucket(aws, region, request.bucket.replace(REGION_WORD, region), account)

    return await opened_places(request.regions, aws, bucket if with_bucket else None)


def _requests(packages: Sequence[Package]) -> Callable[[Package], PublishRequest]:
    """Makes each layer's request when it is first wanted, and keeps it for all regions."""
    by_layer = {each.layer: each for each in packages}

    @cache
    def request(layer: str) -> PublishRequest:
        return publish_request(by_layer[layer])

    return lambda package: request(package.layer)
