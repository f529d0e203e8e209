"""`ocelot layers sync` against an AWS with faults: no row is lost, and no region held up."""

from __future__ import annotations

from typing import Any

import pytest
from aws_rules import Rule
from aws_server import ACCOUNT
from aws_wire import ACCESS_DENIED, NOT_OPTED_IN, SERVICE_EXCEPTION, THROTTLED
from publishing import (
    FRANCE,
    HOME,
    IRELAND,
    OHIO,
    REGIONS,
    Publishing,
)
from syncing import (
    OURS,
    THERE,
    actions,
    drop,
    in_step,
    item_of,
    ocelot_sync,
    row_of,
    synced,
    told_regions,
    unpublish,
)

from pipeline.errors import AwsError, PartlyPublishedError, PublishError
from pipeline.registry.sync.run import check_synced


@pytest.mark.parametrize(
    "rule",
    [
        Rule(region=FRANCE, error=NOT_OPTED_IN),
        Rule(region=FRANCE, operation="ListLayers", error=ACCESS_DENIED),
        Rule(region=FRANCE, operation="ListLayerVersions", error=ACCESS_DENIED),
        Rule(region=FRANCE, operation="GetLayerVersionPolicy", error=ACCESS_DENIED),
        Rule(region=FRANCE, operation="GetLayerVersion", error=ACCESS_DENIED),
        Rule(region=FRANCE, reset="head"),
    ],
    ids=["not enabled", "layers", "versions", "policy", "version", "down"],
)
def test_a_region_that_cannot_be_seen_keeps_its_rows_and_holds_up_no_other(
    published: Publishing, rule: Rule
) -> None:
    unpublish(published, OURS)
    unpublish(published, THERE)
    published.aws.rules(rule)
    done = synced(published)
    assert actions(done) == [(OURS, "delete")]
    assert [each.region for each in done.regions if each.unseen] == [FRANCE]
    published.aws.rules()
    assert item_of(published, OURS) == {}
    assert row_of(published, THERE) is not None
    with pytest.raises(PartlyPublishedError) as caught:
        check_synced(done)
    assert caught.value.details[0].startswith(f"{FRANCE}: {FRANCE}: ")


def test_a_region_that_is_too_slow_is_given_up(published: Publishing) -> None:
    published.aws.rules(Rule(region=FRANCE, stall=30))
    done = synced(published, deadline=3.0)
    unseen = {each.region: each.unseen for each in done.regions}
    assert unseen == {IRELAND: "", FRANCE: "not seen within 3 seconds", OHIO: ""}


def test_where_no_region_can_be_seen_the_command_ends_with_12(published: Publishing) -> None:
    published.aws.rules(Rule(operation="ListLayers", error=ACCESS_DENIED))
    ran = ocelot_sync(published, "--json")
    assert ran.code == PublishError.exit_code
    assert all("lacks a permission" in each["error"] for each in told_regions(ran).values())
    assert published.writes() == []


def test_a_region_that_refuses_is_told_by_the_command_which_ends_with_13(
    published: Publishing,
) -> None:
    published.aws.rules(Rule(region=FRANCE, operation="ListLayers", error=ACCESS_DENIED))
    ran = ocelot_sync(published)
    assert ran.code == PartlyPublishedError.exit_code
    assert "left alone" in ran.out
    assert "4 layer versions in 2 of 3 regions: nothing to do" in ran.out
    assert f"{FRANCE}: list the layers: " in ran.err


@pytest.mark.parametrize(
    "rule",
    [
        Rule(region=REGIONS, times=3, per_region=True, error=THROTTLED),
        Rule(region=REGIONS, times=3, per_region=True, error=SERVICE_EXCEPTION),
        Rule(operation="UpdateItem", times=1, reset="answer"),
        Rule(operation="DeleteItem", times=1, reset="answer"),
        Rule(operation="GetLayerVersionContent", times=2, reset="answer"),
    ],
    ids=["throttled", "failing", "answer of a write lost", "of a deletion", "of a download"],
)
def test_what_passes_leaves_no_trace(published: Publishing, rule: Rule) -> None:
    unpublish(published, OURS)
    drop(published, THERE)
    published.aws.rules(rule)
    done = synced(published)
    assert actions(done) == [(OURS, "delete"), (THERE, "record")]
    assert [each.error for each in done.outcomes] == ["", ""]
    assert in_step(published)


@pytest.mark.parametrize(
    ("operation", "error"),
    [("UpdateItem", "UpdateItem must be allowed"), ("DeleteItem", "DeleteItem must be allowed")],
)
def test_a_repair_that_is_refused_holds_up_no_other(
    published: Publishing, operation: str, error: str
) -> None:
    unpublish(published, OURS)
    drop(published, THERE)
    published.aws.rules(Rule(operation=operation, error=ACCESS_DENIED))
    done = synced(published)
    failed = [each for each in done.outcomes if not each.succeeded]
    assert (len(done.outcomes), len(failed)) == (2, 1)
    assert error in failed[0].error


def test_a_zip_that_is_not_what_aws_says_is_not_recorded(published: Publishing) -> None:
    drop(published, OURS)
    layers: Any = published.aws.mended.layers
    other = published.packages()[1].sha256
    true = layers.download
    layers.download = lambda _sha256: true(other)  # type: ignore[method-assign]
    done = synced(published)
    assert [each.error.partition(";")[0] for each in done.outcomes] == [
        f"the zip of {OURS} is not what AWS says that it is"
    ]
    assert item_of(published, OURS) == {}


def test_a_registry_that_cannot_be_read_ends_it_before_anything_is_done(
    published: Publishing,
) -> None:
    published.aws.rules(Rule(operation="Scan", error=ACCESS_DENIED))
    with pytest.raises(AwsError, match="gave no answer"):
        synced(published)
    assert published.aws.calls("ListLayers") == []


def test_another_account_than_the_one_named_is_refused(published: Publishing) -> None:
    ran = ocelot_sync(published, "--account", "210987654321")
    assert ran.code == AwsError.exit_code
    assert f"the credentials are of account {ACCOUNT}, not of 210987654321" in ran.err


def test_without_a_table_it_ends_with_a_hint(published: Publishing) -> None:
    ran = ocelot_sync(published, "--table", "absent", "--json")
    assert (ran.code, ran.out) == (AwsError.exit_code, "")
    assert f"there is no table absent in {HOME}" in ran.err
