"""An AWS with a registry, two small zips, and publishing in this process or in one of its own."""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import signal
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from aws_rules import Call, Hook
from aws_server import ACCOUNT
from botocore.retries.standard import ExponentialBackoff
from faulty_proxy import FaultyProxy
from publish_examples import GROUP, OPTIONS, dist
from runs import CONFIG, OCELOT, Ran, environment, run_ocelot

from pipeline.aws import download
from pipeline.aws.policy import EVERYONE, read_policy
from pipeline.aws.session import Aws, default_aws
from pipeline.config.folder import Config, load_config
from pipeline.errors import PublishError
from pipeline.naming import LayerArn, layer_arn
from pipeline.options import TABLE
from pipeline.publish import observe, reconcile, run
from pipeline.publish.package import Package, read_packages
from pipeline.publish.request import PublishRequest
from pipeline.publish.run import PublishResult
from pipeline.registry.registry import Registry
from pipeline.registry.row import Row
from pipeline.registry.table import definition

IRELAND, FRANCE, OHIO = "eu-west-1", "eu-west-3", "us-east-2"
REGIONS = (IRELAND, FRANCE, OHIO)
HOME = "us-east-1"  # of the table
WRITES = ("PublishLayerVersion", "AddLayerVersionPermission", "UpdateItem")
LAYER = "ocel-amd64-minimal-0_155_0-beta"


@dataclass(frozen=True)
class TargetState:
    """The state of a target: versions of its content, public statements, row."""

    versions: tuple[int, ...]
    statements: tuple[str, ...]
    row: Row | None


