"""The parameters in SSM that name the published layers, against an AWS with and without faults."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aws_parameters import PUTS_PER_SECOND, READS_PER_SECOND, SSM_DENIED, SSM_THROTTLED
from aws_rules import Call, Gate, Rule
from aws_wire import UNAVAILABLE
from publish_examples import AMD64, GROUP, OPTIONS, content, dist, write_manifest
from publishing import (
    FRANCE,
    IRELAND,
    LAYER,
    REGIONS,
    Publishing,
    json_targets,
    kills,
    version_arn,
)
from unit_examples import layer

from pipeline.aws.pace import Pace
from pipeline.aws.session import default_aws, lambda_regions
from pipeline.aws.ssm import WRITE_SPACING_SECONDS, RegionParameters
from pipeline.errors import AwsError
from pipeline.naming import Architecture
from pipeline.parameters.plan import ParameterAction
from pipeline.publish.package import Package, read_packages
from pipeline.publish.plan import PublishStep
from pipeline.publish.run import PublishResult

PREFIX = "/ocel"
AMD = f"{PREFIX}/minimal/amd64"
LATEST, VERSION = f"{AMD}/latest", f"{AMD}/0.155.0"
PUT, TAG, GET = "PutParameter", "AddTagsToResource", "GetParameters"
OTHER_ACCOUNT = f"arn:aws:lambda:{IRELAND}:210987654321:layer:{LAYER}:1"


def published(publishing: Publishing, **more: Any) -> PublishResult:  # noqa: ANN401
    """Publish with parameters, in this process."""
    return publishing.publish(ssm_prefix=PREFIX, **more)


def ssm(publishing: Publishing, region: str = IRELAND) -> Any:  # noqa: ANN401
    return publishing.aws.client("ssm", region)


def values(publishing: Publishing, region: str = IRELAND, *, prefix: str = AMD) -> dict[str, str]:
    """Return the values of a region's parameters, by name."""
    pages = ssm(publishing, region).get_paginator("get_parameters_by_path")
    return {
        each["Name"]: each["Value"]
        for page in pages.paginate(Path=prefix, Recursive=True)
        for each in page["Parameters"]
    }


def tags(publishing: Publishing, name: str, region: str = IRELAND) -> dict[str, str]:
    found = ssm(publishing, region).list_tags_for_resource(
        ResourceType="Parameter", ResourceId=name
    )
    return {each["Key"]: each["Value"] for each in found["TagList"]}


def arn(number: int, *, layer: str = LAYER, region: str = IRELAND) -> str:
    return str(version_arn(region, layer, number))


def packed(folder: Path, version: str, epoch: int = 1_750_000_000) -> Package:
    """Write a zip of a collector version, and its manifest."""
    dist(folder, AMD64, epoch=epoch)
    one = layer(AMD64, content(AMD64, epoch)).model_copy(update={"collector_version": version})
    write_manifest(folder, [one])
    return read_packages(OPTIONS, GROUP, [folder])[0]


def only_amd64(
    publishing: Publishing, version: str = "v0.155.0", epoch: int = 1_750_000_000
) -> str:
    """Have one zip of a collector version to publish, in Ireland; return its layer's name."""
    publishing.regions = [IRELAND]
    return packed(publishing.zips, version, epoch).layer


def errors(done: PublishResult) -> list[str]:
    return [each.error for each in done.outcomes if each.error]


def actions(done: PublishResult) -> dict[str, ParameterAction]:
    return {one.name: one.action for each in done.outcomes for one in each.parameters}


# Created, moved, kept


def test_parameters_name_each_layer_in_its_region(publishing: Publishing) -> None:
    ran = publishing.ocelot("--ssm-prefix", PREFIX, "--json")
    assert ran.code == 0, ran.err
    for region in REGIONS:
        assert values(publishing, region, prefix=PREFIX) == {
            f"{PREFIX}/minimal/{each}/{last}": arn(
                1, layer=LAYER.replace("amd64", each), region=region
            )
            for each in Architecture
            for last in ("0.155.0", "latest")
        }
    target = json_targets(ran)[f"{IRELAND} amd64"]
    assert target["done"] == ["publish", "record", "set parameters"]
    assert [(each["name"], each["action"], each["value"]) for each in target["parameters"]] == [
        (VERSION, "create", arn(1)),
        (LATEST, "create", arn(1)),
    ]


