"""The options of `ocelot reap --restore`, and the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from registry_examples import arn
from restore_examples import ORGANISATION, same_version, tombstone
from typer.testing import CliRunner

from pipeline.aws.policy import LayerPolicy
from pipeline.cli import app
from pipeline.errors import UsageError
from pipeline.publish.plan import PublishStep, Target, TargetPlan
from pipeline.publish.reconcile import TargetOutcome
from pipeline.reap.rebuild import FoundZip, ZipSource
from pipeline.reap.republish import restored_package
from pipeline.reap.restore import RestoreResult, RestoreState
from pipeline.report.restore import restore_json, restore_report

ARN = str(arn())
FOUND = FoundZip(source=ZipSource.HISTORY, name="config at 0123", content=b"x", commit="0123")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["ocel-*", "--restore", ARN], "PATTERN and --restore"),
        ([], "pattern"),
        (["--restore", "ocel-amd64"], "ocel-amd64"),
        (["--restore", ARN, "--zip", "a", "--bundle", "b"], "--bundle and --zip"),
        (["--restore", ARN, "--bundle", "b", "--config", "c"], "--config"),
        (["--restore", ARN, "--keep", "3"], "--keep"),
        (["--restore", ARN, "--yes-delete", "3"], "--yes-delete"),
        (["--restore", ARN, "--plan", "d"], "--plan"),
        (["--restore", ARN, "--regions", "eu-west-1"], "--regions"),
        (["--restore", ARN, "--force", "newest"], "--force"),
        (["--restore", ARN, "--account", "111111111111"], "111111111111"),
        (["--restore", ARN, "--account", "1234"], "1234"),
        (["--restore", ARN, "--ssm-prefix", "ocel"], "ocel"),
        (["ocel-*", "--zip", "a"], "--zip"),
        (["ocel-*", "--bundle", "a"], "--bundle"),
        (["ocel-*", "--bucket", "a"], "--bucket"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(arguments: list[str], named: str) -> None:
    ended = CliRunner().invoke(app, ["reap", *arguments])
    assert isinstance(ended.exception, UsageError)
    assert named in str(ended.exception)


def planned() -> TargetPlan:
    package = restored_package(tombstone().row, Path("layer.zip"))
    return TargetPlan(
        target=Target(region="eu-west-1", package=package),
        steps=(PublishStep.PUBLISH, PublishStep.SHARE),
        policy=LayerPolicy().with_shares([ORGANISATION]),
    )


def test_a_plan_says_what_would_be_done_and_for_whom() -> None:
    of = tombstone(shared_with=(ORGANISATION,))
    done = RestoreResult(tombstone=of, state=RestoreState.PLANNED, found=FOUND, plan=planned())
    data = json.loads(restore_json(done))
    assert data == {
        "layer_arn": ARN,
        "restored_as": "",
        "state": "to restore",
        "action": "publish, share",
        "sha256": of.row.code_sha256,
        "source": {"kind": "history", "name": "config at 0123", "commit": "0123"},
        "public": False,
        "shared_with": [ORGANISATION],
        "notes": [],
        "error": "",
    }
    assert any("--apply" in each for each in restore_report(done).notes)


def test_a_restored_version_is_named_with_its_own_policy() -> None:
    new = same_version(LayerPolicy().with_public(public=True))
    outcome = TargetOutcome(plan=planned(), version=new, error="")
    done = RestoreResult(
        tombstone=tombstone(),
        state=RestoreState.RESTORED,
        found=FOUND,
        version=new,
        plan=planned(),
        outcome=outcome,
    )
    data = json.loads(restore_json(done))
    assert (data["restored_as"], data["public"], data["shared_with"]) == (str(new.arn), True, [])
    report = restore_report(done)
    assert ("now", str(new.arn)) in report.rows
    assert ("may use it", "every AWS account") in report.rows
    assert not report.problems


@pytest.mark.parametrize("state", [RestoreState.EXISTS, RestoreState.RESTORED_BEFORE])
def test_nothing_to_do_is_said(state: RestoreState) -> None:
    version = same_version()
    if state is RestoreState.EXISTS:
        version = replace(version, arn=arn())
    done = RestoreResult(tombstone=tombstone(), state=state, version=version)
    data = json.loads(restore_json(done))
    expected = "" if state is RestoreState.EXISTS else str(version.arn)
    assert (data["restored_as"], data["source"], data["action"]) == (expected, None, "")
    assert any("nothing" in each for each in restore_report(done).notes)


def test_a_failure_is_a_problem_of_the_report() -> None:
    outcome = TargetOutcome(plan=planned(), version=same_version(), error="AWS refuses")
    done = RestoreResult(
        tombstone=tombstone(),
        state=RestoreState.FAILED,
        found=FOUND,
        version=same_version(),
        plan=planned(),
        outcome=outcome,
    )
    assert restore_report(done).problems == ["AWS refuses"]
    assert json.loads(restore_json(done))["error"] == "AWS refuses"
