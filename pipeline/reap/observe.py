"""Observe one region: the publisher's layer versions, and who uses them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import anyio

from pipeline import progress
from pipeline.aws.functions import FunctionVersion, RegionFunctions
from pipeline.aws.layers import RegionClient
from pipeline.aws.ssm import Parameter, RegionParameters
from pipeline.errors import Attempt, counted
from pipeline.naming import LayerNameParts, layer_name_parts, named_arns
from pipeline.reap.plan import RegionUse
from pipeline.reap.request import ReapRequest
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.rows import Rows
from pipeline.registry.sync.plan import NO_DISTRIBUTION, LeftAlone
from pipeline.registry.tombstone import Tombstone
from pipeline.threads import in_thread, in_threads

# Requests at a time; each has a thread.
REQUESTS = 8
# Limit for one region. A page of layer versions or functions takes about 0.1 seconds, at the pace
# that AWS allows.
SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class ReapScope:
    """The publisher's layers, and their rows.

    Attributes:
        partition: of the layers, such as `aws`.
        account: of the layers.
        base: beginning of the layers' names.
        distributions: names of those that a layer may be of.
        recorded: all rows and tombstones by ARN.
    """

    partition: str
    account: str
    base: str
    distributions: frozenset[str]
    recorded: Mapping[str, Row | ForeignRow | Tombstone] = field(
        default_factory=dict[str, Row | ForeignRow | Tombstone]
    )

    def prefix(self, region: str) -> str:
        """Return the beginning of the ARNs of the publisher's layers in a region."""
        return f"arn:{self.partition}:lambda:{region}:{self.account}:layer:{self.base}-"

    def parts(self, name: str) -> LayerNameParts | None:
        """Return the parts of a layer's name; None if it contains no known distribution."""
        return layer_name_parts(name, self.base, self.distributions)


def recorded_by_arn(rows: Rows) -> dict[str, Row | ForeignRow | Tombstone]:
    """Return rows and tombstones by the ARN of their layer version."""
    return {
        **{each.key: each for each in rows.foreign},
        **{str(each.arn): each for each in (*rows.rows, *rows.tombstones)},
    }


async def observe_use(
    client: RegionClient,
    functions: RegionFunctions,
    parameters: RegionParameters | None,
    scope: ReapScope,
    request: ReapRequest,
) -> RegionUse:
    """Return a region's layer versions and who uses them; unseen if any of it cannot be read.

    Args:
        client: of the region, which is the lane of progress.
        functions: of the same region.
        parameters: of the same region; None for none.
        scope: the publisher's layers, and all rows.
        request: says which layers' versions are read.
    """
    with progress.step(client.region, "look") as step:
        with Attempt() as attempt, anyio.move_on_after(SECONDS):
            use = await _use(client, functions, parameters, scope, request)
            step.result = counted(len(use.versions), "layer version")
            return use
        step.result = attempt.error or f"not read within {SECONDS:.0f} seconds"
    return RegionUse(region=client.region, unseen=step.result)


async def _use(
    client: RegionClient,
    functions: RegionFunctions,
    parameters: RegionParameters | None,
    scope: ReapScope,
    request: ReapRequest,
) -> RegionUse:
    region, prefix = client.region, scope.prefix(client.region)
    # the users are read last, when all layer versions are listed
    names = await in_thread(client.names)
    own = sorted({each for each in names if each.startswith(f"{scope.base}-")})
    parts = {name: scope.parts(name) for name in own}
    read = {name: each for name, each in parts.items() if each and request.reads(name, each)}
    listed = await in_threads(client.versions, tuple(read), at_once=REQUESTS)
    named = await in_thread(parameters.below) if parameters else {}
    using = await in_thread(partial(functions.using, prefix))
    return RegionUse(
        region=region,
        versions=tuple(each for versions in listed for each in versions),
        parts=read,
        recorded={arn: row for arn, row in scope.recorded.items() if arn.startswith(prefix)},
        functions=function_users(using.functions),
        parameters=parameter_users(named.values()),
        left=tuple(
            LeftAlone(what=name, reason=NO_DISTRIBUTION) for name in own if parts[name] is None
        ),
    )


def function_users(functions: Iterable[FunctionVersion]) -> dict[str, tuple[str, ...]]:
    """Return functions, such as `checkout:7`, by the ARN of each layer version that they use."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for function in functions:
        for arn in function.layers:
            users[arn].add(str(function))
    return {arn: tuple(sorted(each)) for arn, each in users.items()}


def parameter_users(parameters: Iterable[Parameter]) -> dict[str, tuple[str, ...]]:
    """Return the names of parameters by the ARN of each layer version in their values."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for parameter in parameters:
        for arn in named_arns(parameter.value):
            users[arn].add(parameter.name)
    return {arn: tuple(sorted(each)) for arn, each in users.items()}
