"""Syncing the registry, in this process or by the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio
from publish_examples import content
from publishing import FRANCE, HOME, IRELAND, LAYER, REGIONS, Publishing
from runs import CONFIG, Ran, run_ocelot

from pipeline.aws.regions import RegionChoice
from pipeline.aws.session import default_aws
from pipeline.config.folder import load_config
from pipeline.naming import layer_arn, layer_description
from pipeline.options import TABLE
from pipeline.registry.registry import Registry
from pipeline.registry.row import Row
from pipeline.registry.sync import run
from pipeline.registry.sync.run import SyncResult

ARN = "arn:aws:lambda:{}:123456789012:layer:{}:{}"
ARN_IRELAND = ARN.format(IRELAND, LAYER, 1)
ARN_FRANCE = ARN.format(FRANCE, LAYER, 1)


def synced(publishing: Publishing, *, regions: Sequence[str] = REGIONS, **more: Any) -> SyncResult:  # noqa: ANN401
    """Sync the registry in this process."""
    who = publishing.who or default_aws()
    choice = RegionChoice(partition=more.pop("partition", "aws"), regions=tuple(regions))
    registry, known = Registry(who, TABLE, HOME), load_config(CONFIG).distributions
    return anyio.run(partial(run.sync, choice, who, registry, known, base="ocel", **more))


def ocelot_sync(publishing: Publishing, *more: str) -> Ran:
    """Sync the registry by the command line."""
    regions = ",".join(publishing.regions)
    return run_ocelot(
        *("layers", "sync", "--regions", regions, "--config", CONFIG, *more),
        cache=publishing.folder / "cache",
        env=publishing.aws.environment(),
        cwd=publishing.folder,
    )


def nothing_to_do(publishing: Publishing, **more: Any) -> bool:  # noqa: ANN401
    """True if a run finds nothing to do, and writes nothing."""
    publishing.aws.rules()
    publishing.aws.forget()
    done = synced(publishing, **more)
    return done.repairs == () == done.outcomes and publishing.writes() == []


def publish_by_hand(
    publishing: Publishing, region: str, layer: str, *, described: str | None = None, epoch: int = 0
) -> tuple[str, bytes]:
    """Publish a layer version without ocelot; return its ARN and zip.

    Its description names its content, unless `described` is another text.
    """
    zipped = content(epoch=epoch or 1_750_000_000)
    true = layer_description("by hand", hashlib.sha256(zipped).hexdigest())
    answer = publishing.client(region).publish_layer_version(
        LayerName=layer,
        Content={"ZipFile": zipped},
        Description=true if described is None else described,
        CompatibleArchitectures=["x86_64"],
        CompatibleRuntimes=["python3.13"],
    )
    return answer["LayerVersionArn"], zipped


def row_of(publishing: Publishing, arn: str) -> Row | None:
    """Return the row of a layer version."""
    found = publishing.registry().row(layer_arn(arn))
    return found if isinstance(found, Row) else None


def item_of(publishing: Publishing, arn: str) -> dict[str, Any]:
    """Return a row as it is in the table."""
    answer = publishing.aws.client("dynamodb", HOME).get_item(
        TableName=TABLE, Key={"layer_arn": {"S": arn}}
    )
    return answer.get("Item", {})


def store(publishing: Publishing, item: Any) -> None:  # noqa: ANN401
    """Write an item without ocelot."""
    publishing.aws.client("dynamodb", HOME).put_item(TableName=TABLE, Item=item)


def drop(publishing: Publishing, arn: str) -> None:
    """Delete a row without ocelot."""
    publishing.aws.client("dynamodb", HOME).delete_item(
        TableName=TABLE, Key={"layer_arn": {"S": arn}}
    )


def unpublish(publishing: Publishing, arn: str) -> None:
    """Delete a layer version without ocelot."""
    parts = layer_arn(arn)
    publishing.client(parts.region).delete_layer_version(
        LayerName=parts.name, VersionNumber=parts.version
    )


def actions(done: SyncResult) -> list[tuple[str, str]]:
    """Return the repairs: layer version and action."""
    return [(str(each.arn), each.action.value) for each in done.repairs]


def left(done: SyncResult) -> dict[str, str]:
    """Return the layers and layer versions that were left alone, with the reasons."""
    return {one.what: one.reason for each in done.regions for one in each.left}


def json_regions(ran: Ran) -> dict[str, Any]:
    """Return the regions of a run with --json."""
    return {each["region"]: each for each in json.loads(ran.out)["regions"]}
