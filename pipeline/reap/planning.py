"""Plan what is deleted: the identity and the rows once, then all regions at once."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from pipeline import progress
from pipeline.aws.functions import RegionFunctions
from pipeline.aws.layers import RegionClient
from pipeline.aws.session import Aws, Identity, identified
from pipeline.aws.ssm import RegionParameters
from pipeline.errors import counted, publish_error
from pipeline.reap.notes import plan_notes
from pipeline.reap.observe import ReapScope, observe_use, recorded_by_arn
from pipeline.reap.plan import ReapPlan, RegionUse, region_reap
from pipeline.reap.references import References, ReleasedLayers, gathered_references
from pipeline.reap.request import ReapRequest
from pipeline.registry.registry import Registry
from pipeline.registry.rows import Rows
from pipeline.threads import in_thread, in_threads

LANE = "reap"


@dataclass(frozen=True, kw_only=True)
class RegionDoors:
    """The clients of a region.

    Attributes:
        functions: share the pace of `layers`.
        parameters: None if none name the layers.
    """

    layers: RegionClient
    functions: RegionFunctions
    parameters: RegionParameters | None = None


@dataclass(frozen=True, kw_only=True)
class ReapSources:
    """The sources of facts about layer versions, besides the regions.

    Attributes:
        aws: makes the clients.
        registry: None for none.
        distributions: names of the configured ones.
        config: folder of ocelot.lock.
        keep_files: files that name layer versions.
        released: reads the releases on GitHub; None for none.
    """

    aws: Aws
    registry: Registry | None
    distributions: Collection[str]
    config: Path
    keep_files: Sequence[Path] = ()
    released: ReleasedLayers | None = None


@dataclass(frozen=True, kw_only=True)
class ReapContext:
    """The values that planning and deleting share.

    Attributes:
        identity: of the credentials.
        sources: of facts about layer versions.
        regions: clients by region, in the order of the options.
        references: the layer versions that are named outside of AWS.
    """

    identity: Identity
    sources: ReapSources
    regions: Mapping[str, RegionDoors]
    references: References


@asynccontextmanager
async def opened_context(request: ReapRequest, sources: ReapSources) -> AsyncGenerator[ReapContext]:
    """Open the context of a run: references, identity, clients; none sends a request afterwards.

    Raises:
        AwsError: no credentials, another account, no registry.
        UsageError: the identity is of another partition; a file names no layer version.
        LockError: ocelot.lock cannot be read.
        GitHubError: the releases cannot be read.
    """
    stopped = threading.Event()
    choice, registry = request.choice, sources.registry
    with progress.step(LANE, "read what is kept") as step:
        references = await gathered_references(sources.config, sources.keep_files, sources.released)
        identity = await identified(sources.aws, choice.regions, choice.partition, request.account)
        if registry:
            await in_thread(registry.check)
        step.result = f"account {identity.account}"

    def doors(region: str) -> RegionDoors:
        layers = RegionClient(sources.aws, region, stopped)
        prefix = request.ssm_prefix
        return RegionDoors(
            layers=layers,
            functions=RegionFunctions(layers),
            parameters=RegionParameters(sources.aws, region, prefix, stopped) if prefix else None,
        )

    made = await in_threads(doors, choice.regions, at_once=len(choice.regions))
    try:
        yield ReapContext(
            identity=identity,
            sources=sources,
            regions=dict(zip(choice.regions, made, strict=True)),
            references=references,
        )
    finally:
        stopped.set()


async def reap_scope(context: ReapContext, request: ReapRequest) -> ReapScope:
    """Return the publisher's layers, and all rows and tombstones as they are now.

    Raises:
        AwsError: the registry cannot be read.
    """
    sources = context.sources
    rows = await in_thread(sources.registry.all) if sources.registry else Rows(rows=())
    recorded = (*rows.rows, *(each.row for each in rows.tombstones))
    named = {each.distribution for each in recorded}
    return ReapScope(
        partition=request.choice.partition,
        account=context.identity.account,
        base=request.base,
        distributions=frozenset({*sources.distributions, *request.distributions, *named}),
        recorded=recorded_by_arn(rows),
    )


async def observed_regions(
    context: ReapContext, scope: ReapScope, request: ReapRequest
) -> tuple[RegionUse, ...]:
    """Return the layer versions of all regions, and who uses them; all are read at once."""
    found: dict[str, RegionUse] = {}

    async def observe(region: str, doors: RegionDoors) -> None:
        found[region] = await observe_use(
            doors.layers, doors.functions, doors.parameters, scope, request
        )

    async with anyio.create_task_group() as tasks:
        for region, doors in context.regions.items():
            tasks.start_soon(observe, region, doors)
    return tuple(found[region] for region in context.regions)


async def plan(context: ReapContext, request: ReapRequest, scope: ReapScope) -> ReapPlan:
    """Read all regions, and decide what is deleted."""
    with progress.step(LANE, "plan") as step:
        uses = await observed_regions(context, scope, request)
        regions = tuple(region_reap(each, request, context.references) for each in uses)
        has_registry = context.sources.registry is not None
        made = ReapPlan(
            regions=regions,
            account=context.identity.account,
            skipped=request.choice.skipped,
            notes=tuple(
                plan_notes(regions, request, context.references, has_registry=has_registry)
            ),
        )
        step.result = f"{counted(len(made.deletions), 'layer version')} to delete"
    return made


async def planned(request: ReapRequest, sources: ReapSources) -> ReapPlan:
    """Return the plan of a request, and change nothing.

    Raises:
        OcelotError: see `opened_context` and `plan`.
    """
    async with opened_context(request, sources) as context:
        return await plan(context, request, await reap_scope(context, request))


def check_planned(made: ReapPlan) -> None:
    """Fail if no region could be read.

    Raises:
        PublishError: every region's error is named.
    """
    count = len(made.unseen)
    if count == len(made.regions):
        message = f"none of {count} regions could be read"
        raise publish_error(message, made.unseen, failed=count, total=count)
