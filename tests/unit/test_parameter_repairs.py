"""The parameters of a region as `ocelot layers sync` decides on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from registry_examples import row
from test_parameters import release

from pipeline.aws.ssm import Parameter
from pipeline.parameters.plan import LayerRelease, ParameterAction
from pipeline.registry.sync.parameters import layer_releases, parameter_repairs, rows_after
from pipeline.registry.sync.plan import RegionPlan, Repair

KIND = "/ocel/minimal/arm64"
LATEST = f"{KIND}/latest"


def repairs(
    releases: Collection[LayerRelease],
    present: Mapping[str, LayerRelease],
    *,
    gone: Collection[LayerRelease] = (),
) -> tuple[dict[str, tuple[ParameterAction, str]], list[str]]:
    """Return the decisions, with the value afterwards, and the names that are left alone."""
    have = {name: Parameter(name=name, value=each.arn) for name, each in present.items()}
    deleted = {each.arn for each in gone}
    plans, left = parameter_repairs(tuple(releases), tuple(gone), have, deleted, prefix="/ocel")
    return {each.name: (each.action, each.value) for each in plans}, [each.what for each in left]


OLD, SAME, NEW = release("v0.157.0"), release(number=2), release()


def test_the_newest_of_each_version_and_of_all_is_named() -> None:
    decided, left = repairs((NEW, OLD, SAME), {})
    assert decided == {
        f"{KIND}/0.157.0": (ParameterAction.CREATE, OLD.arn),
        f"{KIND}/0.158.0": (ParameterAction.CREATE, NEW.arn),
        LATEST: (ParameterAction.CREATE, NEW.arn),
    }
    assert left == []


def test_a_deleted_layer_gives_way_to_an_older_one_of_its_group() -> None:
    decided, left = repairs((OLD,), {LATEST: NEW, f"{KIND}/0.158.0": NEW}, gone=(NEW,))
    assert decided[LATEST] == (ParameterAction.MOVE, OLD.arn)
    assert left == [f"{KIND}/0.158.0"]


def test_a_deleted_layer_does_not_give_way_to_another_groups() -> None:
    prod = release("v0.157.0", "prod")
    decided, left = repairs((prod,), {LATEST: NEW}, gone=(NEW,))
    assert (decided, left) == ({}, [LATEST])


@pytest.mark.parametrize(
    ("present", "group"),
    [
        ({LATEST: release("v0.157.0", "prod")}, "prod"),
        ({LATEST: release("v0.157.0", "prod"), f"{KIND}/0.158.0": NEW}, "prod"),
        ({f"{KIND}/0.157.0": OLD}, "beta"),
        ({LATEST: release(group="local"), f"{KIND}/0.157.0": OLD}, "beta"),
        ({}, ""),
        ({f"{KIND}/0.157.0": OLD, f"{KIND}/0.158.0": release(group="prod")}, ""),
    ],
)
def test_parameters_belong_to_the_release_group_that_they_name(
    present: Mapping[str, LayerRelease], group: str
) -> None:
    releases = (OLD, NEW, release("v0.157.0", "prod"), release(group="prod"))
    decided, left = repairs(releases, present)
    if group:
        assert decided[LATEST][1] == release(group=group).arn
        assert left == []
    else:
        assert (decided, left) == ({}, [LATEST])


def test_rows_of_local_releases_and_of_other_names_are_no_releases() -> None:
    rows = [row(group=group) for group in ("local", "beta")]
    assert [each.parts.release_group for each in layer_releases(rows, "ocel")] == ["beta"]
    assert list(layer_releases(rows, "acme")) == []


def test_rows_are_counted_as_they_will_be() -> None:
    kept, gone, new = (row(version=number) for number in (1, 2, 3))
    plan = RegionPlan(region="eu-west-1", repairs=(Repair(before=gone), Repair(after=new)))
    assert rows_after((kept, gone), plan) == (kept, new)
