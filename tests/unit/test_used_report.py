"""Reports of functions that use layers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from registry_examples import arn
from report_examples import shown
from usage_examples import OTHER, REGION, alias, function, plain, usage

from pipeline.errors import PartlyPublishedError, PublishError
from pipeline.report.layers import as_csv
from pipeline.report.summary import report_markdown
from pipeline.report.used import (
    USED_COLUMNS,
    moved_report,
    moves_report,
    used_json,
    used_records,
    used_report,
)
from pipeline.usage.plan import RegionUsage, selected
from pipeline.usage.run import SharedLayers, UsageResult, check_used
from pipeline.usage.update import MoveOutcome

OLD, NEW, DELETED = arn(version=7), arn(version=8), arn(version=3)
LOST = plain("tools", 1)
READ = usage(
    function(OLD, OTHER),
    function(OLD, version="1"),
    function(NEW, version="2"),
    function(DELETED, name="deleted"),
    function(LOST, name="lost"),
    function(NEW, name="newest"),
    aliases={"checkout": (alias("live", "1", v2=0.25),)},
)
DOWN = RegionUsage(region="us-east-1", unseen="down \x1b[31m| out")
RESULT = UsageResult(
    base="ocel",
    regions=(READ, DOWN),
    skipped=(("me-south-1", "in quarantine"),),
    shared=SharedLayers(versions=9, shared=2),
)
SELECTION = selected(RESULT.regions, ["all"])
PLANNED = replace(RESULT, selection=SELECTION)
MOVES = SELECTION.moves
DONE = replace(
    PLANNED,
    outcomes=(
        MoveOutcome(use=MOVES[0], layers=MOVES[0].moved, changed=True, seconds=2.25),
        MoveOutcome(use=MOVES[1], error="full"),
        MoveOutcome(use=MOVES[2], error=MOVES[2].blocked),
    ),
)


def test_each_layer_version_in_use_is_a_row() -> None:
    report = used_report(RESULT)
    assert [(row[1], row[2], row[3], row[-2]) for row in report.rows] == [
        ("checkout", "$LATEST", "", "behind"),
        ("checkout", "1", "live (75%)", "behind"),
        ("checkout", "2", "live (25%)", "newest"),
        ("deleted", "$LATEST", "", "deleted"),
        ("lost", "$LATEST", "", "deleted"),
        ("newest", "$LATEST", "", "newest"),
    ]
    assert [bool(row[-1]) for row in report.rows] == [True, True, False, True, False, False]


def test_a_screen_shows_each_command_on_one_line_and_no_control_characters() -> None:
    text = shown(used_report(RESULT), width=80)
    assert "\x1b" not in text
    lines = [line for line in text.splitlines() if line.startswith("aws ")]
    assert len(lines) == 3
    assert lines[0].endswith(f"--layers {NEW} {OTHER}")
    assert text.splitlines()[-1].endswith("1 of 2 regions read: 4 behind")


def test_functions_that_cannot_be_seen_are_named() -> None:
    assert any("2 of 9" in each for each in used_report(RESULT).notes)
    without = used_report(replace(RESULT, shared=None)).notes
    assert any("without a registry" in each for each in without)
    private = used_report(replace(RESULT, shared=SharedLayers(versions=9, shared=0))).notes
    assert not any("other accounts" in each for each in private)
    assert any(each.startswith("me-south-1") for each in private)


def test_a_function_without_the_layer_in_latest_is_named() -> None:
    region = usage(function(OLD, version="1"), function(OLD, version="2"))
    report = used_report(replace(RESULT, regions=(region,)))
    assert any(each.startswith("checkout:1 and 1 more") for each in report.notes)
    assert "command" not in report.headings


def test_the_plan_has_a_row_for_each_layer_that_moves() -> None:
    report = moves_report(PLANNED)
    assert [row[:2] for row in report.rows] == [
        (REGION, name) for name in ("checkout", "deleted", "lost")
    ]
    assert [bool(row[-1]) for row in report.rows] == [True, True, False]
    assert any("tools:1 was deleted" in each for each in report.problems)
    assert any("newest" in each for each in report.notes)


def test_the_result_names_failures_and_the_commands_that_follow() -> None:
    report = moved_report(DONE)
    assert [row[1:3] for row in report.rows] == [
        ("checkout", "moved"),
        ("deleted", "FAILED"),
        ("lost", "FAILED"),
    ]
    assert report.summary == "1 function moved, 2 failed"
    assert "full" in report.problems[0]
    follows = [each for each in report.notes if each.startswith("aws ")]
    assert len(follows) == 1
    assert "update-alias" in follows[0]


def test_json_has_the_outcomes() -> None:
    found = json.loads(used_json(DONE))
    assert [each["error"] for each in found["regions"]] == ["", DOWN.unseen]
    updates = {
        f"{each['function']}:{each['version']}": each["update"]
        for each in found["regions"][0]["functions"]
    }
    assert updates == {
        "checkout:$LATEST": "moved",
        "checkout:1": "",
        "checkout:2": "",
        "deleted:$LATEST": "failed: full",
        "lost:$LATEST": f"failed: {MOVES[2].blocked}",
        "newest:$LATEST": "",
    }
    assert [each["ok"] for each in found["updates"]] == [True, False, False]
    assert found["updates"][0]["layers"] == [str(NEW), OTHER]
    assert json.loads(used_json(RESULT))["updates"] == []


def test_csv_has_a_line_for_each_layer_version_in_use() -> None:
    lines = as_csv(used_records(RESULT), USED_COLUMNS).splitlines()
    assert len(lines) == 7
    assert lines[0].startswith("region,function,version")


def test_the_job_summary_shows_commands_as_code() -> None:
    text = report_markdown(used_report(RESULT))
    assert f"--layers {NEW} {OTHER}`" in text


def test_a_result_without_functions_has_no_table() -> None:
    report = used_report(UsageResult(base="ocel", regions=(RegionUsage(region=REGION),)))
    assert report.headings == ()
    assert "0 functions" in shown(report)


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (RESULT, PartlyPublishedError),
        (replace(RESULT, regions=(DOWN,)), PublishError),
        (DONE, PartlyPublishedError),
        (replace(DONE, regions=(READ,), outcomes=DONE.outcomes[1:]), PublishError),
        (replace(DONE, outcomes=DONE.outcomes[:1]), PartlyPublishedError),
    ],
)
def test_failures_decide_the_exit_code(result: UsageResult, kind: type[PublishError]) -> None:
    with pytest.raises(PublishError) as raised:
        check_used(result)
    assert type(raised.value) is kind


def test_without_failures_nothing_is_raised() -> None:
    check_used(replace(DONE, regions=(READ,), outcomes=DONE.outcomes[:1]))
