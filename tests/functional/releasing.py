"""A fork that releases layers: a GitHub, an AWS whose role trusts it, and a release made once."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actions_runner import JobRan
from aws_mended import Trust
from aws_server import ACCOUNT, MotoServer
from faulty_proxy import FaultyProxy
from github import REPOSITORY, GitHub, github
from publishing import FRANCE, HOME, IRELAND

from pipeline.defaults import TABLE
from pipeline.publish.table import definition

NAME = "release-layers.yml"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/publisher"
INPUTS = {"distribution": "minimal", "upstream-repo": "sample"}
CONFIG = {"regions.yaml": f"sets:\n  default: [{IRELAND}, {FRANCE}]\n"}
ZIPS = ["collector-amd64-minimal.zip", "collector-arm64-minimal.zip"]

Jobs = Mapping[str, JobRan]


@dataclass(frozen=True, kw_only=True)
class Released:
    """A release of both architectures to two regions, made public.

    Attributes:
        layers: the layers that AWS has then, by region.
        rows: what the registry says that the bench found, by ARN.
    """

    forge: GitHub
    jobs: Jobs
    layers: Mapping[str, list[str]]
    rows: Mapping[str, str]


@contextmanager
def fork(folder: Path, aws: FaultyProxy, **config: str) -> Generator[GitHub]:
    """A fork that was set up as its guide says."""
    aws.mended.trusts = [Trust(subject=f"repo:{REPOSITORY}:environment:publish", role=ROLE)]
    there = {k: v for k, v in aws.environment().items() if "KEY" not in k and "REGION" not in k}
    with github(folder, config={**CONFIG, **config}, environment=there) as made:
        made.runner.secrets = {"AWS_ROLE_TO_ASSUME": ROLE, "DYNAMODB_TABLE_NAME": TABLE}
        made.runner.variables = {"DYNAMODB_TABLE_REGION": HOME}
        yield made


@contextmanager
def release(folder: Path, moto: MotoServer) -> Generator[Released]:
    """Press the button once; what AWS has then is kept, since its next user empties it."""
    moto.reset()
    with FaultyProxy(moto) as aws, fork(folder, aws) as forge:
        aws.client("dynamodb", HOME).create_table(**definition(TABLE))
        jobs = forge.runner.run(NAME, {**INPUTS, "set-to-public": True})
        layers = {
            region: [each["LayerName"] for each in _listed(aws, region)]
            for region in (IRELAND, FRANCE)
        }
        yield Released(forge=forge, jobs=jobs, layers=layers, rows=rows_of(aws))


def _listed(aws: FaultyProxy, region: str) -> list[dict[str, Any]]:
    return aws.client("lambda", region).list_layers()["Layers"]


def rows_of(aws: FaultyProxy) -> dict[str, str]:
    """What the registry says that the bench found, by ARN."""
    found = aws.client("dynamodb", HOME).scan(TableName=TABLE)["Items"]
    return {row["layer_arn"]["S"]: row["benched"]["S"] for row in found}


def results(jobs: Jobs) -> dict[str, str]:
    """What became of each job."""
    return {name: ran.result for name, ran in jobs.items()}


def logs(jobs: Jobs) -> str:
    """All that the jobs' pages show."""
    return "\n".join(ran.log for ran in jobs.values())


def targets(ran: JobRan) -> list[dict[str, Any]]:
    """What the publishing job reports."""
    return json.loads((ran.workspace / "published" / "publish.json").read_text())["targets"]
