"""Observe one region: the functions that use the publisher's layers, and the layers' versions."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from pipeline import progress
from pipeline.aws.functions import FunctionAlias, FunctionVersion, RegionFunctions
from pipeline.aws.layers import RegionClient
from pipeline.errors import Attempt, counted
from pipeline.naming import LayerArn
from pipeline.threads import in_thread, in_threads
from pipeline.usage.plan import (
    LayersSeen,
    RegionFunctionsSeen,
    RegionUsage,
    UsageScope,
    names_to_list,
    region_usage,
)

# Requests at a time; each has a thread.
REQUESTS = 8
# Limit for one region. A function takes about 0.1 seconds, at the pace that AWS allows.
SECONDS = 3600.0


async def observe_region(client: RegionClient, scope: UsageScope) -> RegionUsage:
    """Return the uses in a region; if anything cannot be read, the region counts as unseen.

    Args:
        client: of the region, which is the lane of progress.
        scope: the publisher's layers.
    """
    with progress.step(client.region, "look") as step:
        with Attempt() as attempt, anyio.move_on_after(SECONDS):
            usage = region_usage(await _seen(client, scope))
            step.result = counted(len(usage.uses), "function version")
            return usage
        step.result = attempt.error or f"not read within {SECONDS:.0f} seconds"
    return RegionUsage(region=client.region, unseen=step.result)


async def _seen(client: RegionClient, scope: UsageScope) -> RegionFunctionsSeen:
    functions = RegionFunctions(client)
    seen = await in_thread(lambda: functions.using(scope.prefix(client.region)))
    arns = list(dict.fromkeys(each.arn for each in seen.functions))
    aliases = await _aliases(functions, arns)
    return RegionFunctionsSeen(
        region=client.region,
        functions=seen.functions,
        aliases=dict(zip(arns, aliases, strict=True)),
        layers=await _layers(client, scope, seen.functions),
    )


async def _aliases(
    functions: RegionFunctions, arns: Sequence[str]
) -> list[tuple[FunctionAlias, ...]]:
    """Return the aliases of each function."""
    done: list[str] = []

    def read(arn: str) -> tuple[FunctionAlias, ...]:
        found = functions.aliases(arn)
        done.append(arn)
        progress.line(functions.region, f"aliases of {len(done)} of {len(arns)} functions")
        return found

    return await in_threads(read, arns, at_once=REQUESTS)


async def _layers(
    client: RegionClient, scope: UsageScope, functions: Sequence[FunctionVersion]
) -> LayersSeen:
    """Return the versions of the layers that functions use, and those that may be newer."""
    layers = (arn for each in functions for arn in each.layers)
    used = sorted(scope.own(layers, client.region), key=str)
    known: frozenset[LayerArn] = frozenset()
    if used:
        names = names_to_list(await in_thread(client.names), {each.name for each in used}, scope)
        listed = await in_threads(client.versions, names, at_once=REQUESTS)
        known = frozenset(each.arn for versions in listed for each in versions)
    unlisted = [each for each in used if each not in known]
    existing = await in_threads(lambda arn: stored(client, arn), unlisted, at_once=REQUESTS)
    seen = LayersSeen(scope=scope, region=client.region, versions=known)
    return seen.with_versions(arn for arns in existing for arn in arns)


def stored(client: RegionClient, arn: LayerArn) -> tuple[LayerArn, ...]:
    """Return a layer version that AWS returns, though it may not list it yet; empty for none."""
    return (arn,) if client.version(arn.name, arn.version) else ()
