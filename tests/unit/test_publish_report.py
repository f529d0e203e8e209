"""The report of publishing in all its shapes: as a table, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from markdown_reader import markup, tables
from report_examples import shown
from syrupy.assertion import SnapshotAssertion
from unit_examples import layer

from pipeline.aws.layers import LayerVersion
from pipeline.aws.policy import EVERYONE, NO_POLICY, LayerPolicy, LayerStatement, granting
from pipeline.aws.session import lambda_regions
from pipeline.errors import PublishError
from pipeline.layer.manifest import Layer
from pipeline.naming import Architecture, layer_arn, layer_name
from pipeline.publish.package import Package
from pipeline.publish.plan import PublishStep, Target, TargetPlan
from pipeline.publish.published import published_rows, read_publish_record
from pipeline.publish.reconcile import TargetOutcome
from pipeline.publish.run import PublishResult, check_outcomes
from pipeline.report.publish import publish_json, publish_report
from pipeline.report.summary import report_markdown

PUBLISH, RECORD, SHARE = PublishStep.PUBLISH, PublishStep.RECORD, PublishStep.SHARE
PUBLIC = LayerPolicy((granting(EVERYONE),))
ORG, DEV = "org:o-a1b2c3d4e5", "account:210987654321"
SHARED = LayerPolicy((granting(DEV), granting(ORG)))
REGIONS = ("eu-west-1", "us-east-1")
NOT_ENABLED = (
    "list the layer's versions: An error occurred (UnrecognizedClientException); the region may "
    "not be enabled for this account: enable it, or leave it out"
)


def package(architecture: Architecture, distribution: str = "minimal") -> Package:
    entry: Layer = layer(f"collector-{architecture}-minimal.zip")
    entry = entry.model_copy(update={"distribution": distribution, "architecture": architecture})
    version = entry.collector_version
    return Package(
        path=Path(entry.file),
        layer=layer_name("ocel", architecture, distribution, version, "beta"),
        base_name="ocel",
        description=f"an example sha256:{entry.sha256}",
        runtimes=("python3.13",),
        size=14_000_000,
        entry=entry,
    )


def targets(regions: Iterable[str] = REGIONS, *distributions: str) -> list[Target]:
    return [
        Target(region=region, package=package(architecture, distribution))
        for region in regions
        for distribution in distributions or ("minimal",)
        for architecture in Architecture
    ]


def version(target: Target, policy: LayerPolicy = NO_POLICY) -> LayerVersion:
    arn = f"arn:aws:lambda:{target.region}:123456789012:layer:{target.package.layer}:7"
    return LayerVersion(arn=layer_arn(arn), policy=policy)


def done(
    target: Target,
    *steps: PublishStep,
    policy: LayerPolicy = NO_POLICY,
    notes: tuple[str, ...] = (),
) -> TargetOutcome:
    """A target with all its steps applied."""
    known = None if PUBLISH in steps else version(target)
    plan = TargetPlan(target=target, version=known, steps=steps, policy=policy)
    made = version(target, policy)
    return TargetOutcome(plan=plan, done=steps, version=made, error="", seconds=1.234, notes=notes)


def failed(target: Target, error: str, *applied: PublishStep) -> TargetOutcome:
    if not applied:
        return TargetOutcome(plan=TargetPlan(target=target, blocked=error), error=error, retries=3)
    plan = TargetPlan(target=target, steps=(PUBLISH, SHARE, RECORD), policy=SHARED)
    return TargetOutcome(plan=plan, done=applied, version=version(target), error=error)


def result(*outcomes: TargetOutcome, skipped: tuple[tuple[str, str], ...] = ()) -> PublishResult:
    plans = tuple(each.plan for each in outcomes)
    return PublishResult(plans=plans, outcomes=outcomes, skipped=skipped)


def dry_run(*plans: TargetPlan, skipped: tuple[tuple[str, str], ...] = ()) -> PublishResult:
    return PublishResult(plans=plans, skipped=skipped)


ALL = targets()
BY_HAND = LayerStatement("by-hand", ("account:999999999999",))
NEW = partial(done, policy=PUBLIC)
MAKE_PUBLIC = PublishStep.MAKE_PUBLIC
SHAPES: dict[str, PublishResult] = {
    "first release": result(*(NEW(each, PUBLISH, MAKE_PUBLIC, RECORD) for each in ALL)),
    "nothing changed": result(*(NEW(each) for each in ALL)),
    "a region failed": result(
        *(NEW(each, PUBLISH, MAKE_PUBLIC, RECORD) for each in ALL[:2]),
        *(failed(each, NOT_ENABLED) for each in ALL[2:]),
        skipped=(("me-south-1", "in quarantine until 2027-01-31: power failure"),),
    ),
    "failed on the way": result(
        done(ALL[0], PUBLISH, SHARE, RECORD, policy=SHARED),
        failed(ALL[1], "add share-org-o-a1b2c3d4e5 to the policy: no; change it", PUBLISH),
    ),
    "34 regions": result(
        *(
            NEW(each, PUBLISH, MAKE_PUBLIC, RECORD)
            for each in targets(sorted(lambda_regions("aws"))[:34])
        )
    ),
    "shared": result(
        done(ALL[0], SHARE, RECORD, policy=SHARED),
        done(
            ALL[1],
            SHARE,
            RECORD,
            policy=LayerPolicy((*SHARED.statements, BY_HAND)),
            notes=("account:999999999999 may use it, too, by the statement `by-hand`",),
        ),
    ),
    "public here, private there": result(
        done(ALL[0], policy=PUBLIC), done(ALL[1]), done(ALL[2], policy=SHARED), done(ALL[3])
    ),
    "several distributions": result(
        *(NEW(each, PUBLISH, RECORD) for each in targets(("eu-west-1",), "minimal", "default")),
        failed(targets(("us-east-1",), "default")[0], "no"),
        failed(targets(("us-east-1",), "minimal")[0], "no"),
        failed(targets(("us-east-1",), "minimal")[1], "no"),
    ),
    "dry run": dry_run(
        TargetPlan(target=ALL[0], version=version(ALL[0]), steps=(SHARE, RECORD), policy=SHARED),
        TargetPlan(target=ALL[1], steps=(PUBLISH, MAKE_PUBLIC, RECORD), policy=PUBLIC),
        TargetPlan(target=ALL[2], blocked=NOT_ENABLED),
        TargetPlan(target=ALL[3], version=version(ALL[3], PUBLIC), policy=PUBLIC),
        skipped=(("me-south-1", "in quarantine until 2027-01-31: power failure"),),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", [80, 200])
def test_the_table_on_a_screen(shape: str, width: int, snapshot: SnapshotAssertion) -> None:
    lines = [
        line.rstrip() for line in shown(publish_report(SHAPES[shape]), width=width).splitlines()
    ]
    assert "\n".join(lines) == snapshot


@pytest.mark.parametrize("shape", SHAPES)
def test_the_section_of_the_summary(shape: str, snapshot: SnapshotAssertion) -> None:
    assert report_markdown(publish_report(SHAPES[shape])) == snapshot


@pytest.mark.parametrize("shape", ["a region failed", "shared", "dry run"])
def test_the_json(shape: str, snapshot: SnapshotAssertion) -> None:
    assert publish_json(SHAPES[shape]) == snapshot


@pytest.mark.parametrize("shape", SHAPES)
def test_each_target_is_in_the_table_once_with_its_arn(shape: str) -> None:
    found = SHAPES[shape]
    report = publish_report(found)
    assert len(report.rows) == len(found.plans)
    (table,) = tables(report_markdown(report))
    assert {len(row) for row in table} == {len(report.headings)}
    if found.outcomes:
        at = report.headings.index("ARN")
        assert sorted(row[at] for row in report.rows) == sorted(each.arn for each in found.outcomes)


def test_each_failure_is_told_once_with_all_its_targets() -> None:
    found = SHAPES["several distributions"]
    (line,) = publish_report(found).problems
    assert line == "us-east-1 ocel-amd64-default-0_155_0-beta and 2 more: no"
    with pytest.raises(PublishError) as caught:
        check_outcomes(found.outcomes)
    assert [name for name, _ in caught.value.failures] == [
        "us-east-1 ocel-amd64-default-0_155_0-beta",
        "us-east-1 ocel-amd64-minimal-0_155_0-beta",
        "us-east-1 arm64",
    ]


HOSTILE = "a|b `c` <script> \n::error::x %0A \x1b[31m ##[group]"


def test_hostile_texts_break_neither_table_nor_summary() -> None:
    outcome = replace(failed(ALL[0], HOSTILE), notes=(HOSTILE,))
    report = publish_report(result(outcome, done(ALL[1], notes=(HOSTILE,))))
    text = report_markdown(report)
    assert len(tables(text)[0]) == 3
    assert not {each for each in markup(text) if each.startswith("<")} - {"<!-- -->"}
    assert "\x1b" not in text + shown(report)


def test_rows_are_made_of_the_json_again(tmp_path: Path) -> None:
    outcomes = SHAPES["shared"].outcomes
    path = tmp_path / "publish.json"
    path.write_text(publish_json(SHAPES["shared"]))
    record = read_publish_record(path)
    rows = published_rows(record.versions, [each.plan.target.package.entry for each in outcomes])
    assert [(row.arn, row.public, row.shared_with) for row in rows] == [
        (each.version.arn, each.public, each.shared_with) for each in outcomes if each.version
    ]
    assert json.loads(path.read_text())["targets"][0]["collector_version"] == "v0.155.0"
