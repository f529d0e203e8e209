"""Bringing the registry in step from end to end: what `ocelot layers sync` calls."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from pipeline import progress
from pipeline.aws.layers import LayerVersion, RegionClient, fetched, layer_md5
from pipeline.aws.regions import RegionChoice
from pipeline.aws.session import Aws, identified
from pipeline.config.distributions import Distribution
from pipeline.errors import AwsError, PartlyPublishedError, PublishError, error_line
from pipeline.naming import LayerArn, layer_name_parts
from pipeline.registry.registry import Registry
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.sync.plan import (
    NAMELESS,
    Left,
    Look,
    RegionPlan,
    Repair,
    Scope,
    foreign_rows,
    region_plan,
)
from pipeline.threads import in_thread, in_threads

# Requests under way at once in a region; each has a thread.
REGION_REQUESTS = 8
# Repairs under way at once in a region; each has a thread.
REPAIRS = 8
# Downloads under way at once, in all regions; each zip is read once and not kept.
DOWNLOADS = 8
LANE = "sync"
_CHANGED = "its row was changed in the meantime and left alone; run the same command again"


@dataclass(frozen=True, kw_only=True)
class RepairOutcome:
    """What became of a repair.

    Attributes:
        error: why the row is not as it should be; empty if it is.
        seconds: the work took.
    """

    repair: Repair
    error: str = ""
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the row is as it should be."""
        return not self.error


@dataclass(frozen=True, kw_only=True)
class Synced:
    """What the registry needs to be in step, and what came of it.

    Attributes:
        regions: the plan for each.
        foreign: rows that cannot be understood and may be of these regions.
        skipped: regions that are left out, with the reason.
        outcomes: none for a plan alone, or where all was in step.
    """

    regions: tuple[RegionPlan, ...]
    foreign: tuple[ForeignRow, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    outcomes: tuple[RepairOutcome, ...] = ()

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """Those of all regions."""
        return tuple(repair for each in self.regions for repair in each.repairs)


async def sync(
    choice: RegionChoice,
    aws: Aws,
    registry: Registry,
    distributions: Mapping[str, Distribution],
    *,
    base: str,
    account: str = "",
    deadline: float = 3600.0,
    dry_run: bool = False,
) -> Synced:
    """Look at all regions side by side, and repair the rows of each as soon as it was seen.

    The rows are read before the layers are looked at: a version that has a row by then and is not
    there afterwards is gone, since its number is never used again.

    Args:
        choice: the regions to look at.
        aws: whose layers.
        registry: the table of rows.
        distributions: the configured ones, by name.
        base: what the layers' names begin with.
        account: the account that it must be; empty for whichever it is.
        deadline: seconds that the look at a region may take; it takes a tenth for each layer
            version, at the pace that AWS allows.
        dry_run: only decide.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
    """
    stopped = threading.Event()
    with progress.step(LANE, "look") as step:
        who = await identified(aws, choice.regions, choice.partition, account)
        await in_thread(registry.check)
        scope = Scope(
            account=who.account,
            base=base,
            distributions=distributions,
            registry=await in_thread(registry.all),
        )
        try:
            context = await _repair_context(choice.regions, aws, registry, stopped)
            done = await _all_synced(context, scope, deadline, dry_run=dry_run)
        finally:
            stopped.set()
        synced = Synced(
            regions=tuple(plan for plan, _ in done),
            foreign=tuple(foreign_rows(scope, choice.regions)),
            skipped=choice.skipped,
            outcomes=tuple(each for _, outcomes in done for each in outcomes),
        )
        step.result = f"{len(choice.regions)} regions, {len(synced.repairs)} things to do"
    return synced


async def _repair_context(
    regions: Sequence[str], aws: Aws, registry: Registry, stopped: threading.Event
) -> RepairContext:
    clients = await in_threads(
        lambda region: RegionClient(aws, region, stopped), regions, at_once=len(regions)
    )
    return RepairContext(
        clients=dict(zip(regions, clients, strict=True)),
        registry=registry,
        downloading=threading.Semaphore(DOWNLOADS),
    )


async def _all_synced(
    context: RepairContext, scope: Scope, deadline: float, *, dry_run: bool
) -> list[tuple[RegionPlan, list[RepairOutcome]]]:
    """Return each region's plan and what became of its repairs; all regions go at once."""
    done: dict[str, tuple[RegionPlan, list[RepairOutcome]]] = {}

    async def one(client: RegionClient) -> None:
        plan = region_plan(await observe_region(client, scope, deadline), scope)
        repairs = () if dry_run else plan.repairs
        repair = partial(apply_repair, context=context)
        done[client.region] = plan, await in_threads(repair, repairs, at_once=REPAIRS)

    async with anyio.create_task_group() as tasks:
        for client in context.clients.values():
            tasks.start_soon(one, client)
    return [done[region] for region in context.clients]


async def observe_region(client: RegionClient, scope: Scope, deadline: float) -> Look:
    """Return what there is in a region; where any of it cannot be seen, nothing of it counts.

    Args:
        client: of the region, which is the lane of progress.
        scope: whose layers are meant.
        deadline: seconds that it may take.
    """
    region = client.region
    with progress.step(region, "look") as step:
        try:
            with anyio.fail_after(deadline):
                look = await _Looking(client=client, scope=scope).all()
        except TimeoutError:
            look = Look(region=region, unseen=f"not seen within {deadline:.0f} seconds")
        except Exception as error:  # noqa: BLE001  a bug is to hold up no other region either
            look = Look(region=region, unseen=error_line(error))
        step.result = look.unseen or f"{len(look.versions)} layer versions"
    return look


@dataclass(kw_only=True)
class _Looking:
    """The look at one region, under way."""

    client: RegionClient
    scope: Scope
    left: list[Left] = field(default_factory=list[Left])
    done: int = 0

    async def all(self) -> Look:
        rows = {row.arn: row for row in self.scope.rows(self.client.region)}
        names = self._known(await in_thread(self.client.names), {arn.name for arn in rows})
        listed = await in_threads(self.client.versions, names, at_once=REGION_REQUESTS)
        found = [each for versions in listed for each in versions]
        see = partial(self._seen, recorded=frozenset(rows), count=len(found))
        seen = await in_threads(see, found, at_once=REGION_REQUESTS)
        present = {each.arn for each in found}
        missing = [row for arn, row in rows.items() if arn not in present]
        gone = await in_threads(self._gone, missing, at_once=REGION_REQUESTS)
        return Look(
            region=self.client.region,
            versions=tuple(each for each in seen if each),
            gone=frozenset(arn for arn in gone if arn),
            left=tuple(self.left),
        )

    def _known(self, names: Iterable[str], recorded: set[str]) -> list[str]:
        """Return the names that begin as they should and say what the layer is, or have rows."""
        known: list[str] = []
        for name in sorted({each for each in names if each.startswith(f"{self.scope.base}-")}):
            if name in recorded or layer_name_parts(name, self.scope.base, self.scope.names):
                known.append(name)
            else:
                self.left.append(Left(what=name, reason=NAMELESS))
        return known

    def _seen(
        self, version: LayerVersion, recorded: frozenset[LayerArn], count: int
    ) -> LayerVersion | None:
        """Return a version with what has to be known of it; None for one that went meanwhile."""
        arn = version.arn
        if arn not in recorded and version.described and str(arn) not in self.scope.foreign:
            stored = self.client.version(arn.name, arn.version)
            if stored is None:
                return None
            version = stored
        if arn in recorded or (version.sha256 and version.sha256 == version.described):
            statements = self.client.public_statements(arn.name, arn.version)
            version = replace(version, public=bool(statements))
        self.done += 1
        progress.line(arn.region, f"{self.done} of {count} layer versions")
        return version

    def _gone(self, row: Row) -> str:
        """Return the ARN of a row whose layer version is not listed and not there; else nothing."""
        if self.client.version(row.arn.name, row.arn.version) is None:
            return str(row.arn)
        reason = "AWS does not list it, but has it: it may be very new"
        self.left.append(Left(what=str(row.arn), reason=reason))
        return ""


@dataclass(frozen=True, kw_only=True)
class RepairContext:
    """What the repairs of a run share.

    Attributes:
        clients: of the regions, by name.
        downloading: limits the downloads under way.
        md5s: filled in, by SHA-256: a zip is downloaded once for all regions.
        locks: one for each SHA-256.
    """

    clients: Mapping[str, RegionClient]
    registry: Registry
    downloading: threading.Semaphore
    md5s: dict[str, str] = field(default_factory=dict[str, str])
    locks: defaultdict[str, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock)
    )


