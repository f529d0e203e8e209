"""Decisions on functions that use layers: which are behind, and the layers that they get."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_examples import ACCOUNT, arn
from usage_examples import OTHER, REGION, SCOPE, alias, function, layers, plain, usage

from pipeline.errors import UsageError
from pipeline.naming import Architecture, LayerArn
from pipeline.usage.plan import RegionUsage, names_to_list, selected

OLD, NEW = arn(version=7), arn(version=8)
NEXT = arn(collector="v0.160.0", version=1)


def test_a_function_with_the_newest_version_is_not_behind() -> None:
    (use,) = usage(function(NEW)).uses
    assert not use.is_behind
    assert use.moved == (str(NEW),)


def test_a_newer_number_of_the_same_layer_is_newer() -> None:
    (use,) = usage(function(OLD)).uses
    assert use.is_behind
    assert [(each.layer, each.newest, each.exists) for each in use.layers] == [(OLD, NEW, True)]


@pytest.mark.parametrize(
    ("newest", "others"),
    [
        (NEXT, [arn(collector="v0.9.0", version=99), NEW]),
        (NEXT, [arn(collector="v0.160.0-rc.1", version=5), NEW]),
        (NEW, [arn("derived", collector="v0.160.0", version=9)]),
        (NEW, [arn(collector="v0.160.0", group="prod", version=9)]),
        (NEW, [arn(collector="v0.160.0", architecture=Architecture.ARM64, version=9)]),
    ],
)
def test_the_newest_is_that_of_the_series_whatever_the_collector(
    newest: LayerArn, others: list[LayerArn]
) -> None:
    (use,) = usage(function(OLD), versions=(OLD, NEW, newest, *others)).uses
    assert use.layers[0].newest == newest


def test_a_layer_without_known_parts_is_a_series_of_its_own() -> None:
    old, new = plain("tools", 1), plain("tools", 3)
    (use,) = usage(function(old), versions=(old, new, plain("tools-2", 9), NEXT)).uses
    assert use.moved == (str(new),)


def test_a_deleted_version_gives_way_to_the_newest_even_if_that_is_older() -> None:
    (use,) = usage(function(arn(version=9)), versions=(OLD, NEW)).uses
    assert (use.is_behind, use.layers[0].exists, use.moved) == (True, False, (str(NEW),))
    assert not use.blocked


def test_a_deleted_version_of_a_layer_that_has_no_other_cannot_be_moved() -> None:
    (use,) = usage(function(OLD, OTHER), versions=()).uses
    assert use.is_behind
    assert str(OLD) in use.blocked
    assert use.moved == (str(OLD), OTHER)


def test_two_layers_of_the_publisher_move_each_in_its_place() -> None:
    derived = arn("derived", version=2), arn("derived", version=5)
    uses = usage(function(OLD, OTHER, derived[0]), versions=(OLD, NEW, *derived)).uses
    assert uses[0].moved == (str(NEW), OTHER, str(derived[1]))


def test_two_layers_of_one_series_become_one() -> None:
    (use,) = usage(function(OLD, OTHER, NEXT), versions=(OLD, NEW, NEXT)).uses
    assert use.moved == (str(NEXT), OTHER)


def test_layers_of_others_with_a_like_name_are_left_alone() -> None:
    others = (
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:ocelot:1",
        f"arn:aws:lambda:{REGION}:210987654321:layer:{OLD.name}:7",
    )
    (use,) = usage(function(OLD, *others)).uses
    assert use.moved == (str(NEW), *others)
    assert len(use.layers) == 1


def test_uses_stand_by_function_with_latest_first_and_numbers_in_order() -> None:
    names = ("10", "9", "$LATEST.PUBLISHED", "$LATEST")
    versions = [function(OLD, version=each) for each in names]
    found = usage(*versions, function(OLD, name="a")).uses
    assert [str(each.function) for each in found] == [
        *("a:$LATEST", "checkout:$LATEST", "checkout:$LATEST.PUBLISHED"),
        *("checkout:9", "checkout:10"),
    ]


def test_an_alias_stands_at_each_version_that_it_points_to() -> None:
    aliases = {"checkout": (alias("live", "1", v2=0.1), alias("next", "$LATEST"))}
    versions = [function(OLD, version=each) for each in ("$LATEST", "1", "2", "3")]
    found = usage(*versions, aliases=aliases).uses
    names = {each.function.version: [one.name for one in each.aliases] for each in found}
    assert names == {"$LATEST": ["next"], "1": ["live"], "2": ["live"], "3": []}


def test_only_layers_that_may_matter_are_listed() -> None:
    names = [
        *(OLD.name, NEXT.name, arn(collector="v0.159.0").name, arn("derived").name),
        *("ocel-tools", "other"),
    ]
    assert names_to_list(names, {OLD.name}, SCOPE) == sorted([OLD.name, NEXT.name])
    assert names_to_list(names, {"ocel-gone"}, SCOPE) == ["ocel-gone"]


VERSIONS = st.lists(
    st.builds(
        arn,
        st.sampled_from(["minimal", "derived"]),
        collector=st.sampled_from(["v0.158.0", "v0.160.0-rc.1", "v0.160.0"]),
        version=st.integers(1, 20),
    ),
    max_size=8,
)


@given(
    st.permutations([f"{OTHER}{each}" for each in range(4)]),
    VERSIONS,
    VERSIONS,
    st.randoms(use_true_random=False),
)
def test_other_layers_are_kept_in_their_order(
    others: list[str], own: list[LayerArn], known: list[LayerArn], random: Random
) -> None:
    mixed = [*others, *map(str, dict.fromkeys(own))]
    random.shuffle(mixed)
    moved = layers(*known).moved(mixed)
    assert [each for each in moved if each in others] == [each for each in mixed if each in others]
    names = [each.rpartition(":")[0] for each in moved if each not in others]
    series = [SCOPE.series(each.rpartition(":")[2]) for each in names]
    movable = {SCOPE.series(each.name) for each in known}
    assert len([each for each in series if each in movable]) == len(movable & set(series))
    assert layers(*known).moved(moved) == moved


def test_functions_are_selected_by_name_or_arn() -> None:
    region = usage(
        function(OLD), function(NEW, name="current"), function(OLD, name="old", version="1")
    )
    found = selected([region], ["checkout", "current", function(name="old").arn])
    assert [each.function.name for each in found.moves] == ["checkout"]
    assert found.current == (function(name="current").arn,)
    assert found.published == (function(name="old").arn,)


def test_all_selects_every_function() -> None:
    region = usage(function(OLD, name="a"), function(OLD, name="b"), function(NEW, name="c"))
    found = selected([region, RegionUsage(region="us-east-1", unseen="down")], ["all"])
    assert [each.function.name for each in found.moves] == ["a", "b"]
    assert selected([], ["all"]).moves == ()


def test_an_unknown_function_is_refused_with_a_suggestion() -> None:
    regions = [usage(function(OLD)), RegionUsage(region="us-east-1", unseen="down")]
    with pytest.raises(UsageError, match="perhaps you meant checkout") as refused:
        selected(regions, ["chekout"])
    assert refused.value.details == ("us-east-1: down",)


def test_an_alias_or_version_cannot_be_moved() -> None:
    arn_of = function().arn
    with pytest.raises(UsageError) as refused:
        selected([usage(function(OLD))], [f"{arn_of}:live"])
    assert refused.value.hint.endswith(f"--update {arn_of}")