@dataclass(kw_only=True)
class Publishing:
    """A publisher and its AWS.

    Attributes:
        folder: of zips and cache.
        regions: to publish in.
    """

    aws: FaultyProxy
    folder: Path
    regions: Sequence[str] = REGIONS
    who: Aws | None = None
    started: list[subprocess.Popen[str]] = field(default_factory=list[Any])

    @property
    def zips(self) -> Path:
        return self.folder / "dist"

    def packages(self, group: str = GROUP) -> tuple[Package, ...]:
        return read_packages(OPTIONS, group, [self.zips])

    def client(self, region: str = IRELAND) -> Any:  # noqa: ANN401
        return self.aws.client("lambda", region)

    def make_table(self) -> None:
        self.aws.client("dynamodb", HOME).create_table(**definition(TABLE))

    def registry(self) -> Registry:
        return Registry(default_aws(), TABLE, HOME)

    def publish(self, *, public: bool | None = True, **more: Any) -> PublishResult:  # noqa: ANN401
        """Publish in this process, and return the result, failed targets included."""
        who = self.who or default_aws()
        dry_run = more.pop("dry_run", False)
        config: Config = more.pop("config", None) or load_config(CONFIG)
        group: str = more.pop("release_group", GROUP)
        packages = more.pop("packages", None) or self.packages(group)
        request = PublishRequest(
            packages=packages,
            release_group=group,
            partition="aws",
            regions=tuple(self.regions),
            public=public,
            based_on={name: each.base for name, each in config.distributions.items() if each.base},
            **more,
        )
        done: list[PublishResult] = []
        registry = Registry(who, TABLE, HOME)
        work = partial(run.publish, request, who, registry, done.append, dry_run=dry_run)
        with contextlib.suppress(PublishError):
            anyio.run(work)
        return done[0]

    def command(self, *more: str | Path) -> list[str | Path]:
        regions = ",".join(self.regions)
        # without the bench: the zips contain no programs
        own = ["--config", CONFIG, "--no-bench"]
        group = [] if "--release-group" in more else ["--release-group", GROUP]
        return ["publish", self.zips, "--regions", regions, *own, *group, *more]

    def ocelot(self, *more: str | Path, env: dict[str, str] | None = None) -> Ran:
        """Publish by the command line."""
        return run_ocelot(
            *self.command(*more),
            cache=self.folder / "cache",
            env={**self.aws.environment(), **(env or {})},
            cwd=self.folder,
        )

    def start(self, *more: str, cache: str = "cache") -> subprocess.Popen[str]:
        """Start the command line; another cache stands for another machine."""
        process = subprocess.Popen(
            [str(OCELOT), *map(str, self.command("--public", *more))],
            env=environment(self.folder / cache, self.aws.environment()),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def state(self, region: str, package: Package) -> TargetState:
        """Return the state of a target."""
        client = self.client(region)
        listed = client.list_layer_versions(LayerName=package.layer)["LayerVersions"]
        same = [
            each["Version"]
            for each in reversed(listed)
            if content_of(client, package.layer, each["Version"]) == package.sha256
        ]
        if not same:
            return TargetState((), (), None)
        policy = read_policy(policy_of(client, package.layer, same[0]))
        statements = tuple(each.id for each in policy.statements if EVERYONE in each.grantees)
        row = self.registry().row(version_arn(region, package.layer, same[0]))
        return TargetState(tuple(same), statements, row if isinstance(row, Row) else None)

    def check_every_target_exists_once(self, *, regions: Sequence[str] = ()) -> None:
        """Check that each target has one version of its content, one statement and its row."""
        self.aws.rules()
        for region in regions or self.regions:
            for package in self.packages():
                state = self.state(region, package)
                assert len(state.versions) == 1, (region, package.layer, state)
                assert state.statements == ("publish",), (region, package.layer, state)
                assert state.row is not None, (region, package.layer)
                assert (state.row.code_sha256, state.row.public) == (package.sha256, True)

    def writes(self) -> list[Call]:
        """Return the writing calls since the record was begun."""
        return self.aws.calls(writing=True)


def version_arn(region: str, layer: str, version: int) -> LayerArn:
    return layer_arn(f"arn:aws:lambda:{region}:{ACCOUNT}:layer:{layer}:{version}")


def content_of(client: Any, layer: str, version: int) -> str:  # noqa: ANN401
    """Return the SHA-256 of a layer version, in hex."""
    answer = client.get_layer_version(LayerName=layer, VersionNumber=version)
    return base64.b64decode(answer["Content"]["CodeSha256"]).hex()


def policy_of(client: Any, layer: str, version: int) -> str:  # noqa: ANN401
    try:
        return client.get_layer_version_policy(LayerName=layer, VersionNumber=version)["Policy"]
    except client.exceptions.ResourceNotFoundException:
        return ""


def no_pause(*_: object) -> float:
    """Return botocore's pause before a retry, in tests."""
    return 0.01


def prepared(
    aws: FaultyProxy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Publishing]:
    """A publisher and an AWS with an empty registry, in this process too; without long pauses."""
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OCELOT_CACHE", str(folder / "cache"))
    github = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", *github):
        monkeypatch.delenv(name, raising=False)
    for each in (download, reconcile):
        monkeypatch.setattr(each, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(observe, "SEARCH_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", no_pause)
    dist(folder / "dist")
    publishing = Publishing(aws=aws, folder=folder)
    publishing.make_table()
    aws.forget()
    yield publishing
    for process in publishing.started:
        process.kill()
        process.communicate()


def kills(process: list[subprocess.Popen[str]], number: signal.Signals) -> Hook:
    """Return a hook that signals a process and waits for its end; only its first call does so."""
    once = threading.Lock()

    def kill(_call: Call) -> None:
        if once.acquire(blocking=False):
            process[0].send_signal(number)
            process[0].wait(60)

    return kill


@contextmanager
def without_garbage_collection() -> Generator[None]:
    """Switch off garbage collection, which would delay both sides by a quarter of a second."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def most_in_a_second(calls: Sequence[Call]) -> int:
    """Return the largest number of calls in any second."""
    starts = sorted(call.start for call in calls)
    return max(
        (sum(at <= other < at + 1 for other in starts) for at in starts),
        default=0,
    )


def with_other_content(row: Row) -> Row:
    """Return the row with another content."""
    return replace(row, code_sha256="b" * 64)


def json_targets(ran: Ran) -> dict[str, Any]:
    """Return the targets of a run with --json, by region and architecture."""
    found = json.loads(ran.out)
    return {f"{each['region']} {each['architecture']}": each for each in found["targets"]}