def apply_repair(repair: Repair, context: RepairContext) -> RepairOutcome:
    """Do a repair; it ends as an outcome, whatever happens. It blocks."""
    started, error = time.monotonic(), ""
    try:
        if not _applied(repair, context):
            error = _CHANGED
    except Exception as failure:  # noqa: BLE001  a bug is to hold up no other repair either
        error = error_line(failure)
    return RepairOutcome(repair=repair, error=error, seconds=time.monotonic() - started)


def _applied(repair: Repair, context: RepairContext) -> bool:
    """Return whether the row is as it should be now; where it is not, it was changed meanwhile."""
    if repair.wanted is None:
        return repair.seen is None or context.registry.delete(repair.seen)
    if repair.seen is None:
        return context.registry.add(_with_md5(repair.wanted, context))
    return context.registry.amend(repair.seen, repair.wanted)


def _with_md5(row: Row, context: RepairContext) -> Row:
    """Return a row with the MD5 that other tools know its zip by."""
    sha256, client = row.code_sha256, context.clients[row.region]

    def look() -> LayerVersion:
        stored = client.version(row.arn.name, row.arn.version)
        if stored is None or stored.sha256 != sha256:
            raise AwsError(f"{row.arn} is gone", hint="run the same command again")
        return stored

    with context.locks[sha256]:
        if sha256 not in context.md5s:
            with context.downloading:
                context.md5s[sha256] = fetched(look, layer_md5)
    return replace(row, md5_hash=context.md5s[sha256])


def check_synced(synced: Synced) -> None:
    """Fail where the registry is not in step with a region.

    Raises:
        PublishError: with every failure; it tells whether no region is in step, or only some.
    """
    failed = [each for each in synced.outcomes if not each.succeeded]
    unseen = [each for each in synced.regions if each.unseen]
    amiss = {each.region for each in unseen} | {each.repair.arn.region for each in failed}
    if amiss:
        kind = PartlyPublishedError if len(amiss) < len(synced.regions) else PublishError
        raise kind(
            f"the registry is not in step with {len(amiss)} of {len(synced.regions)} regions",
            hint="run the same command again: what is done is not done twice",
            details=(
                *(f"{each.region}: {each.unseen}" for each in unseen),
                *(f"{each.repair.arn}: {each.error}" for each in failed),
            ),
        )
