"""Deleting old layer versions by an approved plan, in this process or by the command line."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from aws_server import ACCOUNT
from publishing import HOME, IRELAND, LAYER, Publishing
from reap_examples import requested
from reaping import DISTRIBUTIONS, layer_arn, plan_of
from runs import CONFIG, OCELOT, environment
from syncing import publish_by_hand, synced

from pipeline.aws.regions import RegionChoice
from pipeline.aws.session import default_aws
from pipeline.errors import PublishError
from pipeline.naming import layer_arn as parsed
from pipeline.options import TABLE
from pipeline.reap.apply import VersionResult
from pipeline.reap.plan import ReapPlan
from pipeline.reap.planning import ReapSources
from pipeline.reap.run import Approval, ReapResult, reap
from pipeline.reap.tombstones import FolderTombstones
from pipeline.registry.registry import Registry
from pipeline.registry.row import Row
from pipeline.registry.tombstone import Tombstone

PREFIX = "/ocel"
AMD = f"{PREFIX}/minimal/amd64"
LATEST, VERSION = f"{AMD}/latest", f"{AMD}/0.155.0"
DELETE = "DeleteLayerVersion"


def history(
    publishing: Publishing,
    number: int,
    layer: str = LAYER,
    regions: Sequence[str] = (IRELAND,),
    *,
    rows: bool = True,
) -> None:
    """Publish so many versions of a layer, each with another content, and record them."""
    for region in regions:
        for each in range(number):
            publish_by_hand(publishing, region, layer, epoch=1_750_000_000 + 100 * each)
    if rows:
        assert all(each.succeeded for each in synced(publishing, regions=regions).outcomes)
    publishing.aws.forget()


def approved(plan: ReapPlan, *, shown: bool = False) -> Approval:
    """The approval of a plan."""
    return Approval(number=len(plan.deletions), digest=plan.digest, plan=plan if shown else None)


@dataclass(kw_only=True)
class Reaper:
    """A reaper of the publisher's layers.

    Attributes:
        changed: attributes of its requests that differ from those of `requested`.
        table: whether there is a registry.
        config: folder of ocelot.lock; None for one without a lock.
    """

    publishing: Publishing
    changed: dict[str, Any] = field(default_factory=dict[str, Any])
    table: bool = True
    config: Path | None = None

    @property
    def folder(self) -> FolderTombstones:
        return FolderTombstones(self.publishing.folder / "tombstones")

    def plan(self) -> ReapPlan:
        return plan_of(self.publishing, table=self.table, config=self.config, **self.changed)

    def reap(self, approval: Approval | None = None) -> ReapResult:
        """Delete what was approved, by default the plan of now; return also failures."""
        approval = approval or approved(self.plan())
        aws = default_aws()
        choice = RegionChoice(partition="aws", regions=tuple(self.publishing.regions))
        sources = ReapSources(
            aws=aws,
            registry=Registry(aws, TABLE, HOME) if self.table else None,
            distributions=DISTRIBUTIONS,
            config=self.config or self.publishing.folder,
        )
        request = requested(**{"choice": choice, **self.changed})
        done: list[ReapResult] = []
        with contextlib.suppress(PublishError):
            anyio.run(partial(reap, request, sources, approval, done.append, self.folder))
        (result,) = done
        return result


def results(result: ReapResult) -> dict[str, str]:
    """Return the results by ARN; a failed or kept one with the reason."""
    return {
        each.arn: f"{each.result}: {each.why}" if each.why else str(each.result)
        for each in result.outcomes
    }


def all_deleted(arns: Iterable[str]) -> dict[str, str]:
    """Return the results of layer versions that were all deleted."""
    return dict.fromkeys(arns, VersionResult.DELETED.value)


def exists(publishing: Publishing, arn: str) -> bool:
    """True if a layer version exists."""
    parts = parsed(arn)
    client = publishing.client(parts.region)
    try:
        client.get_layer_version(LayerName=parts.name, VersionNumber=parts.version)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def numbers(publishing: Publishing, layer: str = LAYER, region: str = IRELAND) -> list[int]:
    """Return the numbers of a layer's versions, the oldest first."""
    listed = publishing.client(region).list_layer_versions(LayerName=layer)["LayerVersions"]
    return sorted(each["Version"] for each in listed)


def tombstone_of(publishing: Publishing, arn: str) -> Tombstone | None:
    """Return the tombstone of a layer version in the registry."""
    found = publishing.registry().row(parsed(arn))
    return found if isinstance(found, Tombstone) else None


def name_by_parameter(
    publishing: Publishing, name: str, arn: str, region: str = IRELAND, kind: str = "String"
) -> None:
    """Have a parameter name a layer version, without ocelot."""
    client = publishing.aws.client("ssm", region)
    client.put_parameter(Name=name, Value=arn, Type=kind, Overwrite=True)


def named(publishing: Publishing, region: str = IRELAND) -> dict[str, str]:
    """Return the values of all parameters below the prefix, by name."""
    pages = publishing.aws.client("ssm", region).get_paginator("get_parameters_by_path")
    return {
        each["Name"]: each["Value"]
        for page in pages.paginate(Path=PREFIX, Recursive=True)
        for each in page["Parameters"]
    }


def check_consistent(publishing: Publishing, regions: Sequence[str] = (IRELAND,)) -> None:
    """Check that no parameter names a deleted layer version, and no row is of one."""
    publishing.aws.rules()
    for region in regions:
        for name, arn in named(publishing, region).items():
            assert exists(publishing, arn), (name, arn)
    for row in publishing.registry().all().rows:
        assert isinstance(row, Row)
        assert exists(publishing, str(row.arn)), row.arn


def start_reap(
    publishing: Publishing, *more: str | Path, cache: str = "cache"
) -> subprocess.Popen[str]:
    """Start the command line; another cache stands for another machine."""
    process = subprocess.Popen(
        [str(OCELOT), "reap", *map(str, more), *_options(publishing)],
        env=environment(publishing.folder / cache, publishing.aws.environment()),
        cwd=publishing.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    publishing.started.append(process)
    return process


def apply_options(approval: Approval) -> list[str]:
    """Return the options of the command line that delete what was approved."""
    given = ["--yes-delete", str(approval.number), "--plan", approval.digest]
    return ["ocel-*", "--keep", "0", "--apply", "--account", ACCOUNT, *given]


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no pauses between the requests of this process."""
    monkeypatch.setattr("pipeline.aws.layers.SPACING_SECONDS", 0.001)
    monkeypatch.setattr("pipeline.aws.ssm.READ_SPACING_SECONDS", 0.001)
    monkeypatch.setattr("pipeline.aws.ssm.WRITE_SPACING_SECONDS", 0.001)


def _options(publishing: Publishing) -> list[str]:
    return ["--regions", ",".join(publishing.regions), "--config", str(CONFIG)]


def json_results(text: str) -> dict[str, str]:
    """Return the results by ARN of a run with --json."""
    return {each["layer_arn"]: each["result"] for each in json.loads(text)["outcomes"]}


def arns(*numbers: int, layer: str = LAYER, region: str = IRELAND) -> list[str]:
    return [layer_arn(each, layer, region) for each in numbers]
