"""`ocelot layers sync` against an AWS with layers, rows and faults."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from aws_rules import Call, Rule
from aws_server import ACCOUNT
from publishing import (
    FRANCE,
    IRELAND,
    LAYER,
    OHIO,
    REGIONS,
    Publishing,
    foreign,
    most_in_a_second,
    steady,
)
from registry_examples import old_item
from runs import CONFIG, run_ocelot
from syncing import (
    ARN,
    OURS,
    THERE,
    actions,
    by_hand,
    drop,
    in_step,
    item_of,
    left,
    ocelot_sync,
    row_of,
    store,
    synced,
    told_regions,
    unpublish,
)

from pipeline.aws.layers import LayerVersion, RegionClient
from pipeline.errors import PartlyPublishedError
from pipeline.naming import layer_arn
from pipeline.registry.sync.run import check_synced


def test_what_was_published_is_in_step(published: Publishing) -> None:
    assert in_step(published)
    assert {call.operation for call in published.aws.calls(region=OHIO)} == {
        *("ListLayers", "ListLayerVersions", "GetLayerVersionPolicy")
    }


def test_a_deleted_row_comes_back_with_what_other_regions_know_of_it(
    published: Publishing,
) -> None:
    before = row_of(published, OURS)
    drop(published, OURS)
    done = synced(published)
    assert actions(done) == [(OURS, "record")]
    after = row_of(published, OURS)
    assert before is not None
    assert after is not None
    assert after.publish_timestamp is not None
    assert before.publish_timestamp is not None
    # the layer's own time, not the row's first; moto's clock is this machine's
    apart = before.publish_timestamp - after.publish_timestamp
    assert 0 <= apart.total_seconds() < 60
    described = {
        "publish_timestamp": before.publish_timestamp,
        "distribution_description": before.distribution_description,
    }
    assert replace(after, **described) == before
    assert in_step(published)


def test_a_layer_version_of_which_nobody_knows_is_recorded_from_what_aws_tells(
    publishing: Publishing,
) -> None:
    arns = [by_hand(publishing, region, LAYER) for region in REGIONS]
    publishing.client(IRELAND).add_layer_version_permission(
        LayerName=LAYER,
        VersionNumber=1,
        StatementId="theirs",
        Action="lambda:GetLayerVersion",
        Principal="*",
    )
    done = synced(publishing)
    assert [each.error for each in done.outcomes] == ["", "", ""]
    rows = [row_of(publishing, arn) for arn, _ in arns]
    for row, (_, zipped) in zip(rows, arns, strict=True):
        assert row is not None
        assert row.code_sha256 == hashlib.sha256(zipped).hexdigest()
        assert row.md5_hash == hashlib.md5(zipped, usedforsecurity=False).hexdigest()
        assert (row.distribution, row.base_name) == ("minimal", "ocel")
        assert (row.layer_version_str, row.collector_version_input) == ("0_155_0", "v0.155.0")
        assert row.compatible_runtimes == ("python3.13",)
        assert (row.upstream_commit, row.ocelot) == ("", "")
    assert [row.public for row in rows if row] == [True, False, False]
    assert len(publishing.aws.calls("GetLayerVersionContent")) == 1
    assert in_step(publishing)


def test_a_permission_that_was_taken_away_is_noted(published: Publishing) -> None:
    published.client(FRANCE).remove_layer_version_permission(
        LayerName=LAYER, VersionNumber=1, StatementId="publish"
    )
    done = synced(published)
    assert [(str(each.arn), each.why) for each in done.repairs] == [(THERE, "public: yes -> no")]
    changed = row_of(published, THERE)
    assert changed is not None
    assert not changed.public
    assert in_step(published)


def test_an_older_tools_row_keeps_all_but_what_is_amiss(published: Publishing) -> None:
    row = row_of(published, THERE)
    assert row is not None
    store(published, {**old_item(row, public={"S": "false"}), "theirs": {"S": "kept"}})
    done = synced(published)
    assert actions(done) == [(THERE, "update")]
    expected = {**old_item(row), "theirs": {"S": "kept"}, "public": {"BOOL": True}}
    assert item_of(published, THERE) == expected
    assert in_step(published)


def test_a_dry_run_tells_all_and_writes_nothing(published: Publishing) -> None:
    unpublish(published, OURS)
    drop(published, THERE)
    published.aws.forget()
    ran = ocelot_sync(published, "--dry-run", "--json")
    assert ran.code == 0, ran.err
    assert published.writes() == []
    assert published.aws.calls("GetLayerVersionContent") == []
    found = told_regions(ran)
    assert [
        (each["layer_arn"], each["action"], "ok" in each)
        for region in REGIONS
        for each in found[region]["repairs"]
    ] == [(OURS, "delete", False), (THERE, "record", False)]


def test_the_command_line_repairs_and_a_second_run_writes_nothing(published: Publishing) -> None:
    unpublish(published, OURS)
    drop(published, THERE)
    ran = ocelot_sync(published)
    assert ran.code == 0, ran.err
    assert "there is no such layer version" in ran.out
    assert "there is no row of it" in ran.out
    last = "5 layer versions in 3 of 3 regions: 1 deleted, 1 recorded"
    assert ran.out.splitlines()[-1] == last
    published.aws.forget()
    again = ocelot_sync(published)
    assert (again.code, published.writes()) == (0, [])
    assert again.out == "5 layer versions in 3 of 3 regions: nothing to do\n"


# What is left alone


def test_rows_and_layers_of_others_are_left_alone(published: Publishing) -> None:
    row = row_of(published, OURS)
    assert row is not None
    theirs = layer_arn(OURS.replace(ACCOUNT, "210987654321"))
    acme = layer_arn(ARN.format(IRELAND, LAYER.replace("ocel", "acme"), 1))
    far = layer_arn(ARN.format("eu-central-1", LAYER, 1))
    for arn in (theirs, acme, far):
        assert published.registry().put(replace(row, arn=arn)) is None
    strange = ARN.format(IRELAND, "ocel-tools", 1)
    store(published, {"layer_arn": {"S": strange}, "distribution": {"S": "minimal"}})
    store(published, {"layer_arn": {"S": "hello"}, "distribution": {"S": "minimal"}})
    by_hand(published, IRELAND, "ocel-tools")
    by_hand(published, IRELAND, "acme-amd64-minimal-0_155_0-beta")
    assert in_step(published)
    done = synced(published)
    assert {each.key for each in done.foreign} == {strange, "hello"}
    assert left(done) == {"ocel-tools": "its name tells of no distribution that is known"}
    check_synced(done)


def test_a_version_that_a_list_leaves_out_but_aws_has_keeps_its_row(
    published: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_client: RegionClient, _layer: str) -> list[LayerVersion]:
        return []

    monkeypatch.setattr(RegionClient, "versions", nothing)
    assert in_step(published)
    assert len(left(synced(published))) == 6


def test_a_row_that_says_something_new_since_the_look_is_left_alone(
    published: Publishing,
) -> None:
    unpublish(published, OURS)
    row = row_of(published, OURS)
    assert row is not None

    def change(_: Call) -> None:
        store(published, foreign(row).item())

    for operation in ("GetItem", "DeleteItem"):
        store(published, row.item())
        published.aws.rules(Rule(operation=operation, times=1, before=change))
        done = synced(published)
        assert [each.succeeded for each in done.outcomes] == [False]
        assert "changed in the meantime" in done.outcomes[0].error
        assert row_of(published, OURS) == foreign(row)
        with pytest.raises(PartlyPublishedError, match="not in step with 1 of 3 regions"):
            check_synced(done)


def test_a_row_that_somebody_else_wrote_since_the_look_stays(published: Publishing) -> None:
    row = row_of(published, OURS)
    assert row is not None
    drop(published, OURS)

    def write(_: Call) -> None:
        store(published, foreign(row).item())

    published.aws.rules(Rule(operation="UpdateItem", times=1, before=write))
    assert [each.succeeded for each in synced(published).outcomes] == [False]
    assert row_of(published, OURS) == foreign(row)


def test_a_row_that_is_gone_since_the_look_is_not_made_again(published: Publishing) -> None:
    published.client(IRELAND).remove_layer_version_permission(
        LayerName=LAYER, VersionNumber=1, StatementId="publish"
    )
    published.aws.rules(
        Rule(operation="UpdateItem", times=1, before=lambda _: drop(published, OURS))
    )
    assert [each.succeeded for each in synced(published).outcomes] == [False]
    assert item_of(published, OURS) == {}


def test_more_than_a_page_of_versions_and_layers_is_seen_at_the_pace_that_aws_allows(
    publishing: Publishing,
) -> None:
    for at in range(51):
        by_hand(publishing, IRELAND, f"ocel-amd64-minimal-0_{at}_0-beta", described="")
        by_hand(publishing, IRELAND, LAYER, described="")
    last, _ = by_hand(publishing, IRELAND, "ocel-amd64-minimal-0_99_0-beta")
    unpublish(publishing, ARN.format(IRELAND, LAYER, 1))
    publishing.aws.forget()
    with steady():
        done = synced(publishing, regions=[IRELAND])
    assert len(publishing.aws.calls("ListLayers")) == 2
    assert done.regions[0].versions == 51 + 50 + 1
    assert actions(done) == [(last, "record")]
    assert most_in_a_second(publishing.aws.calls(region=IRELAND)) <= 10
    for at in range(2):
        by_hand(publishing, IRELAND, LAYER, described="", epoch=1_700_000_000 + 2 * at)
    publishing.aws.forget()
    assert synced(publishing, regions=[IRELAND]).regions[0].versions == 104
    asked = [call.name.resource for call in publishing.aws.calls("ListLayerVersions")]
    assert asked.count(LAYER) == 2


def test_a_summary_is_left_for_github(published: Publishing) -> None:
    drop(published, OURS)
    summary = published.folder / "summary.md"
    env = {**published.aws.environment(), "GITHUB_STEP_SUMMARY": str(summary)}
    ran = run_ocelot(
        *("layers", "sync", "--regions", ",".join(REGIONS), "--config", CONFIG, "--json"),
        cache=published.folder / "cache",
        env=env,
        cwd=published.folder,
    )
    assert ran.code == 0, ran.err
    assert [len(each["repairs"]) for each in json.loads(ran.out)["regions"]] == [1, 0, 0]
    assert f"| {IRELAND} | record | {LAYER}:1 | there is no row of it |" in summary.read_text()