def test_tags_name_the_release(publishing: Publishing) -> None:
    published(publishing)
    expected = {
        "ocelot:distribution": "minimal",
        "ocelot:collector-version": "v0.155.0",
        "ocelot:release-group": "beta",
        "ocelot:sha256": publishing.packages()[0].sha256,
    }
    assert tags(publishing, LATEST) == tags(publishing, VERSION) == expected


def test_a_second_run_writes_nothing(publishing: Publishing) -> None:
    published(publishing)
    publishing.aws.forget()
    again = published(publishing)
    assert (errors(again), publishing.writes()) == ([], [])
    assert set(actions(again).values()) == {ParameterAction.KEEP}


def test_without_a_prefix_ssm_is_not_called(publishing: Publishing) -> None:
    assert publishing.ocelot().code == 0
    assert [call for call in publishing.aws.calls() if call.name.service == "ssm"] == []


def test_parameters_move_to_other_content_of_the_same_version(publishing: Publishing) -> None:
    only_amd64(publishing)
    published(publishing)
    only_amd64(publishing, epoch=1_760_000_000)
    publishing.aws.forget()
    assert errors(published(publishing)) == []
    assert values(publishing) == {LATEST: arn(2), VERSION: arn(2)}
    assert tags(publishing, LATEST)["ocelot:sha256"] == publishing.packages()[0].sha256
    assert len(publishing.aws.calls(PUT)) == len(publishing.aws.calls(TAG)) == 2


def test_only_latest_moves_to_a_newer_version(publishing: Publishing) -> None:
    only_amd64(publishing)
    published(publishing)
    newer = only_amd64(publishing, "v0.156.0")
    published(publishing)
    assert values(publishing) == {
        VERSION: arn(1),
        f"{AMD}/0.156.0": arn(1, layer=newer),
        LATEST: arn(1, layer=newer),
    }


def test_a_dry_run_shows_parameters_and_writes_none(publishing: Publishing) -> None:
    ran = publishing.ocelot("--ssm-prefix", PREFIX, "--dry-run", "--json")
    assert ran.code == 0, ran.err
    target = json_targets(ran)[f"{FRANCE} arm64"]
    assert target["steps"] == ["publish", "record", "set parameters"]
    assert [each["action"] for each in target["parameters"]] == ["create", "create"]
    assert publishing.writes() == []
    table = publishing.ocelot("--ssm-prefix", PREFIX, "--dry-run")
    assert f"and 2 more: {LATEST} is to be created" in table.out


# Left alone


def test_latest_does_not_move_to_an_older_version_unless_requested(publishing: Publishing) -> None:
    newer = only_amd64(publishing, "v0.156.0")
    published(publishing)
    only_amd64(publishing)
    done = published(publishing)
    assert errors(done) == []
    assert actions(done) == {VERSION: ParameterAction.CREATE, LATEST: ParameterAction.LEAVE}
    assert values(publishing)[LATEST] == arn(1, layer=newer)
    ran = publishing.ocelot("--ssm-prefix", PREFIX)
    (line,) = [line for line in ran.out.splitlines() if f"{LATEST} is left alone" in line]
    assert (ran.code, "--move-back" in line) == (0, True)
    back = publishing.ocelot("--ssm-prefix", PREFIX, "--move-back")
    assert (back.code, f"{LATEST} was moved from {newer}" in back.out) == (0, True)
    assert values(publishing)[LATEST] == arn(1)
    assert tags(publishing, LATEST)["ocelot:collector-version"] == "v0.155.0"


