from __future__ import annotations

import json
from dataclasses import replace

import pytest
from registry_examples import arn, row
from report_examples import shown
from sync_examples import REGION

from pipeline.errors import PartlyPublishedError, PublishError
from pipeline.registry.row import ForeignRow
from pipeline.registry.sync.plan import Left, RegionPlan, Repair
from pipeline.registry.sync.run import RepairOutcome, Synced, check_synced
from pipeline.report.rendering import markdown
from pipeline.report.sync import synced_json, synced_report

DELETE = Repair(seen=row())
RECORD = Repair(wanted=row("derived"))
PLAN = Synced(
    regions=(
        RegionPlan(
            region=REGION,
            versions=3,
            repairs=(DELETE, RECORD),
            left=(Left(what="ocel-[red]tools", reason="no idea"),),
        ),
        RegionPlan(region="us-east-1", unseen="down | out"),
    ),
    foreign=(ForeignRow(key="hello\x1b[31m", reason="it has no distribution"),),
    skipped=(("me-south-1", "in quarantine"),),
)
DONE = replace(
    PLAN,
    outcomes=(
        RepairOutcome(repair=DELETE, seconds=0.25),
        RepairOutcome(repair=RECORD, error="full"),
    ),
)
IN_STEP = Synced(regions=(RegionPlan(region=REGION, versions=3),))


def test_all_that_differs_is_shown_in_the_order_of_the_headings() -> None:
    name = arn().name
    assert synced_report(DONE).rows == [
        (REGION, "delete", f"{name}:7", "there is no such layer version"),
        (REGION, "record", f"{arn('derived').name}:7", "there is no row of it; failed: full"),
        (REGION, "left alone", "ocel-[red]tools", "no idea"),
        ("us-east-1", "left alone", "all", "down | out"),
        ("", "left alone", "hello\x1b[31m", "the row cannot be understood: it has no distribution"),
        ("me-south-1", "skipped", "all", "in quarantine"),
    ]


@pytest.mark.parametrize(
    ("synced", "line"),
    [
        (DONE, "3 layer versions in 1 of 2 regions: 1 deleted, 1 failed"),
        (PLAN, "3 layer versions in 1 of 2 regions: 1 to delete, 1 to record"),
        (IN_STEP, "3 layer versions in 1 of 1 regions: nothing to do"),
    ],
)
def test_the_summary_says_how_much_there_is(synced: Synced, line: str) -> None:
    assert synced_report(synced).summary == line


def test_there_is_a_table_only_where_something_differs() -> None:
    report = synced_report(IN_STEP)
    assert shown(report) == f"{report.summary}\n"
    assert markdown(report) == f"### Registry: {report.summary}\n"


def test_json_has_the_outcome_of_each_repair() -> None:
    data = json.loads(synced_json(DONE))
    assert data["regions"][0]["repairs"] == [
        {
            "layer_arn": str(arn()),
            "action": "delete",
            "why": "there is no such layer version",
            "ok": True,
            "error": "",
            "seconds": 0.25,
        },
        {
            "layer_arn": str(arn("derived")),
            "action": "record",
            "why": "there is no row of it",
            "ok": False,
            "error": "full",
            "seconds": 0.0,
        },
    ]
    assert data["regions"][0]["left"] == [{"what": "ocel-[red]tools", "reason": "no idea"}]
    assert data["regions"][1]["error"] == "down | out"
    assert data["foreign"] == [{"key": "hello\x1b[31m", "reason": "it has no distribution"}]
    assert data["skipped"] == [{"region": "me-south-1", "reason": "in quarantine"}]


def test_json_of_a_plan_has_no_outcomes() -> None:
    data = json.loads(synced_json(PLAN))
    assert "ok" not in data["regions"][0]["repairs"][0]


def test_a_registry_in_step_is_no_failure_whatever_was_left_alone() -> None:
    check_synced(IN_STEP)
    check_synced(replace(DONE, regions=PLAN.regions[:1], outcomes=DONE.outcomes[:1]))


def test_some_regions_that_are_amiss_are_a_failure_in_part() -> None:
    done = replace(DONE, regions=(*PLAN.regions, *IN_STEP.regions))
    done = replace(done, outcomes=DONE.outcomes[:1])
    with pytest.raises(PartlyPublishedError, match="with 1 of 3 regions") as caught:
        check_synced(done)
    assert caught.value.details == ("us-east-1: down | out",)


def test_where_all_regions_are_amiss_all_failures_are_told() -> None:
    with pytest.raises(PublishError, match="with 2 of 2 regions") as caught:
        check_synced(DONE)
    assert not isinstance(caught.value, PartlyPublishedError)
    assert caught.value.details == ("us-east-1: down | out", f"{arn('derived')}: full")
