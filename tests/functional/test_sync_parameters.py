"""`ocelot layers sync --ssm-prefix`: parameters that do not name the newest layers are repaired."""

from __future__ import annotations

import json
from unittest.mock import ANY

import pytest
from aws_parameters import SSM_DENIED
from aws_rules import Rule
from publishing import IRELAND, LAYER, REGIONS, Publishing, version_arn
from registry_examples import tombstone
from syncing import ocelot_sync, publish_by_hand, row_of, synced, unpublish
from test_published_parameters import (
    AMD,
    LATEST,
    PREFIX,
    VERSION,
    arn,
    only_amd64,
    published,
    ssm,
    tags,
    values,
)

from pipeline.errors import PublishError
from pipeline.parameters.plan import ParameterAction
from pipeline.registry.sync.parameters import DELETED, ParameterSync
from pipeline.registry.sync.run import check_synced

NEWER = LAYER.replace("0_155", "0_156")


def repaired(publishing: Publishing, *, dry_run: bool = False) -> ParameterSync:
    """Sync Ireland, and return what was done to its parameters."""
    (done,) = synced(publishing, regions=[IRELAND], ssm_prefix=PREFIX, dry_run=dry_run).parameters
    return done


def actions(done: ParameterSync) -> dict[str, ParameterAction]:
    return {each.name: each.action for each in done.plans}


def left(done: ParameterSync) -> dict[str, str]:
    return {
        **{each.name: each.reason for each in done.plans if each.reason},
        **{each.what: each.reason for each in done.left},
    }


def test_missing_parameters_are_created_in_every_region(publishing: Publishing) -> None:
    publishing.publish()
    shown = ocelot_sync(publishing, "--ssm-prefix", PREFIX, "--dry-run")
    assert (shown.code, f"{LATEST}" in shown.out) == (0, True)
    assert values(publishing) == {}
    ran = ocelot_sync(publishing, "--ssm-prefix", PREFIX, "--json")
    assert ran.code == 0, ran.err
    for region in REGIONS:
        assert values(publishing, region) == {
            LATEST: arn(1, region=region),
            VERSION: arn(1, region=region),
        }
    plans = json.loads(ran.out)["regions"][0]["parameters"]["plans"]
    assert [each["action"] for each in plans] == ["create"] * 4
    assert tags(publishing, LATEST)["ocelot:sha256"] == publishing.packages()[0].sha256
    publishing.aws.forget()
    assert "nothing to do" in ocelot_sync(publishing, "--ssm-prefix", PREFIX).out
    assert publishing.writes() == []


def test_without_a_prefix_ssm_is_not_called(published_layers: Publishing) -> None:
    done = synced(published_layers)
    assert done.parameters == ()
    assert [call for call in published_layers.aws.calls() if call.name.service == "ssm"] == []


@pytest.fixture
def published_layers(publishing: Publishing) -> Publishing:
    """Two versions in Ireland, with their parameters."""
    only_amd64(publishing)
    published(publishing)
    only_amd64(publishing, "v0.156.0")
    published(publishing)
    publishing.aws.forget()
    return publishing


def test_right_parameters_are_kept(published_layers: Publishing) -> None:
    done = repaired(published_layers)
    assert set(actions(done).values()) == {ParameterAction.KEEP}
    assert published_layers.writes() == []


def test_a_stale_parameter_names_the_newest_layer_again(published_layers: Publishing) -> None:
    ssm(published_layers).put_parameter(Name=LATEST, Value=arn(1), Overwrite=True)
    before = repaired(published_layers, dry_run=True)
    assert [each.name for each in before.changes] == [LATEST]
    assert values(published_layers)[LATEST] == arn(1)
    assert [each.name for each in repaired(published_layers).changes] == [LATEST]
    assert values(published_layers)[LATEST] == arn(1, layer=NEWER)


def test_a_parameter_of_a_deleted_layer_names_the_newest_that_exists(
    published_layers: Publishing,
) -> None:
    unpublish(published_layers, arn(1, layer=NEWER))
    done = repaired(published_layers)
    assert actions(done) == {VERSION: ParameterAction.KEEP, LATEST: ParameterAction.MOVE}
    assert values(published_layers)[LATEST] == arn(1)
    assert left(done) == {f"{AMD}/0.156.0": DELETED}
    assert tags(published_layers, LATEST)["ocelot:collector-version"] == "v0.155.0"