def test_parameters_do_not_move_to_older_content_unless_requested(publishing: Publishing) -> None:
    for epoch in (1_750_000_000, 1_760_000_000, 1_750_000_000):
        only_amd64(publishing, epoch=epoch)
        assert errors(published(publishing)) == []
    assert values(publishing) == {LATEST: arn(2), VERSION: arn(2)}
    published(publishing, move_back=True)
    assert values(publishing) == {LATEST: arn(1), VERSION: arn(1)}


def test_a_local_release_does_not_move_latest(publishing: Publishing) -> None:
    local = LAYER.replace("beta", "local")
    only_amd64(publishing)
    first = published(publishing, release_group="local")
    assert errors(first) == []
    assert values(publishing) == {VERSION: arn(1, layer=local)}
    published(publishing)
    assert values(publishing) == {VERSION: arn(1), LATEST: arn(1)}
    only_amd64(publishing, "v0.156.0")
    for more in ({}, {"move_back": True}):
        published(publishing, release_group="local", **more)
        assert values(publishing)[LATEST] == arn(1)
        assert values(publishing)[VERSION] == arn(1)


def test_parameters_of_another_release_group_move_only_if_requested(
    publishing: Publishing,
) -> None:
    only_amd64(publishing)
    published(publishing, release_group="prod")
    prod = arn(1, layer=LAYER.replace("beta", "prod"))
    only_amd64(publishing, "v0.156.0")
    done = published(publishing)
    assert errors(done) == []
    assert actions(done)[LATEST] == ParameterAction.LEAVE
    assert values(publishing)[LATEST] == values(publishing)[VERSION] == prod
    published(publishing, move_back=True)
    assert values(publishing)[LATEST] == arn(1, layer=LAYER.replace("0_155", "0_156"))


