"""Repair the registry from end to end; `ocelot layers sync` calls it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from pipeline import progress
from pipeline.aws.download import layer_md5, retried_download
from pipeline.aws.layers import LayerVersion, RegionClient
from pipeline.aws.regions import RegionChoice
from pipeline.aws.session import Aws, identified
from pipeline.aws.ssm import RegionParameters
from pipeline.config.distributions import Distribution
from pipeline.errors import Attempt, AwsError, publish_error
from pipeline.registry.registry import Registry
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.sync.observe import observe_region
from pipeline.registry.sync.parameters import ParameterSync, sync_parameters
from pipeline.registry.sync.plan import RegionPlan, Repair, Scope, foreign_rows, region_plan
from pipeline.threads import in_thread, in_threads

# Repairs in one region at a time; each has a thread.
REPAIRS = 8
# Downloads at a time, in all regions; each zip is read once and not kept.
DOWNLOADS = 8
LANE = "sync"


@dataclass(frozen=True, kw_only=True)
class RepairOutcome:
    """The outcome of a repair.

    Attributes:
        error: why the row is not as it should be; empty if it is.
        seconds: duration of the repair.
    """

    repair: Repair
    error: str = ""
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """True if the row is as it should be."""
        return not self.error


@dataclass(frozen=True, kw_only=True)
class SyncResult:
    """The repairs of a run and their outcomes.

    Attributes:
        regions: the plan for each region.
        foreign: foreign rows that may be of these regions.
        skipped: regions that are left out, each with the reason.
        outcomes: of the repairs; empty for a dry run.
        parameters: of the regions that were read; empty if no parameters name the layers.
        dry_run: whether everything was only decided.
    """

    regions: tuple[RegionPlan, ...]
    foreign: tuple[ForeignRow, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    outcomes: tuple[RepairOutcome, ...] = ()
    parameters: tuple[ParameterSync, ...] = ()
    dry_run: bool = False

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The repairs of all regions."""
        return tuple(repair for each in self.regions for repair in each.repairs)

    @property
    def changes(self) -> int:
        """Number of rows and parameters that differ."""
        return len(self.repairs) + sum(len(each.changes) for each in self.parameters)


async def sync(
    choice: RegionChoice,
    aws: Aws,
    registry: Registry,
    distributions: Mapping[str, Distribution],
    *,
    base: str,
    account: str | None = None,
    ssm_prefix: str | None = None,
    dry_run: bool = False,
) -> SyncResult:
    """Repair the registry's rows, and the parameters that name the layers, in all regions at once.

    Args:
        choice: the regions.
        aws: makes the clients.
        registry: the table of rows.
        distributions: the configured ones, by name.
        base: beginning of the layers' names.
        account: the account that it must be; None for any.
        ssm_prefix: of the parameters; None for no parameters.
        dry_run: decide the repairs, but make none.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
    """
    stopped = threading.Event()
    with progress.step(LANE, "look") as step:
        # 1. identity and registry; all rows, before any layer is read
        identity = await identified(aws, choice.regions, choice.partition, account)
        await in_thread(registry.check)
        rows = await in_thread(registry.all)
        scope = Scope(
            account=identity.account, base=base, distributions=distributions, registry=rows
        )
        # 2. in each region: observe, decide, repair
        try:
            context = await _repair_context(choice.regions, aws, registry, stopped, ssm_prefix)
            done = await _all_synced(context, scope, dry_run=dry_run)
        finally:
            stopped.set()
        result = _result(choice, scope, done, dry_run=dry_run)
        step.result = f"{len(choice.regions)} regions, {result.changes} things to do"
    return result


def _result(
    choice: RegionChoice, scope: Scope, done: Sequence[_SyncedRegion], *, dry_run: bool
) -> SyncResult:
    return SyncResult(
        regions=tuple(each.plan for each in done),
        foreign=tuple(foreign_rows(scope, choice.regions)),
        skipped=choice.skipped,
        outcomes=tuple(one for each in done for one in each.outcomes),
        parameters=tuple(each.parameters for each in done if each.parameters),
        dry_run=dry_run,
    )


async def _repair_context(
    regions: Sequence[str],
    aws: Aws,
    registry: Registry,
    stopped: threading.Event,
    ssm_prefix: str | None,
) -> RepairContext:
    clients = await in_threads(
        lambda region: RegionClient(aws, region, stopped), regions, at_once=len(regions)
    )
    prefixed = regions if ssm_prefix else ()
    parameters = await in_threads(
        lambda region: RegionParameters(aws, region, ssm_prefix or "", stopped),
        prefixed,
        at_once=len(regions),
    )
    return RepairContext(
        clients=dict(zip(regions, clients, strict=True)),
        parameters=dict(zip(prefixed, parameters, strict=True)),
        registry=registry,
        downloading=threading.Semaphore(DOWNLOADS),
    )


