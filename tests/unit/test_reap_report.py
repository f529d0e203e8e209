"""The report of `ocelot reap`, in each of its shapes."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import timedelta

import pytest
from reap_examples import NOW, REGION, in_use, listed, requested
from registry_examples import PUBLISHED, row
from report_examples import shown
from syrupy.assertion import SnapshotAssertion

from pipeline.aws.regions import RegionChoice
from pipeline.reap.notes import plan_notes
from pipeline.reap.plan import ReapPlan, RegionReap, RegionUse, region_reap
from pipeline.reap.references import References
from pipeline.reap.request import ReapRequest, Reason
from pipeline.report.reap import (
    MOST_SHOWN,
    command_report,
    plan_json,
    plan_report,
    size_text,
)
from pipeline.report.summary import report_markdown

DOWN = RegionReap(region="us-east-1", unseen="list the functions: | denied; allow it")
COMMAND = ("ocelot", "reap", "ocel-*", "--apply", "--plan=0123")


def planned(
    use: RegionUse, request: ReapRequest, *others: RegionReap, has_registry: bool = True
) -> ReapPlan:
    regions = (region_reap(use, request, References()), *others)
    notes = tuple(plan_notes(regions, request, References(), has_registry=has_registry))
    skipped = request.choice.skipped
    return ReapPlan(regions=regions, account="123456789012", skipped=skipped, notes=notes)


VERSIONS = [listed(number, created=PUBLISHED + timedelta(days=number)) for number in range(1, 9)]
ROWS = [
    replace(row(version=number, public=number == 1), zip_size=20_000_000) for number in range(1, 5)
]
USERS = {VERSIONS[1]: [f"function-{at}:1" for at in range(9)], VERSIONS[7]: ["checkout:$LATEST"]}
MIXED = in_use(*VERSIONS, functions=USERS, recorded=ROWS, left=["ocel-[red]x"])
QUARANTINE = (("me-south-1", "in quarantine until 2026-12-31: down"),)
PLANS = {
    "mixed": planned(
        MIXED,
        requested(
            keep=3,
            older_than=timedelta(days=92),
            choice=RegionChoice(partition="aws", regions=(REGION,), skipped=QUARANTINE),
        ),
        DOWN,
    ),
    "forced": planned(
        MIXED, requested(keep=1, ssm_prefix="/ocel", forced=frozenset({Reason.USED}))
    ),
    "many": planned(in_use(*map(listed, range(1, 1001, 2))), requested(), has_registry=False),
    "nothing": planned(in_use(*VERSIONS[:2]), requested(keep=2)),
    "unmatched": planned(in_use(), requested(pattern="ocel-x*")),
    "undated": planned(in_use(*(listed(at, created=None) for at in (1, 2))), requested()),
}


@pytest.mark.parametrize("shape", PLANS)
def test_the_report_of_each_shape(shape: str, snapshot: SnapshotAssertion) -> None:
    report = plan_report(PLANS[shape], NOW)
    screens = {str(width): shown(report, width=width) for width in (200, 80)}
    assert {**screens, "summary": report_markdown(report)} == snapshot


@pytest.mark.parametrize("shape", ["mixed", "undated"])
def test_every_version_has_a_row_if_that_is_requested(
    shape: str, snapshot: SnapshotAssertion
) -> None:
    assert shown(plan_report(PLANS[shape], NOW, verbose=True), width=200) == snapshot


def test_many_versions_are_summed_up_unless_every_row_is_requested() -> None:
    plan = PLANS["many"]
    assert len(plan.deletions) == 499 > MOST_SHOWN
    assert len(plan_report(plan, NOW).rows) == 2
    assert len(plan_report(plan, NOW, verbose=True).rows) == 500
    few = planned(in_use(*map(listed, range(MOST_SHOWN + 1))), requested())
    assert len(plan_report(few, NOW).rows) == MOST_SHOWN + 1


def test_what_is_deleted_comes_first() -> None:
    decisions = [line[-2] for line in plan_report(PLANS["mixed"], NOW).rows]
    assert decisions == sorted(decisions, key=["delete", "keep", "left alone"].index)


def test_the_zip_of_a_version_in_use_does_not_become_free() -> None:
    plan = PLANS["forced"]
    gone = [each.version.arn.version for each in plan.deletions]
    assert gone == [7, 6, 5, 4, 3, 2, 1]
    assert plan.freed == 3 * 20_000_000  # of 1, 3 and 4; the sizes of 5 to 7 are not known


def test_the_json_has_everything() -> None:
    plan = PLANS["mixed"]
    found = json.loads(plan_json(plan, COMMAND))
    assert shlex.split(found["command"]) == [*COMMAND]
    assert (found["number"], found["digest"]) == (len(plan.deletions), plan.digest)
    region, down = found["regions"]
    assert (down["error"], down["versions"]) == (DOWN.unseen, [])
    assert [each["version"] for each in region["versions"]] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert len(region["versions"][6]["reasons"]) == 9
    assert region["versions"][7] == {
        "layer_arn": str(VERSIONS[0].arn),
        "layer": VERSIONS[0].arn.name,
        "version": 1,
        "distribution": "minimal",
        "architecture": "amd64",
        "release_group": "beta",
        "published": "2026-07-02T12:30:00+00:00",
        "size": 20_000_000,
        "public": True,
        "shared_with": [],
        "decision": "delete",
        "reasons": [],
        "forced": [],
    }
    assert region["versions"][0]["size"] is None
    assert region["left"] == [{"what": "ocel-[red]x", "reason": "unknown"}]
    assert found["skipped"] == [{"region": "me-south-1", "reason": QUARANTINE[0][1]}]


def test_the_command_is_quoted_for_a_shell() -> None:
    last = shown(command_report(COMMAND)).splitlines()[-1]
    assert last.strip() == "ocelot reap 'ocel-*' --apply --plan=0123"
    assert shown(command_report(())) == ""


@pytest.mark.parametrize(
    ("size", "text"), [(1, "0.0 MB"), (43_151_522, "43.2 MB"), (75_300_000_000, "75.3 GB")]
)
def test_sizes_have_a_unit(size: int, text: str) -> None:
    assert size_text(size) == text
