"""Examples of functions that use layers."""

from __future__ import annotations

from typing import Any

from registry_examples import ACCOUNT, arn

from pipeline.aws.functions import LATEST, FunctionAlias, FunctionVersion
from pipeline.naming import LayerArn
from pipeline.usage.plan import (
    LayersSeen,
    RegionFunctionsSeen,
    RegionUsage,
    UsageScope,
    region_usage,
)

REGION = "eu-west-1"
OTHER = f"arn:aws:lambda:{REGION}:210987654321:layer:tracing:4"
SCOPE = UsageScope(
    partition="aws",
    account=ACCOUNT,
    base="ocel",
    distributions=frozenset({"minimal", "derived"}),
)


def plain(name: str, version: int) -> LayerArn:
    """A version of a layer without known parts in its name."""
    return LayerArn(
        partition="aws", region=REGION, account=ACCOUNT, name=f"ocel-{name}", version=version
    )


def function(
    *layers: LayerArn | str, name: str = "checkout", version: str = LATEST
) -> FunctionVersion:
    """A function version with these layers."""
    return FunctionVersion(
        arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
        version=version,
        layers=tuple(map(str, layers)),
        revision="r1",
    )


def layers(*versions: LayerArn) -> LayersSeen:
    """The layer versions of the region."""
    return LayersSeen(scope=SCOPE, region=REGION, versions=frozenset(versions))


def usage(
    *functions: FunctionVersion,
    versions: tuple[LayerArn, ...] = (arn(version=7), arn(version=8)),
    aliases: dict[str, tuple[FunctionAlias, ...]] | None = None,
) -> RegionUsage:
    """The uses of a region; aliases by the function's name."""
    own = {each.arn: (aliases or {}).get(each.name, ()) for each in functions}
    return region_usage(
        RegionFunctionsSeen(
            region=REGION, functions=functions, aliases=own, layers=layers(*versions)
        )
    )


def alias(name: str, version: str, **weights: float) -> FunctionAlias:
    """An alias; weights as `v2=0.1`."""
    pairs: Any = tuple((each.removeprefix("v"), share) for each, share in weights.items())
    return FunctionAlias(name=name, version=version, weights=pairs)