@dataclass(frozen=True, kw_only=True)
class _SyncedRegion:
    """A region's plan and outcomes; None for no parameters."""

    plan: RegionPlan
    outcomes: Sequence[RepairOutcome]
    parameters: ParameterSync | None = None


async def _all_synced(
    context: RepairContext, scope: Scope, *, dry_run: bool
) -> list[_SyncedRegion]:
    """Return each region's plan and the outcomes of its repairs; all regions run at once."""
    done: dict[str, _SyncedRegion] = {}

    async def synced(client: RegionClient) -> None:
        plan = region_plan(await observe_region(client, scope), scope)
        repairs = () if dry_run else plan.repairs
        repair = partial(apply_repair, context=context)
        outcomes = await in_threads(repair, repairs, at_once=REPAIRS)
        named = None
        if not plan.unseen and (parameters := context.parameters.get(client.region)):
            work = partial(sync_parameters, plan, scope, parameters, client, dry_run=dry_run)
            named = await in_thread(work)
        done[client.region] = _SyncedRegion(plan=plan, outcomes=outcomes, parameters=named)

    async with anyio.create_task_group() as tasks:
        for client in context.clients.values():
            tasks.start_soon(synced, client)
    return [done[region] for region in context.clients]


@dataclass(frozen=True, kw_only=True)
class RepairContext:
    """The values that all repairs of a run share.

    Attributes:
        clients: of the regions, by name.
        parameters: clients for the regions' parameters, by name; empty for no parameters.
        downloading: limits the downloads at a time.
        md5s: filled in, by SHA-256: a zip is downloaded once for all regions.
        locks: one for each SHA-256.
    """

    clients: Mapping[str, RegionClient]
    parameters: Mapping[str, RegionParameters]
    registry: Registry
    downloading: threading.Semaphore
    md5s: dict[str, str] = field(default_factory=dict[str, str])
    locks: defaultdict[str, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock)
    )


def apply_repair(repair: Repair, context: RepairContext) -> RepairOutcome:
    """Make a repair and return its outcome, an error included. It blocks."""
    started = time.monotonic()
    with Attempt() as attempt:
        if not _applied(repair, context):
            raise AwsError(
                "its row has changed since it was read, and was left alone",
                hint="run the same command again",
            )
    return RepairOutcome(repair=repair, error=attempt.error, seconds=time.monotonic() - started)


def _applied(repair: Repair, context: RepairContext) -> bool:
    """Return True if the row is as it should be now; False if it changed since it was read."""
    if repair.after is None:
        return repair.before is None or context.registry.delete(repair.before)
    if repair.before is None:
        return context.registry.add(_with_md5(repair.after, context))
    return context.registry.update(repair.before, repair.after)


def _with_md5(row: Row, context: RepairContext) -> Row:
    """Return a row with the MD5 of its zip, which is downloaded for it."""
    sha256, client = row.code_sha256, context.clients[row.region]

    def find() -> LayerVersion:
        stored = client.version(row.arn.name, row.arn.version)
        if stored is None or stored.sha256 != sha256:
            raise AwsError(f"{row.arn} is gone", hint="run the same command again")
        return stored

    with context.locks[sha256]:
        if sha256 not in context.md5s:
            with context.downloading:
                context.md5s[sha256] = retried_download(find, layer_md5)
    return replace(row, md5_hash=context.md5s[sha256])


def check_synced(result: SyncResult) -> None:
    """Fail if the rows of a region do not match its layers.

    Raises:
        PublishError: every failure is named; a `PartlyPublishedError` if some regions match.
    """
    unseen = {each.region: each.unseen for each in result.regions if each.unseen}
    unnamed = {each.region: each.error for each in result.parameters if each.error}
    failed = {each.repair.arn: each.error for each in result.outcomes if not each.succeeded}
    regions = {*unseen, *unnamed, *(arn.region for arn in failed)}
    if regions:
        count = f"{len(regions)} of {len(result.regions)} regions"
        errors = (*unseen.items(), *failed.items(), *unnamed.items())
        raise publish_error(
            f"the registry or a parameter does not match the layers in {count}",
            ((str(where), error) for where, error in errors),
            failed=len(regions),
            total=len(result.regions),
        )
