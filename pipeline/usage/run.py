"""Which functions use which layer versions, in all regions at once; and functions moved."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio

from pipeline import progress
from pipeline.aws.layers import RegionClient
from pipeline.aws.regions import RegionChoice
from pipeline.aws.session import Aws, identified
from pipeline.errors import counted, publish_error
from pipeline.registry.registry import Registry
from pipeline.registry.rows import Rows
from pipeline.threads import in_thread, in_threads
from pipeline.usage.observe import observe_region
from pipeline.usage.plan import FunctionUse, RegionUsage, Selection, UsageScope
from pipeline.usage.update import MoveOutcome, move_function

LANE = "usage"
# Functions that are moved at a time in a region; AWS takes seconds for each.
MOVES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedLayers:
    """The registry's layer versions in these regions.

    Attributes:
        versions: number of all of them.
        shared: number of those that are public or shared with other accounts.
    """

    versions: int
    shared: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageResult:
    """The functions that use the publisher's layers, and what was done with them.

    Attributes:
        base: beginning of the layers' names.
        skipped: regions in quarantine, each with the reason.
        shared: by the registry; None if there is none.
        selection: the functions that are to be moved; None if none was named.
        outcomes: of those that were moved; empty for a dry run.
    """

    base: str
    regions: tuple[RegionUsage, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    shared: SharedLayers | None = None
    selection: Selection | None = None
    outcomes: tuple[MoveOutcome, ...] = ()

    @property
    def uses(self) -> tuple[FunctionUse, ...]:
        """The uses of all regions."""
        return tuple(use for each in self.regions for use in each.uses)


async def used(
    choice: RegionChoice,
    aws: Aws,
    registry: Registry | None,
    distributions: Collection[str],
    *,
    base: str,
    account: str | None = None,
) -> UsageResult:
    """Return which functions use which layer versions, of all regions at once.

    Args:
        choice: the regions.
        aws: makes the clients.
        registry: its rows' distributions count, too; None for none.
        distributions: names of the configured ones.
        base: beginning of the layers' names.
        account: the account that it must be; None for any.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition.
    """
    stopped = threading.Event()
    with progress.step(LANE, "look") as step:
        # 1. identity and registry
        identity = await identified(aws, choice.regions, choice.partition, account)
        rows = await in_thread(registry.all) if registry else Rows(rows=())
        scope = UsageScope(
            partition=identity.partition,
            account=identity.account,
            base=base,
            distributions=_distributions(rows).union(distributions),
        )
        # 2. in each region: observe and decide
        try:
            regions = await _all_observed(choice.regions, aws, scope, stopped)
        finally:
            stopped.set()
        result = UsageResult(
            base=base,
            regions=regions,
            skipped=choice.skipped,
            shared=_shared(rows, scope, choice.regions) if registry else None,
        )
        found = counted(len(result.uses), "function version")
        step.result = f"{found} in {counted(len(regions), 'region')}"
    return result


def _distributions(rows: Rows) -> frozenset[str]:
    """Return the distributions of layer versions, deleted ones included."""
    return frozenset(
        (
            *(row.distribution for row in rows.rows),
            *(each.row.distribution for each in rows.tombstones),
        )
    )


def _shared(rows: Rows, scope: UsageScope, regions: Collection[str]) -> SharedLayers:
    own = [row for row in rows.rows if row.region in regions and scope.covers(row.arn)]
    shared = [row for row in own if row.public or row.shared_with]
    return SharedLayers(versions=len(own), shared=len(shared))


async def _clients(
    regions: Sequence[str], aws: Aws, stopped: threading.Event
) -> Mapping[str, RegionClient]:
    made = await in_threads(
        lambda region: RegionClient(aws, region, stopped), regions, at_once=len(regions)
    )
    return dict(zip(regions, made, strict=True))


async def _all_observed(
    regions: Sequence[str], aws: Aws, scope: UsageScope, stopped: threading.Event
) -> tuple[RegionUsage, ...]:
    """Return the uses of each region; all regions are observed at once."""
    done: dict[str, RegionUsage] = {}

    async def observed(client: RegionClient) -> None:
        done[client.region] = await observe_region(client, scope)

    clients = await _clients(regions, aws, stopped)
    async with anyio.create_task_group() as tasks:
        for client in clients.values():
            tasks.start_soon(observed, client)
    return tuple(done[region] for region in regions)


async def update(result: UsageResult, aws: Aws) -> UsageResult:
    """Move the selected functions, all regions at once, and return the result with the outcomes."""
    moves = result.selection.moves if result.selection else ()
    if not moves:
        return result
    layers = {each.region: each.layers for each in result.regions if each.layers}
    regions = list(dict.fromkeys(each.region for each in moves))
    done: dict[str, MoveOutcome] = {}
    stopped = threading.Event()

    async def moved(client: RegionClient) -> None:
        own = [each for each in moves if each.region == client.region]

        def move(use: FunctionUse) -> None:
            done[use.function.arn] = move_function(use, client, layers[client.region])
            progress.line(client.region, f"{len(done)} of {len(moves)} functions")

        with progress.step(client.region, "move") as step:
            await in_threads(move, own, at_once=MOVES)
            failed = sum(not done[each.function.arn].succeeded for each in own)
            count = f"{len(own) - failed} of {len(own)} functions moved"
            step.result = f"{count}, {failed} failed" if failed else count

    try:
        clients = await _clients(regions, aws, stopped)
        async with anyio.create_task_group() as tasks:
            for client in clients.values():
                tasks.start_soon(moved, client)
    finally:
        stopped.set()
    return replace(result, outcomes=tuple(done[each.function.arn] for each in moves))


def check_used(result: UsageResult) -> None:
    """Fail if a region could not be read, or a function was not moved.

    Raises:
        PublishError: every failure is named; a `PartlyPublishedError` if others succeeded.
    """
    unseen = [(each.region, each.unseen) for each in result.regions if each.unseen]
    failed = [(each.use.function.arn, each.error) for each in result.outcomes if each.error]
    if not unseen and not failed:
        return
    counts: list[str] = []
    if unseen:
        counts.append(f"{len(unseen)} of {len(result.regions)} regions could not be read")
    if failed:
        counts.append(f"{len(failed)} of {len(result.outcomes)} functions were not moved")
    read = len(result.regions) - len(unseen)
    raise publish_error(
        ", and ".join(counts),
        (*unseen, *failed),
        failed=len(unseen) + len(failed),
        total=len(unseen) + (len(result.outcomes) or read),
    )
