"""The parameters in SSM that name layer versions: their names, and the decisions on them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.ssm import Parameter
from pipeline.errors import UsageError
from pipeline.naming import Architecture, LayerNameParts, layer_name, version_in_name, version_key
from pipeline.parameters.names import LEVELS, parameter_name, parameter_prefix
from pipeline.parameters.plan import (
    LayerRelease,
    ParameterAction,
    ParameterPlan,
    parameter_plan,
    wanted_parameters,
)

CREATE, MOVE, KEEP, LEAVE, FOREIGN = ParameterAction


def release(
    version: str = "v0.158.0", group: str = "beta", number: int | None = 3, base: str = "ocel"
) -> LayerRelease:
    name = layer_name(base, Architecture.ARM64, "minimal", version, group)
    parts = LayerNameParts(
        architecture=Architecture.ARM64,
        distribution="minimal",
        version=version_in_name(version),
        release_group=group,
    )
    return LayerRelease(
        layer=f"arn:aws:lambda:eu-west-1:123456789012:layer:{name}",
        base=base,
        parts=parts,
        collector_version=version,
        sha256="a" * 64,
        number=number,
    )


def decided(
    wanted: LayerRelease,
    present: LayerRelease | None,
    *,
    latest: bool = True,
    move_back: bool = False,
) -> ParameterAction:
    """Return the decision on a parameter that names a release."""
    one = wanted_parameters("/ocel", wanted)[latest]
    before = Parameter(name=one.name, value=present.arn) if present else None
    return parameter_plan(one, before, move_back=move_back).action


def test_a_release_has_a_parameter_of_its_version_and_latest() -> None:
    assert [(each.name, each.is_latest) for each in wanted_parameters("/ocel", release())] == [
        ("/ocel/minimal/arm64/0.158.0", False),
        ("/ocel/minimal/arm64/latest", True),
    ]


@pytest.mark.parametrize(
    ("version", "last"),
    [
        ("v0.158.0", "0.158.0"),
        ("v1.0.0-rc.1", "1.0.0-rc.1"),
        ("v1.0.0+incompatible", "1.0.0_incompatible"),
    ],
)
def test_a_versions_parameter_has_symbols_that_ssm_accepts(version: str, last: str) -> None:
    name = parameter_name("/ocel", "minimal", Architecture.AMD64, version)
    assert name == f"/ocel/minimal/amd64/{last}"


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "/",
        "ocel",
        "/ocel/",
        "//ocel",
        "/o cel",
        "/ocel/*",
        "/é",
        "/aws/x",
        "/AwsOcel",
        "/ssm",
        "/a\n",
    ],
)
def test_a_prefix_that_ssm_refuses_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError) as caught:
        parameter_prefix(prefix)
    assert "--ssm-prefix" in caught.value.hint


def test_a_prefix_leaves_room_for_the_levels_and_characters_of_a_name() -> None:
    deepest = parameter_prefix("/a" * (LEVELS - 3))
    assert parameter_name(deepest, "minimal", Architecture.ARM64).count("/") == LEVELS
    for one in ("/a" * (LEVELS - 2), "/" + "a" * 600):
        with pytest.raises(UsageError):
            parameter_prefix(one)


@pytest.mark.parametrize(
    ("wanted", "present", "action"),
    [
        (release(), None, CREATE),
        (release(), release(), KEEP),
        (release(), release(number=2), MOVE),
        (release(), release(number=4), LEAVE),
        (release(number=None), release(number=9), MOVE),
        (release(), release("v0.157.0", number=9), MOVE),
        (release(), release("v0.159.0", number=1), LEAVE),
        (release("v0.100.0"), release("v0.99.0", number=9), MOVE),
        (release(), release("v0.158.0-rc.1", number=9), MOVE),
        (release("v0.158.0-rc.1"), release(), LEAVE),
        (release(), release("v0.157.0", "prod"), LEAVE),
        (release(group="prod"), release("v0.157.0"), LEAVE),
        (release(), release("v0.159.0", "local"), MOVE),
        (release(), release(base="acme"), FOREIGN),
    ],
)
@pytest.mark.parametrize("latest", [True, False])
def test_a_parameter_moves_to_newer_layers_of_its_group_only(
    wanted: LayerRelease, present: LayerRelease | None, action: ParameterAction, *, latest: bool
) -> None:
    assert decided(wanted, present, latest=latest) == action
    forced = {LEAVE: MOVE}.get(action, action)
    assert decided(wanted, present, latest=latest, move_back=True) == forced


@pytest.mark.parametrize("present", [None, release(), release(group="local", number=1)])
@pytest.mark.parametrize("move_back", [True, False])
def test_a_local_release_never_has_latest(present: LayerRelease | None, *, move_back: bool) -> None:
    wanted = wanted_parameters("/ocel", release("v0.159.0", "local"))[1]
    before = Parameter(name=wanted.name, value=present.arn) if present else None
    plan = parameter_plan(wanted, before, move_back=move_back)
    assert (plan.action, plan.can_move) == (LEAVE, False)


def test_a_local_release_has_the_parameter_of_its_version_unless_it_is_anothers() -> None:
    local = release(group="local")
    assert decided(local, None, latest=False) == CREATE
    assert decided(local, release(group="local", number=1), latest=False) == MOVE
    assert decided(local, release(), latest=False) == LEAVE


@pytest.mark.parametrize("present", [release("v0.159.0"), release(group="prod")])
def test_a_deleted_layer_version_has_no_precedence(present: LayerRelease) -> None:
    one = wanted_parameters("/ocel", release())[1]
    before = Parameter(name=one.name, value=present.arn)
    assert parameter_plan(one, before, deleted={present.arn}).action == MOVE
    assert parameter_plan(one, before, deleted={release().arn}).action == LEAVE


def foreign(value: str, kind: str = "String") -> ParameterPlan:
    one = wanted_parameters("/ocel", release())[1]
    return parameter_plan(one, Parameter(name=one.name, value=value, kind=kind), move_back=True)


OWN = release().arn


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a text", "String"),
        (OWN.rpartition(":")[0], "String"),
        (OWN.replace("123456789012", "210987654321"), "String"),
        (OWN.replace("eu-west-1", "eu-west-2"), "String"),
        (OWN.replace("arn:aws:", "arn:aws-cn:"), "String"),
        (OWN.replace("minimal", "full"), "String"),
        (OWN.replace("minimal", "minimal-s3export"), "String"),
        (OWN.replace("arm64", "amd64"), "String"),
        (OWN, "SecureString"),
        (OWN, "StringList"),
    ],
)
def test_a_value_that_is_not_the_publishers_is_never_touched(value: str, kind: str) -> None:
    plan = foreign(value, kind)
    assert (plan.action, plan.is_change, plan.value) == (FOREIGN, False, "")
    assert plan.reason


def test_tags_have_symbols_that_ssm_accepts() -> None:
    tags = replace(release("v1.0.0+incompatible"), sha256="b" * 64).tags
    assert set(tags) == {
        f"ocelot:{each}"
        for each in ("distribution", "collector-version", "release-group", "sha256")
    }
    assert tags["ocelot:collector-version"] == "v1.0.0+incompatible"


@given(st.tuples(*[st.integers(0, 300)] * 3), st.tuples(*[st.integers(0, 300)] * 3))
def test_versions_are_compared_by_their_numbers(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    keys = [version_key("_".join(map(str, each))) for each in (one, other)]
    assert (keys[0] < keys[1]) == (one < other)


def test_pre_releases_come_before_their_release() -> None:
    ordered = ["0_157_0", "0_158_0_alpha", "0_158_0_rc_2", "0_158_0_rc_10", "0_158_0", "0_158_1"]
    assert all(version_key(one) < version_key(next_) for one, next_ in pairwise(ordered))
