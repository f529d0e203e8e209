from __future__ import annotations

import json
from dataclasses import replace

import pytest
from registry_examples import arn, row
from report_examples import shown
from sync_examples import REGION

from pipeline.errors import PartlyPublishedError, PublishError
from pipeline.registry.row import ForeignRow
from pipeline.registry.sync.plan import LeftAlone, RegionPlan, Repair
from pipeline.registry.sync.run import RepairOutcome, SyncResult, check_synced
from pipeline.report.summary import report_markdown
from pipeline.report.sync import sync_json, sync_report

DELETE = Repair(before=row())
RECORD = Repair(after=row("derived"))
PLAN = SyncResult(
    regions=(
        RegionPlan(
            region=REGION,
            versions=3,
            repairs=(DELETE, RECORD),
            left=(LeftAlone(what="ocel-[red]tools", reason="no idea"),),
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
MATCHING = SyncResult(regions=(RegionPlan(region=REGION, versions=3),))


def test_all_differences_are_shown_in_the_order_of_the_headings() -> None:
    name = arn().name
    assert sync_report(DONE).rows == [
        (REGION, "delete", f"{name}:7", "there is no such layer version"),
        (REGION, "record", f"{arn('derived').name}:7", "it has no row; failed: full"),
        (REGION, "left alone", "ocel-[red]tools", "no idea"),
        ("us-east-1", "left alone", "all", "down | out"),
        ("", "left alone", "hello\x1b[31m", "the row cannot be read: it has no distribution"),
        ("me-south-1", "skipped", "all", "in quarantine"),
    ]


def test_many_rows_that_cannot_be_read_are_one_line_and_all_are_in_the_json() -> None:
    many = tuple(ForeignRow(key=f"row {at}", reason="it is empty") for at in range(3000))
    ((_, _, key, why),) = sync_report(replace(MATCHING, foreign=many)).rows
    assert key == "row 0"
    assert "2999 more rows" in why
    assert len(json.loads(sync_json(replace(MATCHING, foreign=many)))["foreign"]) == 3000


@pytest.mark.parametrize(
    ("synced", "line"),
    [
        (DONE, "3 layer versions in 1 of 2 regions: 1 deleted, 1 failed"),
        (PLAN, "3 layer versions in 1 of 2 regions: 1 to delete, 1 to record"),
        (MATCHING, "3 layer versions in 1 of 1 regions: nothing to do"),
    ],
)
def test_the_summary_counts_layer_versions_and_repairs(synced: SyncResult, line: str) -> None:
    assert sync_report(synced).summary == line


def test_there_is_a_table_only_if_something_differs() -> None:
    report = sync_report(MATCHING)
    assert shown(report) == f"{report.summary}\n"
    assert report_markdown(report).startswith("### Registry")


def test_json_has_the_outcome_of_each_repair() -> None:
    data = json.loads(sync_json(DONE))
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
            "why": "it has no row",
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
    data = json.loads(sync_json(PLAN))
    assert "ok" not in data["regions"][0]["repairs"][0]


def test_what_was_left_alone_is_no_failure() -> None:
    check_synced(MATCHING)
    check_synced(replace(DONE, regions=PLAN.regions[:1], outcomes=DONE.outcomes[:1]))


def test_if_some_regions_match_the_failure_is_partial() -> None:
    done = replace(DONE, regions=(*PLAN.regions, *MATCHING.regions))
    done = replace(done, outcomes=DONE.outcomes[:1])
    with pytest.raises(PartlyPublishedError, match="in 1 of 3 regions") as caught:
        check_synced(done)
    assert caught.value.details == ("us-east-1: down | out",)


def test_if_no_region_matches_every_failure_is_named() -> None:
    with pytest.raises(PublishError, match="in 2 of 2 regions") as caught:
        check_synced(DONE)
    assert not isinstance(caught.value, PartlyPublishedError)
    assert caught.value.details == ("us-east-1: down | out", f"{arn('derived')}: full")
