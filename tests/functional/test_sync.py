"""`ocelot layers sync` against an AWS with layers, rows and faults."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from aws_rules import Call, Rule
from aws_server import ACCOUNT
from markdown_reader import tables
from publishing import (
    FRANCE,
    IRELAND,
    LAYER,
    OHIO,
    REGIONS,
    Publishing,
    most_in_a_second,
    with_other_content,
    without_garbage_collection,
)
from registry_examples import old_item, tombstone
from runs import CONFIG, run_ocelot
from syncing import (
    ARN,
    ARN_FRANCE,
    ARN_IRELAND,
    actions,
    drop,
    item_of,
    json_regions,
    left,
    nothing_to_do,
    ocelot_sync,
    publish_by_hand,
    row_of,
    store,
    synced,
    unpublish,
)

from pipeline.aws.layers import LayerVersion, RegionClient
from pipeline.errors import PartlyPublishedError
from pipeline.naming import layer_arn
from pipeline.registry.sync.run import check_synced
from pipeline.registry.tombstone import Tombstone


def test_after_publishing_there_is_nothing_to_repair(published: Publishing) -> None:
    assert nothing_to_do(published)
    assert {call.operation for call in published.aws.calls(region=OHIO)} == {
        *("ListLayers", "ListLayerVersions", "GetLayerVersionPolicy")
    }


def test_a_deleted_row_is_recorded_with_the_facts_of_other_regions(published: Publishing) -> None:
    before = row_of(published, ARN_IRELAND)
    drop(published, ARN_IRELAND)
    done = synced(published)
    assert actions(done) == [(ARN_IRELAND, "record")]
    after = row_of(published, ARN_IRELAND)
    assert before is not None
    assert after is not None
    assert after.publish_timestamp is not None
    assert before.publish_timestamp is not None
    # the time is the layer version's; moto uses this machine's clock
    apart = before.publish_timestamp - after.publish_timestamp
    assert 0 <= apart.total_seconds() < 60
    assert replace(after, publish_timestamp=before.publish_timestamp) == before
    assert nothing_to_do(published)


def test_a_layer_version_without_any_row_is_recorded_from_aws_facts(publishing: Publishing) -> None:
    arns = [publish_by_hand(publishing, region, LAYER) for region in REGIONS]
    publishing.client(IRELAND).add_layer_version_permission(
        LayerName=LAYER,
        VersionNumber=1,
        StatementId="by-hand",
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
    assert nothing_to_do(publishing)


def test_a_removed_permission_updates_the_row(published: Publishing) -> None:
    published.client(FRANCE).remove_layer_version_permission(
        LayerName=LAYER, VersionNumber=1, StatementId="publish"
    )
    done = synced(published)
    assert [(str(each.arn), each.why) for each in done.repairs] == [
        (ARN_FRANCE, "public: yes -> no")
    ]
    changed = row_of(published, ARN_FRANCE)
    assert changed is not None
    assert not changed.public
    assert nothing_to_do(published)


def test_a_row_of_an_older_tool_is_changed_only_where_it_is_wrong(published: Publishing) -> None:
    row = row_of(published, ARN_FRANCE)
    assert row is not None
    runtimes: dict[str, object] = {"S": " ".join(row.compatible_runtimes)}
    item = old_item(row, compatible_runtimes=runtimes)
    store(published, {**item, "public": {"S": "false"}, "by-hand": {"S": "kept"}})
    done = synced(published)
    assert actions(done) == [(ARN_FRANCE, "update")]
    expected = {**item, "by-hand": {"S": "kept"}, "public": {"BOOL": True}}
    assert item_of(published, ARN_FRANCE) == expected
    assert nothing_to_do(published)


def test_a_dry_run_shows_the_repairs_and_writes_nothing(published: Publishing) -> None:
    unpublish(published, ARN_IRELAND)
    drop(published, ARN_FRANCE)
    published.aws.forget()
    ran = ocelot_sync(published, "--dry-run", "--json")
    assert ran.code == 0, ran.err
    assert published.writes() == []
    assert published.aws.calls("GetLayerVersionContent") == []
    found = json_regions(ran)
    assert [
        (each["layer_arn"], each["action"], "ok" in each)
        for region in REGIONS
        for each in found[region]["repairs"]
    ] == [(ARN_IRELAND, "delete", False), (ARN_FRANCE, "record", False)]


def test_the_command_line_repairs_and_a_second_run_writes_nothing(published: Publishing) -> None:
    unpublish(published, ARN_IRELAND)
    drop(published, ARN_FRANCE)
    ran = ocelot_sync(published)
    assert ran.code == 0, ran.err
    assert "there is no such layer version" in ran.out
    assert "it has no row" in ran.out
    last = "5 layer versions in 3 of 3 regions: 1 deleted, 1 recorded"
    assert ran.out.splitlines()[-1] == last
    published.aws.forget()
    again = ocelot_sync(published)
    assert (again.code, published.writes()) == (0, [])
    assert again.out == "5 layer versions in 3 of 3 regions: nothing to do\n"


# Left alone


def test_rows_and_layers_of_other_publishers_are_left_alone(published: Publishing) -> None:
    row = row_of(published, ARN_IRELAND)
    assert row is not None
    other_account = layer_arn(ARN_IRELAND.replace(ACCOUNT, "210987654321"))
    acme = layer_arn(ARN.format(IRELAND, LAYER.replace("ocel", "acme"), 1))
    far = layer_arn(ARN.format("eu-central-1", LAYER, 1))
    for arn in (other_account, acme, far):
        assert published.registry().put(replace(row, arn=arn)) is None
    no_row = ARN.format(IRELAND, "ocel-tools", 1)
    store(published, {"layer_arn": {"S": no_row}, "distribution": {"S": "minimal"}})
    store(published, {"layer_arn": {"S": "hello"}, "distribution": {"S": "minimal"}})
    publish_by_hand(published, IRELAND, "ocel-tools")
    publish_by_hand(published, IRELAND, "acme-amd64-minimal-0_155_0-beta")
    assert nothing_to_do(published)
    done = synced(published)
    assert {each.key for each in done.foreign} == {no_row, "hello"}
    assert left(done) == {"ocel-tools": "its name contains no known distribution"}
    check_synced(done)


def test_a_version_that_is_not_listed_but_exists_keeps_its_row(
    published: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_client: RegionClient, _layer: str) -> list[LayerVersion]:
        return []

    monkeypatch.setattr(RegionClient, "versions", nothing)
    assert nothing_to_do(published)
    assert len(left(synced(published))) == 6


def test_a_row_that_changed_since_it_was_read_is_left_alone(published: Publishing) -> None:
    unpublish(published, ARN_IRELAND)
    row = row_of(published, ARN_IRELAND)
    assert row is not None

    def change(_: Call) -> None:
        store(published, with_other_content(row).item())

    for operation in ("GetItem", "DeleteItem"):
        store(published, row.item())
        published.aws.rules(Rule(operation=operation, times=1, before=change))
        done = synced(published)
        assert [each.succeeded for each in done.outcomes] == [False]
        assert "has changed since it was read" in done.outcomes[0].error
        assert row_of(published, ARN_IRELAND) == with_other_content(row)
        with pytest.raises(PartlyPublishedError, match="the layers in 1 of 3 regions"):
            check_synced(done)


def test_a_row_that_was_written_meanwhile_is_left_alone(published: Publishing) -> None:
    row = row_of(published, ARN_IRELAND)
    assert row is not None
    drop(published, ARN_IRELAND)

    def write(_: Call) -> None:
        store(published, with_other_content(row).item())

    published.aws.rules(Rule(operation="UpdateItem", times=1, before=write))
    assert [each.succeeded for each in synced(published).outcomes] == [False]
    assert row_of(published, ARN_IRELAND) == with_other_content(row)


def test_a_row_that_was_deleted_meanwhile_is_not_written(published: Publishing) -> None:
    published.client(IRELAND).remove_layer_version_permission(
        LayerName=LAYER, VersionNumber=1, StatementId="publish"
    )
    published.aws.rules(
        Rule(operation="UpdateItem", times=1, before=lambda _: drop(published, ARN_IRELAND))
    )
    assert [each.succeeded for each in synced(published).outcomes] == [False]
    assert item_of(published, ARN_IRELAND) == {}


def test_several_pages_are_read_at_the_pace_that_aws_allows(publishing: Publishing) -> None:
    for at in range(51):
        publish_by_hand(publishing, IRELAND, f"ocel-amd64-minimal-0_{at}_0-beta", described="")
        publish_by_hand(publishing, IRELAND, LAYER, described="")
    last, _ = publish_by_hand(publishing, IRELAND, "ocel-amd64-minimal-0_99_0-beta")
    unpublish(publishing, ARN.format(IRELAND, LAYER, 1))
    publishing.aws.forget()
    with without_garbage_collection():
        done = synced(publishing, regions=[IRELAND])
    assert len(publishing.aws.calls("ListLayers")) == 2
    assert done.regions[0].versions == 51 + 50 + 1
    assert actions(done) == [(last, "record")]
    assert most_in_a_second(publishing.aws.calls(region=IRELAND)) <= 10
    for at in range(2):
        publish_by_hand(publishing, IRELAND, LAYER, described="", epoch=1_700_000_000 + 2 * at)
    publishing.aws.forget()
    assert synced(publishing, regions=[IRELAND]).regions[0].versions == 104
    layers = [call.name.resource for call in publishing.aws.calls("ListLayerVersions")]
    assert layers.count(LAYER) == 2


def test_a_job_summary_is_written(published: Publishing) -> None:
    drop(published, ARN_IRELAND)
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
    (table,) = tables(summary.read_text())
    assert table[1] == [IRELAND, "record", f"{LAYER}:1", "it has no row"]


def buried(publishing: Publishing, arn: str) -> Tombstone:
    """Write the tombstone of a layer version in place of its row."""
    before = row_of(publishing, arn)
    assert before is not None
    made = tombstone(before)
    assert publishing.registry().bury(made, before)
    return made


def test_a_deletion_that_was_not_finished_is_reported_and_left_alone(published: Publishing) -> None:
    made = buried(published, ARN_IRELAND)
    published.aws.forget()
    ran = ocelot_sync(published, "--json")
    assert ran.code == 0, ran.err
    (reported,) = json_regions(ran)[IRELAND]["left"]
    assert reported["what"] == ARN_IRELAND
    assert "ocelot reap" in reported["reason"]
    assert published.writes() == []
    assert published.aws.calls("GetLayerVersion") == []
    assert published.registry().row(layer_arn(ARN_IRELAND)) == made


def test_a_tombstone_of_a_deleted_layer_version_stays(published: Publishing) -> None:
    made = buried(published, ARN_IRELAND)
    unpublish(published, ARN_IRELAND)
    assert nothing_to_do(published)
    assert left(synced(published)) == {}
    assert published.registry().row(layer_arn(ARN_IRELAND)) == made


def test_a_tombstone_that_is_written_meanwhile_is_no_failure(published: Publishing) -> None:
    made: list[Tombstone] = []
    before = row_of(published, ARN_IRELAND)
    assert before is not None
    drop(published, ARN_IRELAND)

    def bury(_: Call) -> None:
        made.append(tombstone(before))
        assert published.registry().bury(made[0], None)

    published.aws.rules(Rule(operation="UpdateItem", times=1, before=bury))
    done = synced(published)
    assert [each.error for each in done.outcomes] == [""]
    check_synced(done)
    assert published.registry().row(layer_arn(ARN_IRELAND)) == made[0]