FOREIGN = {
    "text": ("String", "a text"),
    "another account's": ("String", OTHER_ACCOUNT),
    "another publisher's": ("String", arn(1).replace("ocel-", "acme-")),
    "another architecture's": ("String", arn(1).replace("amd64", "arm64")),
    "another region's": ("String", arn(1, region=FRANCE)),
    "a secret": ("SecureString", arn(1)),
    "a list": ("StringList", arn(1)),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("move_back", [False, True])
def test_a_foreign_value_is_left_alone_and_is_an_error(
    publishing: Publishing,
    kind: str,
    move_back: bool,  # noqa: FBT001
) -> None:
    only_amd64(publishing)
    ssm(publishing).put_parameter(Name=LATEST, Type=FOREIGN[kind][0], Value=FOREIGN[kind][1])
    before = ssm(publishing).get_parameter(Name=LATEST)["Parameter"]
    (done,) = published(publishing, move_back=move_back).outcomes
    assert LATEST in done.error
    assert "--ssm-prefix" in done.error
    assert PublishStep.RECORD in done.done
    assert ssm(publishing).get_parameter(Name=LATEST)["Parameter"] == before
    assert values(publishing)[VERSION] == arn(1)


def test_a_foreign_value_is_not_shown(publishing: Publishing) -> None:
    only_amd64(publishing)
    ssm(publishing).put_parameter(Name=LATEST, Type="String", Value="hush")
    ran = publishing.ocelot("--ssm-prefix", PREFIX, "--json")
    assert ran.code == 12
    assert "hush" not in ran.out + ran.err
    found = json.loads(ran.out)["targets"][0]["parameters"][1]
    assert (found["action"], found["value"], found["before"]) == ("foreign", "", "")


# Faults


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize(
    "rule",
    [
        Rule(operation=PUT, times=2, error=SSM_THROTTLED),
        Rule(operation=PUT, times=2, error=UNAVAILABLE),
        Rule(operation=PUT, times=1, reset="answer"),
        Rule(operation=PUT, skip=1, times=1, reset="answer"),
        Rule(operation=PUT, times=1, reset="head"),
        Rule(operation=TAG, times=2, error=SSM_THROTTLED),
        Rule(operation=TAG, times=1, reset="answer"),
        Rule(operation=GET, times=2, error=SSM_THROTTLED),
        Rule(operation=GET, skip=2, times=2, reset="answer"),
    ],
    ids=lambda rule: f"{rule.operation} {rule.skip} {rule.reset or rule.error.code}",
)
def test_after_a_short_fault_parameters_are_right(
    publishing: Publishing,
    rule: Rule,
    moved: bool,  # noqa: FBT001
) -> None:
    if moved:
        only_amd64(publishing, epoch=1_740_000_000)
        published(publishing)
    only_amd64(publishing)
    publishing.aws.rules(rule)
    assert errors(published(publishing)) == []
    assert values(publishing) == {LATEST: arn(1 + moved), VERSION: arn(1 + moved)}
    sha256 = publishing.packages()[0].sha256
    assert {tags(publishing, each)["ocelot:sha256"] for each in (LATEST, VERSION)} == {sha256}


def test_a_run_that_may_not_read_parameters_publishes_nothing(publishing: Publishing) -> None:
    only_amd64(publishing)
    publishing.aws.rules(Rule(operation=GET, error=SSM_DENIED))
    (done,) = published(publishing).outcomes
    assert "ssm:GetParameters" in done.error
    assert "SsmPrefix=/ocel" in done.error
    assert publishing.writes() == []


@pytest.mark.parametrize("operation", [PUT, TAG])
def test_a_run_that_may_not_write_parameters_is_completed_by_the_next(
    publishing: Publishing, operation: str
) -> None:
    only_amd64(publishing, epoch=1_740_000_000)
    published(publishing)
    only_amd64(publishing)
    publishing.aws.rules(Rule(operation=operation, error=SSM_DENIED))
    (done,) = published(publishing).outcomes
    assert f"ssm:{operation}" in done.error
    assert "SsmPrefix=/ocel" in done.error
    assert done.done == (PublishStep.PUBLISH, PublishStep.MAKE_PUBLIC, PublishStep.RECORD)
    publishing.aws.rules()
    assert errors(published(publishing)) == []
    assert values(publishing) == {LATEST: arn(2), VERSION: arn(2)}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", [(TAG, 0), (PUT, 0), (PUT, 1)])
def test_a_run_that_was_killed_is_completed_by_the_next(
    publishing: Publishing, at: tuple[str, int], moment: str
) -> None:
    only_amd64(publishing, epoch=1_740_000_000)
    published(publishing)
    only_amd64(publishing)
    started: list[subprocess.Popen[str]] = []
    hook: Any = {moment: kills(started, signal.SIGKILL)}
    publishing.aws.rules(Rule(operation=at[0], skip=at[1], **hook))
    started.append(publishing.start("--ssm-prefix", PREFIX))
    assert started[0].wait(60) == -signal.SIGKILL
    publishing.aws.idle()
    publishing.aws.rules()
    assert errors(published(publishing)) == []
    assert values(publishing) == {LATEST: arn(2), VERSION: arn(2)}
    sha256 = publishing.packages()[0].sha256
    assert {tags(publishing, each)["ocelot:sha256"] for each in (LATEST, VERSION)} == {sha256}


# Several at once


def test_two_publishers_at_once_write_the_same(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]
    held, seen = Gate(), list[Call]()

    def hold(call: Call) -> None:
        seen.append(call)
        if len(seen) == 2:  # one of each publisher
            held.opened.set()
        held(call)

    publishing.aws.rules(Rule(operation=PUT, before=hold))
    processes = [
        publishing.start("--ssm-prefix", PREFIX, "--json", cache=cache)
        for cache in ("cache", "other")
    ]
    outs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outs
    assert values(publishing) == {LATEST: arn(1), VERSION: arn(1)}


def another_writes(publishing: Publishing, value: str) -> Any:  # noqa: ANN401
    """Return a hook by which another publisher writes `latest`, once, just before us."""
    client, wrote = ssm(publishing), list[Call]()

    def write(call: Call) -> None:
        if call.name.resource == LATEST and not wrote:
            wrote.append(call)
            client.put_parameter(Name=LATEST, Value=value, Type="String", Overwrite=True)

    return write


@pytest.mark.parametrize("present", [False, True])
@pytest.mark.parametrize("theirs", ["v0.154.0", "v0.157.0"])
def test_of_two_versions_at_once_latest_names_the_newer(
    publishing: Publishing,
    theirs: str,
    present: bool,  # noqa: FBT001
) -> None:
    other = only_amd64(publishing, theirs)
    publishing.publish()
    if present:
        only_amd64(publishing, "v0.153.0")
        published(publishing)
    only_amd64(publishing)
    hook = another_writes(publishing, arn(1, layer=other))
    publishing.aws.rules(Rule(operation=PUT, before=hook))
    assert errors(published(publishing)) == []
    newer = other if theirs == "v0.157.0" else LAYER
    assert values(publishing)[LATEST] == arn(1, layer=newer)
    named = theirs if newer == other else "v0.155.0"
    if present or newer == LAYER:
        assert tags(publishing, LATEST)["ocelot:collector-version"] == named


def test_two_versions_in_one_run_leave_latest_at_the_newer(publishing: Publishing) -> None:
    older = packed(publishing.folder / "older", "v0.155.0")
    newer = packed(publishing.folder / "newer", "v0.156.0")
    publishing.regions = [IRELAND]
    done = published(publishing, packages=(newer, older))
    assert errors(done) == []
    assert values(publishing)[LATEST] == arn(1, layer=newer.layer)


def test_in_34_regions_the_rate_stays_below_awss_limit(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.regions = lambda_regions()[:34]
    publishing.aws.emulator.parameters.has_rates = True
    sent = defaultdict[Pace, list[float]](list)

    class RecordedPace(Pace):
        """Records when requests are sent; when they arrive depends on this machine's load."""

        def wait(self, **more: object) -> None:
            super().wait(**more)
            sent[self].append(time.monotonic())

    monkeypatch.setattr("pipeline.aws.ssm.Pace", RecordedPace)
    assert errors(published(publishing)) == []
    for region in publishing.regions:
        assert set(values(publishing, region)) == {LATEST, VERSION}
    writes = [times for pace, times in sent.items() if pace.spacing == WRITE_SPACING_SECONDS]
    assert len(writes) == 34
    for times in writes:
        assert len(times) >= 4
        assert max(sum(0 <= other - at < 1 for other in times) for at in times) <= PUTS_PER_SECOND


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Name": f"{PREFIX}/a b"}, "ValidationException"),
        ({"Name": "/a" * 16}, "HierarchyLevelLimitExceeded"),
        ({"Name": "/" + "a" * 1000}, "ValidationException"),
        ({"Name": "/aws/a"}, "AccessDeniedException"),
        ({"Name": "/ssm/a"}, "ValidationException"),
        ({"Tags": [{"Key": "a", "Value": "b*"}], "Overwrite": False}, "ValidationException"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "ValidationException"),
        ({"Type": "StringList"}, "HierarchyTypeMismatchException"),
        ({"Overwrite": False}, "ParameterAlreadyExists"),
    ],
)
def test_the_stand_in_refuses_what_aws_refuses(
    publishing: Publishing, changed: dict[str, Any], code: str
) -> None:
    client = ssm(publishing)
    given = {"Name": LATEST, "Type": "String", "Value": "x", "Overwrite": True}
    client.put_parameter(**given)
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.put_parameter(**{**given, **changed})
    assert caught.value.response["Error"]["Code"] == code


