"""Publishing a layer version that a reaper deletes at the same time, or has a tombstone of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aws_rules import Call, Rule
from aws_wire import ACCESS_DENIED
from publishing import IRELAND, LAYER, Publishing
from registry_examples import tombstone
from syncing import row_of, unpublish
from test_published_parameters import (
    LATEST,
    VERSION,
    arn,
    errors,
    only_amd64,
    published,
    ssm,
    values,
)

from pipeline.naming import layer_arn
from pipeline.publish.plan import PublishStep
from pipeline.registry.tombstone import Tombstone

STEPS = (PublishStep.MAKE_PUBLIC, PublishStep.RECORD, PublishStep.PARAMETERS)


@pytest.fixture
def buried(publishing: Publishing) -> Tombstone:
    """The tombstone of a private layer version that still exists and that no parameter names."""
    only_amd64(publishing)
    publishing.publish(public=None)
    before = row_of(publishing, arn(1))
    assert before
    made = tombstone(before)
    assert publishing.registry().bury(made, before)
    publishing.aws.forget()
    return made


def deletion(publishing: Publishing, operation: str, when: str, *, skip: int = 0) -> Rule:
    """Return a rule that deletes the layer version before or after a call."""

    def delete(_: Call) -> None:
        unpublish(publishing, arn(1))

    rule = Rule(operation=operation, skip=skip, times=1)
    return replace(rule, before=delete) if when == "before" else replace(rule, after=delete)


def versions(publishing: Publishing) -> list[int]:
    publishing.aws.rules()
    listed = publishing.client(IRELAND).list_layer_versions(LayerName=LAYER)["LayerVersions"]
    return [each["Version"] for each in listed]


def check_only_the_new_version_is_named(publishing: Publishing) -> None:
    """Check that rows and parameters name the second version, and that it alone exists."""
    assert versions(publishing) == [2]
    assert values(publishing) == {LATEST: arn(2), VERSION: arn(2)}
    found = publishing.registry().all()
    assert [str(each.arn) for each in found.rows] == [arn(2)]
    assert [str(each.arn) for each in found.tombstones] == [arn(1)]
    assert found.rows[0].public
    assert found.tombstones[0].row.code_sha256 == found.rows[0].code_sha256


def test_a_tombstone_of_a_version_that_exists_is_a_row_again(
    publishing: Publishing, buried: Tombstone
) -> None:
    (done,) = published(publishing, public=True).outcomes
    assert (done.error, done.done, done.notes) == ("", STEPS, ())
    row = row_of(publishing, arn(1))
    assert row
    assert row.publish_timestamp == buried.row.publish_timestamp
    assert values(publishing) == {LATEST: arn(1), VERSION: arn(1)}
    # looked at once when it was searched for, and once after all
    assert len(publishing.aws.calls("GetLayerVersion")) == 2
    publishing.aws.forget()
    assert errors(published(publishing, public=True)) == []
    assert publishing.writes() == []
    assert len(publishing.aws.calls("GetLayerVersion")) == 1


@pytest.mark.usefixtures("buried")
@pytest.mark.parametrize(
    ("operation", "skip", "when"),
    [
        ("GetLayerVersionPolicy", 0, "before"),
        ("GetItem", 0, "before"),
        ("AddLayerVersionPermission", 0, "before"),
        ("AddLayerVersionPermission", 0, "after"),
        ("UpdateItem", 0, "before"),
        ("UpdateItem", 0, "after"),
        ("UpdateItem", 1, "after"),
        ("PutParameter", 0, "before"),
        ("PutParameter", 1, "before"),
        ("PutParameter", 1, "after"),
        ("GetLayerVersion", 1, "before"),
    ],
)
def test_a_version_that_is_deleted_meanwhile_is_published_anew(
    publishing: Publishing, operation: str, skip: int, when: str
) -> None:
    publishing.aws.rules(deletion(publishing, operation, when, skip=skip))
    (done,) = published(publishing, public=True).outcomes
    assert done.error == ""
    assert done.done == (PublishStep.PUBLISH, *STEPS)
    assert done.arn == arn(2)
    assert len(done.notes) == 1
    check_only_the_new_version_is_named(publishing)


@pytest.mark.usefixtures("buried")
def test_what_fails_after_a_deletion_is_done_by_the_next_run(publishing: Publishing) -> None:
    denied = Rule(operation="PublishLayerVersion", error=ACCESS_DENIED)
    publishing.aws.rules(deletion(publishing, "PutParameter", "after", skip=1), denied)
    (done,) = published(publishing, public=True).outcomes
    assert (done.done, done.arn, versions(publishing)) == ((), "", [])
    assert "PublishLayerVersion" in done.error
    assert isinstance(publishing.registry().row(layer_arn(arn(1))), Tombstone)
    assert errors(published(publishing, public=True)) == []
    check_only_the_new_version_is_named(publishing)


def test_a_failed_step_is_reported_though_the_version_exists(publishing: Publishing) -> None:
    only_amd64(publishing)
    publishing.publish(public=None)
    publishing.aws.rules(Rule(operation="AddLayerVersionPermission", error=ACCESS_DENIED))
    (done,) = published(publishing, public=True).outcomes
    assert "AddLayerVersionPermission" in done.error
    assert versions(publishing) == [1]


def test_a_parameter_moves_back_from_a_newer_version_that_was_deleted(
    publishing: Publishing,
) -> None:
    only_amd64(publishing)
    published(publishing)
    newer = only_amd64(publishing, "v0.156.0")
    published(publishing)
    only_amd64(publishing)
    publishing.aws.forget()
    assert errors(published(publishing)) == []
    assert values(publishing)[LATEST] == arn(1, layer=newer)
    assert publishing.aws.calls("PutParameter") == []
    unpublish(publishing, arn(1, layer=newer))
    assert errors(published(publishing)) == []
    assert values(publishing)[LATEST] == arn(1)


def test_a_parameter_moves_from_a_deleted_version_of_the_same_layer(publishing: Publishing) -> None:
    only_amd64(publishing)
    published(publishing)
    only_amd64(publishing, epoch=1_760_000_000)
    published(publishing)
    assert values(publishing)[LATEST] == arn(2)
    unpublish(publishing, arn(2))
    only_amd64(publishing)
    ssm(publishing).delete_parameter(Name=VERSION)
    assert errors(published(publishing)) == []
    assert values(publishing) == {LATEST: arn(1), VERSION: arn(1)}
