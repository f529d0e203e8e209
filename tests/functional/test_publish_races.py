"""Several `ocelot publish` of the same zips at once: in the end each target exists exactly once."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Sequence

import pytest
from aws_rules import Call, Gate, Rule
from aws_wire import ACCESS_DENIED
from publishing import FRANCE, IRELAND, LAYER, OHIO, Publishing, version_arn
from syncing import actions, left, publish_by_hand, synced

from pipeline.publish.plan import PublishStep

PUBLISH = "PublishLayerVersion"
MACHINES = ("cache", "other")


def all_search_before_any_publishes(publishing: Publishing, publishers: int) -> None:
    """Hold every PublishLayerVersion until all publishers have searched for all targets."""
    held = Gate()
    seen: list[Call] = []
    targets = len(publishing.regions) * len(publishing.packages())

    def hold(call: Call) -> None:
        seen.append(call)
        if len(seen) == publishers * targets:
            held.opened.set()
        held(call)

    publishing.aws.rules(Rule(operation=PUBLISH, before=hold))


def arns_of(publishing: Publishing, caches: Sequence[str]) -> list[list[str]]:
    """Publish from several processes at once, and return the ARNs that each of them reports."""
    processes = [publishing.start("--json", cache=cache) for cache in caches]
    outs = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(caches), outs
    return [[each["arn"] for each in json.loads(out)["targets"]] for out, _ in outs]


def test_on_one_machine_publishers_take_turns(publishing: Publishing) -> None:
    publishing.regions = [IRELAND, FRANCE]
    first, *others = arns_of(publishing, ["cache"] * 4)
    assert others == [first] * 3
    assert len(publishing.aws.calls(PUBLISH)) == 4  # each zip once in each region
    publishing.check_every_target_exists_once()


def test_a_publisher_that_waits_says_so_and_can_be_interrupted(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]
    publishes = Gate()
    started = threading.Event()

    def hold(call: Call) -> None:
        started.set()
        publishes(call)

    publishing.aws.rules(Rule(operation=PUBLISH, before=hold))
    first = publishing.start()
    assert started.wait(60)
    second = publishing.start()
    assert second.stderr
    line = next(line for line in second.stderr if "waiting" in line)
    assert LAYER in line
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 130
    publishes.opened.set()
    assert first.wait(60) == 0
    publishing.check_every_target_exists_once()


def test_layers_of_another_release_group_are_not_waited_for(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]
    publishes = Gate()
    started = threading.Event()

    def hold(call: Call) -> None:
        if call.name.resource == LAYER:
            started.set()
            publishes(call)

    publishing.aws.rules(Rule(operation=PUBLISH, before=hold))
    first = publishing.start()
    assert started.wait(60)
    assert publishing.ocelot("--release-group", "other").code == 0
    assert publishing.ocelot("--dry-run").code == 0
    assert first.poll() is None
    publishes.opened.set()
    assert first.wait(60) == 0


def test_without_a_place_for_the_lock_publishing_works(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]
    (publishing.folder / "cache").write_text("no folder")
    ran = publishing.ocelot("--public")
    assert ran.code == 0, ran.err
    assert "are not waited for" in ran.err
    publishing.check_every_target_exists_once()


def test_of_two_machines_the_later_version_is_deleted(publishing: Publishing) -> None:
    all_search_before_any_publishes(publishing, 2)
    arns = arns_of(publishing, MACHINES)
    assert arns[0] == arns[1]
    assert all(arn.endswith(":1") for arn in arns[0])
    assert len(publishing.aws.calls(PUBLISH)) == 12
    publishing.check_every_target_exists_once()


def let_another_publish_first(publishing: Publishing, *rules: Rule) -> None:
    """Have another publisher's version of the only zip, in Ireland, just before ours."""
    publishing.regions = [IRELAND]
    (publishing.zips / "collector-arm64-minimal.zip").unlink()
    manifest = json.loads((publishing.zips / "manifest.json").read_text())
    manifest["layers"] = [each for each in manifest["layers"] if each["architecture"] == "amd64"]
    (publishing.zips / "manifest.json").write_text(json.dumps(manifest))
    publishing.aws.rules(
        Rule(
            operation=PUBLISH,
            times=1,
            before=lambda _: publish_by_hand(publishing, IRELAND, LAYER),
        ),
        *rules,
    )


def versions(publishing: Publishing) -> tuple[int, ...]:
    return publishing.state(IRELAND, publishing.packages()[0]).versions


def test_a_double_that_may_not_be_deleted_is_reported(publishing: Publishing) -> None:
    denied = Rule(operation="DeleteLayerVersion", error=ACCESS_DENIED)
    let_another_publish_first(publishing, denied)
    ran = publishing.ocelot("--public")
    assert ran.code == 0, ran.err
    assert versions(publishing) == (1, 2)
    assert "version 2" in ran.out


@pytest.mark.parametrize("use", ["recorded", "public"])
def test_a_double_that_is_in_use_is_left_alone(publishing: Publishing, use: str) -> None:
    client = publishing.client()

    def used(_: Call) -> None:
        if use == "public":
            client.add_layer_version_permission(
                LayerName=LAYER,
                VersionNumber=2,
                StatementId="publish",
                Action="lambda:GetLayerVersion",
                Principal="*",
            )
        else:
            publishing.aws.client("dynamodb", "us-east-1").put_item(
                TableName=publishing.registry().table,
                Item={"layer_arn": {"S": str(version_arn(IRELAND, LAYER, 2))}},
            )

    let_another_publish_first(publishing, Rule(operation=PUBLISH, times=1, after=used))
    (done,) = publishing.publish().outcomes
    assert done.error == ""
    assert done.done == (PublishStep.PUBLISH, PublishStep.MAKE_PUBLIC, PublishStep.RECORD)
    assert versions(publishing) == (1, 2)
    assert len(done.notes) == 2


def test_layers_sync_reports_doubles_and_records_none(published: Publishing) -> None:
    published.publish()
    package = published.packages()[0]
    path = published.zips / "collector-amd64-minimal.zip"
    for region in (IRELAND, IRELAND, OHIO):
        published.client(region).publish_layer_version(
            LayerName=LAYER,
            Content={"ZipFile": path.read_bytes()},
            Description=package.description,
        )
    done = synced(published)
    assert actions(done) == []
    assert set(left(done)) == {
        *(str(version_arn(IRELAND, LAYER, number)) for number in (2, 3)),
        str(version_arn(OHIO, LAYER, 2)),
    }