def test_the_stand_in_has_awss_rates_and_limits(publishing: Publishing) -> None:
    publishing.aws.emulator.parameters.has_rates = True
    client = ssm(publishing)
    codes = list[str]()
    for number in range(2 * PUTS_PER_SECOND):
        try:
            client.put_parameter(Name=f"/a/{number}", Type="String", Value="x")
        except client.exceptions.ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert set(codes) == {SSM_THROTTLED.code}
    with pytest.raises(client.exceptions.ClientError):
        client.get_parameters(Names=[f"/a/{number}" for number in range(11)])


def test_more_names_than_one_request_takes_are_read(publishing: Publishing) -> None:
    names = [f"{PREFIX}/{number}" for number in range(25)]
    for each in names[::2]:
        ssm(publishing).put_parameter(Name=each, Type="String", Value=each)
    publishing.aws.forget()
    found = RegionParameters(default_aws(), IRELAND, PREFIX).read(names)
    assert {name: each.value for name, each in found.items()} == {n: n for n in names[::2]}
    assert len(publishing.aws.calls(GET)) == 3


def test_all_parameters_below_the_prefix_are_listed(publishing: Publishing) -> None:
    names = [f"{PREFIX}/{each}/{number}/latest" for each in "ab" for number in range(12)]
    for each in [*names, "/ocelot/other", "/other/ocel/a", "/ocel-b/a"]:
        ssm(publishing).put_parameter(Name=each, Type="String", Value=each)
    publishing.aws.forget()
    client = RegionParameters(default_aws(), IRELAND, PREFIX)
    assert {name: each.value for name, each in client.below().items()} == {n: n for n in names}
    assert len(publishing.aws.calls("GetParametersByPath")) == 3
    assert RegionParameters(default_aws(), FRANCE, PREFIX).below() == {}


