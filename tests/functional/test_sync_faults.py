"""`ocelot layers sync` against an AWS with faults: no row is lost, no region delayed."""

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
    ARN_FRANCE,
    ARN_IRELAND,
    actions,
    drop,
    item_of,
    json_regions,
    nothing_to_do,
    ocelot_sync,
    row_of,
    synced,
    unpublish,
)

from pipeline.errors import AwsError, PartlyPublishedError, PublishError
from pipeline.registry.sync import observe
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
def test_a_region_that_cannot_be_read_keeps_its_rows_and_stops_no_other(
    published: Publishing, rule: Rule
) -> None:
    unpublish(published, ARN_IRELAND)
    unpublish(published, ARN_FRANCE)
    published.aws.rules(rule)
    done = synced(published)
    assert actions(done) == [(ARN_IRELAND, "delete")]
    assert [each.region for each in done.regions if each.unseen] == [FRANCE]
    published.aws.rules()
    assert item_of(published, ARN_IRELAND) == {}
    assert row_of(published, ARN_FRANCE) is not None
    with pytest.raises(PartlyPublishedError) as caught:
        check_synced(done)
    assert caught.value.details[0].startswith(f"{FRANCE}: ")
    assert caught.value.details[0].count(f"{FRANCE}: ") == 1


def test_a_region_that_is_too_slow_is_abandoned(
    published: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "SECONDS", 3.0)
    published.aws.rules(Rule(region=FRANCE, stall=30))
    done = synced(published)
    unseen = {each.region: each.unseen for each in done.regions}
    assert unseen == {IRELAND: "", FRANCE: "not read within 3 seconds", OHIO: ""}


def test_if_no_region_can_be_read_the_command_exits_with_12(published: Publishing) -> None:
    published.aws.rules(Rule(operation="ListLayers", error=ACCESS_DENIED))
    ran = ocelot_sync(published, "--json")
    assert ran.code == PublishError.exit_code
    assert all("lacks a permission" in each["error"] for each in json_regions(ran).values())
    assert published.writes() == []


def test_if_a_region_refuses_the_command_exits_with_13(published: Publishing) -> None:
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
def test_after_faults_that_end_every_repair_is_made(published: Publishing, rule: Rule) -> None:
    unpublish(published, ARN_IRELAND)
    drop(published, ARN_FRANCE)
    published.aws.rules(rule)
    done = synced(published)
    assert actions(done) == [(ARN_IRELAND, "delete"), (ARN_FRANCE, "record")]
    assert [each.error for each in done.outcomes] == ["", ""]
    assert nothing_to_do(published)


@pytest.mark.parametrize(
    ("operation", "error"),
    [("UpdateItem", "UpdateItem must be allowed"), ("DeleteItem", "DeleteItem must be allowed")],
)
def test_a_repair_that_is_refused_stops_no_other(
    published: Publishing, operation: str, error: str
) -> None:
    unpublish(published, ARN_IRELAND)
    drop(published, ARN_FRANCE)
    published.aws.rules(Rule(operation=operation, error=ACCESS_DENIED))
    done = synced(published)
    failed = [each for each in done.outcomes if not each.succeeded]
    assert (len(done.outcomes), len(failed)) == (2, 1)
    assert error in failed[0].error


def test_a_zip_with_another_content_than_aws_says_is_not_recorded(published: Publishing) -> None:
    drop(published, ARN_IRELAND)
    layers: Any = published.aws.emulator.layers
    other = published.packages()[1].sha256
    true = layers.download
    layers.download = lambda _sha256: true(other)  # type: ignore[method-assign]
    done = synced(published)
    assert [each.error.partition(";")[0] for each in done.outcomes] == [
        f"the zip of {ARN_IRELAND} has another sha256 than AWS says"
    ]
    assert item_of(published, ARN_IRELAND) == {}


def test_without_a_readable_registry_no_layer_is_read(published: Publishing) -> None:
    published.aws.rules(Rule(operation="Scan", error=ACCESS_DENIED))
    with pytest.raises(AwsError, match="gave no answer"):
        synced(published)
    assert published.aws.calls("ListLayers") == []


def test_another_account_than_the_one_named_is_refused(published: Publishing) -> None:
    ran = ocelot_sync(published, "--account", "210987654321")
    assert ran.code == AwsError.exit_code
    assert f"the credentials are of account {ACCOUNT}, not of 210987654321" in ran.err


def test_without_a_table_the_error_has_a_hint(published: Publishing) -> None:
    ran = ocelot_sync(published, "--table", "absent", "--json")
    assert (ran.code, ran.out) == (AwsError.exit_code, "")
    assert f"there is no table absent in {HOME}" in ran.err