def test_a_parameter_of_a_version_with_a_tombstone_is_reported_once_it_is_deleted(
    published_layers: Publishing,
) -> None:
    newer = row_of(published_layers, arn(1, layer=NEWER))
    assert newer
    assert published_layers.registry().bury(tombstone(newer), newer)
    assert left(repaired(published_layers)) == {LATEST: ANY}  # it may exist yet
    assert values(published_layers)[LATEST] == arn(1, layer=NEWER)
    unpublish(published_layers, arn(1, layer=NEWER))
    assert left(repaired(published_layers)) == {f"{AMD}/0.156.0": DELETED}
    assert values(published_layers)[LATEST] == arn(1)


def test_content_of_a_version_that_was_deleted_gives_way_to_the_one_before(
    published_layers: Publishing,
) -> None:
    only_amd64(published_layers, "v0.156.0", epoch=1_760_000_000)
    published(published_layers)
    assert values(published_layers)[LATEST] == arn(2, layer=NEWER)
    unpublish(published_layers, arn(2, layer=NEWER))
    repaired(published_layers)
    assert values(published_layers) == {
        VERSION: arn(1),
        f"{AMD}/0.156.0": arn(1, layer=NEWER),
        LATEST: arn(1, layer=NEWER),
    }


def test_a_foreign_parameter_is_left_alone(published_layers: Publishing) -> None:
    ssm(published_layers).put_parameter(Name=LATEST, Value="mine", Overwrite=True)
    done = repaired(published_layers)
    assert set(left(done)) == {LATEST}
    assert values(published_layers)[LATEST] == "mine"
    ran = ocelot_sync(published_layers, "--ssm-prefix", PREFIX, "--json")
    assert (ran.code, "mine" in ran.out) == (0, False)


def test_layers_that_are_not_recorded_are_not_replaced(published_layers: Publishing) -> None:
    """A layer version without a known content may be named by hand."""
    publish_by_hand(published_layers, IRELAND, NEWER, described="")
    ssm(published_layers).put_parameter(Name=LATEST, Value=arn(2, layer=NEWER), Overwrite=True)
    assert set(left(repaired(published_layers))) == {LATEST}


def test_parameters_follow_their_release_group(published_layers: Publishing) -> None:
    only_amd64(published_layers, "v0.157.0")
    published_layers.publish(release_group="prod")
    only_amd64(published_layers, "v0.158.0")
    published_layers.publish(release_group="local")
    assert set(actions(repaired(published_layers)).values()) == {ParameterAction.KEEP}


def test_of_two_release_groups_none_is_chosen(publishing: Publishing) -> None:
    only_amd64(publishing)
    publishing.publish()
    publishing.publish(release_group="prod")
    done = repaired(publishing)
    assert (done.plans, len(done.left)) == ((), 1)
    assert values(publishing) == {}
    published(publishing, release_group="prod")
    ssm(publishing).delete_parameter(Name=VERSION)
    assert actions(repaired(publishing))[VERSION] == ParameterAction.CREATE
    assert values(publishing)[VERSION] == arn(1, layer=LAYER.replace("beta", "prod"))


@pytest.mark.parametrize("operation", ["GetParameters", "PutParameter"])
def test_a_missing_permission_is_a_failure_of_its_region(
    publishing: Publishing, operation: str
) -> None:
    publishing.publish()
    publishing.aws.rules(Rule(operation=operation, region=IRELAND, error=SSM_DENIED))
    done = synced(publishing, ssm_prefix=PREFIX)
    with pytest.raises(PublishError) as caught:
        check_synced(done)
    (line,) = caught.value.details
    assert IRELAND in line
    assert "SsmPrefix=/ocel" in line
    assert str(version_arn(IRELAND, LAYER, 1)) not in values(publishing).values()
    assert len(values(publishing, REGIONS[1])) == 2