def test_a_parameter_is_deleted_whatever_faults_there_are(publishing: Publishing) -> None:
    client = RegionParameters(default_aws(), IRELAND, PREFIX)
    client.delete(LATEST)  # there is none
    for rule in (
        Rule(operation="DeleteParameter", times=1, reset="answer"),
        Rule(operation="DeleteParameter", times=2, error=SSM_THROTTLED),
        Rule(operation="DeleteParameter", times=2, error=UNAVAILABLE),
    ):
        ssm(publishing).put_parameter(Name=LATEST, Type="String", Value="x")
        publishing.aws.rules(rule)
        client.delete(LATEST)
        assert client.below() == {}


@pytest.mark.parametrize(
    ("operation", "work"),
    [
        ("GetParametersByPath", RegionParameters.below),
        ("DeleteParameter", partial(RegionParameters.delete, name=LATEST)),
    ],
)
def test_a_missing_permission_to_list_or_delete_is_named(
    publishing: Publishing, operation: str, work: Callable[[RegionParameters], object]
) -> None:
    publishing.aws.rules(Rule(operation=operation, error=SSM_DENIED))
    with pytest.raises(AwsError) as caught:
        work(RegionParameters(default_aws(), IRELAND, PREFIX))
    assert f"ssm:{operation}" in caught.value.hint


def test_parameters_are_listed_and_deleted_at_awss_rates(publishing: Publishing) -> None:
    names = [f"{PREFIX}/{number}" for number in range(6)]
    for each in names:
        ssm(publishing).put_parameter(Name=each, Type="String", Value="x")
    publishing.aws.emulator.parameters.has_rates = True
    client = RegionParameters(default_aws(), IRELAND, PREFIX)
    for each in names:
        client.delete(each)
    for _ in range(READS_PER_SECOND + 1):
        assert client.below() == {}
    assert {call.error for call in publishing.aws.calls("DeleteParameter")} == {""}
    assert {call.error for call in publishing.aws.calls("GetParametersByPath")} == {""}


def test_the_stand_in_lists_ten_parameters_at_most(publishing: Publishing) -> None:
    client = ssm(publishing)
    with pytest.raises(client.exceptions.ClientError):
        client.get_parameters_by_path(Path=PREFIX, MaxResults=11)
    publishing.aws.emulator.parameters.has_rates = True
    codes = list[str]()
    for _ in range(2 * PUTS_PER_SECOND):
        try:
            client.delete_parameter(Name=LATEST)
        except client.exceptions.ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert set(codes) == {SSM_THROTTLED.code, "ParameterNotFound"}
