"""Examples of layer versions, their users and requests for reaping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from registry_examples import PUBLISHED, arn

from pipeline.aws.layers import LayerVersion
from pipeline.aws.regions import RegionChoice
from pipeline.naming import layer_description, layer_name_parts
from pipeline.reap.plan import RegionUse
from pipeline.reap.request import ReapRequest
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.sync.plan import LeftAlone
from pipeline.registry.tombstone import Tombstone

REGION = "eu-west-1"
DISTRIBUTIONS = frozenset({"minimal", "full"})
NOW = PUBLISHED + timedelta(days=100)
REQUEST = ReapRequest(
    pattern="ocel-*",
    base="ocel",
    choice=RegionChoice(partition="aws", regions=(REGION,)),
    account=None,
    distributions=frozenset(),
    release_group="",
    older_than=None,
    keep=0,
    across_versions=False,
    forced=frozenset(),
    ssm_prefix=None,
    now=NOW,
)


def requested(**changed: Any) -> ReapRequest:  # noqa: ANN401
    """A request for all layers, of which only the newest versions are kept."""
    return replace(REQUEST, **changed)


def listed(
    number: int,
    distribution: str = "minimal",
    *,
    collector: str = "v0.158.0",
    group: str = "beta",
    created: datetime | None = PUBLISHED,
    sha256: str = "",
) -> LayerVersion:
    """A layer version as a list has it: a SHA-256 only in its description."""
    return LayerVersion(
        arn=arn(distribution, collector=collector, group=group, version=number),
        description=layer_description("an example", sha256) if sha256 else "an example",
        created=created,
    )


def in_use(
    *versions: LayerVersion,
    functions: Mapping[LayerVersion, Sequence[str]] | None = None,
    parameters: Mapping[LayerVersion, Sequence[str]] | None = None,
    recorded: Sequence[Row | ForeignRow | Tombstone] = (),
    left: Sequence[str] = (),
) -> RegionUse:
    """The layer versions of the region, and who uses them."""
    names = {each.arn.name for each in versions}
    parts = {name: layer_name_parts(name, "ocel", DISTRIBUTIONS) for name in names}
    return RegionUse(
        region=REGION,
        versions=versions,
        parts={name: each for name, each in parts.items() if each},
        recorded={
            each.key if isinstance(each, ForeignRow) else str(each.arn): each for each in recorded
        },
        functions={str(each.arn): tuple(users) for each, users in (functions or {}).items()},
        parameters={str(each.arn): tuple(names) for each, names in (parameters or {}).items()},
        left=tuple(LeftAlone(what=name, reason="unknown") for name in left),
    )
