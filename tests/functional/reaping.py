"""Plans to delete old layer versions, in this process or by the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import anyio
from aws_server import ACCOUNT
from publishing import HOME, IRELAND, LAYER, Publishing
from reap_examples import requested
from runs import CONFIG, Ran, run_ocelot
from syncing import publish_by_hand

from pipeline.aws.regions import RegionChoice
from pipeline.aws.session import default_aws
from pipeline.options import TABLE
from pipeline.reap.plan import ReapPlan, RegionReap
from pipeline.reap.planning import ReapSources, planned
from pipeline.reap.references import ReleasedLayers
from pipeline.registry.registry import Registry

FULL = LAYER.replace("minimal", "full")
DISTRIBUTIONS = ("minimal", "full")


def layer_arn(number: int, layer: str = LAYER, region: str = IRELAND) -> str:
    return f"arn:aws:lambda:{region}:{ACCOUNT}:layer:{layer}:{number}"


def publish_versions(
    publishing: Publishing, number: int, layer: str = LAYER, regions: Sequence[str] = (IRELAND,)
) -> None:
    """Publish so many versions of a layer, without rows; the newest one has the highest number."""
    for region in regions:
        for _ in range(number):
            publish_by_hand(publishing, region, layer)
    publishing.aws.forget()


def plan_of(
    publishing: Publishing,
    *,
    config: Path | None = None,
    keep_files: Sequence[Path] = (),
    released: ReleasedLayers | None = None,
    table: bool = True,
    **changed: Any,  # noqa: ANN401
) -> ReapPlan:
    """Return the plan for the publisher's regions, made in this process; by default keep 0."""
    aws = default_aws()
    choice = RegionChoice(partition="aws", regions=tuple(publishing.regions))
    sources = ReapSources(
        aws=aws,
        registry=Registry(aws, TABLE, HOME) if table else None,
        distributions=DISTRIBUTIONS,
        config=config or publishing.folder,
        keep_files=keep_files,
        released=released,
    )
    return anyio.run(planned, requested(**{"choice": choice, **changed}), sources)


def ocelot_reap(
    publishing: Publishing, *more: str | Path, env: dict[str, str] | None = None
) -> Ran:
    """Run the command line."""
    regions = [] if "--regions" in more else ["--regions", ",".join(publishing.regions)]
    config = [] if "--config" in more else ["--config", CONFIG]
    return run_ocelot(
        *("reap", *more, *regions, *config),
        cache=publishing.folder / "cache",
        env={**publishing.aws.environment(), **(env or {})},
        cwd=publishing.folder,
    )


def deleted(plan: ReapPlan) -> list[str]:
    return sorted(str(each.version.arn) for each in plan.deletions)


def region(plan: ReapPlan, name: str) -> RegionReap:
    return next(each for each in plan.regions if each.region == name)


def reasons(plan: ReapPlan) -> dict[str, list[str]]:
    """Return the texts of the reasons to keep each layer version, by ARN."""
    return {
        str(one.version.arn): [each.text for each in one.reasons]
        for each in plan.regions
        for one in each.versions
    }


def json_versions(ran: Ran) -> dict[str, Any]:
    """Return the layer versions of a run with --json, by ARN."""
    regions: Iterable[Any] = json.loads(ran.out)["regions"]
    return {one["layer_arn"]: one for each in regions for one in each["versions"]}
