"""What the registry needs to be in step with the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_examples import ACCOUNT, PUBLISHED, arn, row
from sync_examples import CONTENT, REGION, look, scope, seen

from pipeline.aws.layers import LayerVersion
from pipeline.naming import Architecture, LayerArn
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.sync.plan import (
    Action,
    Left,
    Look,
    RegionPlan,
    Repair,
    Scope,
    foreign_rows,
    region_plan,
)


def theirs(of: Row, **changed: str) -> Row:
    """The same row, of a layer of somebody else's."""
    return replace(of, arn=replace(of.arn, **changed))


def only(plan: RegionPlan) -> Repair:
    assert len(plan.repairs) == 1, plan.repairs
    return plan.repairs[0]


def reasons(plan: RegionPlan) -> list[str]:
    return [each.reason for each in plan.left]


def test_a_layer_version_with_its_row_is_in_step() -> None:
    plan = region_plan(look(seen()), scope(row()))
    assert plan == RegionPlan(region=REGION, versions=1)


def test_a_row_that_was_only_not_seen_stays() -> None:
    assert region_plan(look(), scope(row())).repairs == ()


def test_of_a_region_that_was_not_seen_nothing_is_touched() -> None:
    blind = look(seen("derived"), gone=(str(arn()),), unseen="down")
    assert region_plan(blind, scope(row())) == RegionPlan(region=REGION, unseen="down")


def test_a_layer_version_without_a_row_is_recorded_from_what_aws_tells() -> None:
    repair = only(region_plan(look(seen()), scope()))
    assert (repair.action, repair.why) == (Action.RECORD, "there is no row of it")
    assert repair.wanted == Row(
        arn=arn(),
        distribution="minimal",
        distribution_description="OTLP and no more",
        architecture=Architecture.AMD64,
        base_name="ocel",
        layer_version_str="0_158_0",
        collector_version_input="v0.158.0",
        publish_timestamp=PUBLISHED,
        public=True,
        compatible_runtimes=("python3.13",),
        code_sha256=CONTENT,
    )


@pytest.mark.parametrize(
    "other",
    [row(region="us-east-1", content=b"other"), row(region="us-east-1", group="prod")],
    ids=["content", "name"],
)
def test_where_another_layer_came_from_says_nothing(other: Row) -> None:
    wanted = only(region_plan(look(seen()), scope(other))).wanted
    assert wanted is not None
    assert (wanted.upstream_commit, wanted.ocelot) == ("", "")


def test_a_distribution_that_only_a_row_knows_is_recorded_without_description() -> None:
    wanted = only(region_plan(look(seen("their-own")), scope(row("their-own", version=1)))).wanted
    assert wanted is not None
    assert (wanted.distribution, wanted.distribution_description) == ("their-own", "")


@pytest.mark.parametrize("public", [True, False])
def test_public_is_as_the_policy_says(public: bool) -> None:  # noqa: FBT001
    before = row(public=not public)
    repair = only(region_plan(look(seen(public=public)), scope(before)))
    assert repair == Repair(seen=before, wanted=row(public=public))
    assert repair.action is Action.UPDATE
    assert repair.why == ("public: no -> yes" if public else "public: yes -> no")


def test_a_row_of_a_layer_that_is_not_described_follows_its_policy() -> None:
    old = replace(row(public=False), code_sha256="")
    plan = region_plan(look(seen(described="", sha256="")), scope(old))
    assert only(plan).wanted == replace(old, public=True)


def test_a_base_that_is_named_stays_and_one_that_is_not_recorded_is_awaited() -> None:
    named = replace(row("derived"), base_layer_arn="arn")
    assert region_plan(look(seen(), seen("derived")), scope(row(), named)).repairs == ()
    assert region_plan(look(seen("derived")), scope(row("derived"))).repairs == ()


def test_a_base_that_is_recorded_now_counts_and_one_that_is_deleted_does_not() -> None:
    newer = row(version=9, published=PUBLISHED + timedelta(days=1))
    found = look(seen(), seen("derived"), gone=(str(newer.arn),))
    plan = region_plan(found, scope(newer, row("derived")))
    by_arn = {(each.action, each.arn): each.wanted for each in plan.repairs}
    assert set(by_arn) == {
        (Action.UPDATE, arn("derived")),
        (Action.RECORD, arn()),
        (Action.DELETE, newer.arn),
    }
    filled = by_arn[Action.UPDATE, arn("derived")]
    assert filled is not None
    assert filled.base_layer_arn == str(arn())


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (seen(described="", sha256=""), "its description names no sha256: nobody knows what it is"),
        (
            seen(described="a" * 64),
            f"its description says sha256 {'a' * 12}, AWS says {CONTENT[:12]}",
        ),
        (seen("unheard-of"), "its name tells of no distribution that is known"),
    ],
)
def test_a_layer_version_in_doubt_is_told_and_not_recorded(
    version: LayerVersion, reason: str
) -> None:
    plan = region_plan(look(version), scope())
    assert (plan.repairs, plan.left) == ((), (Left(what=str(version.arn), reason=reason),))


def test_a_row_that_tells_another_content_is_told_and_left_alone() -> None:
    plan = region_plan(look(seen(public=False)), scope(row(content=b"other")))
    assert plan.repairs == ()
    assert reasons(plan)[0].startswith("its row says sha256 ")
    assert reasons(plan)[0].endswith(f", its description {CONTENT[:12]}")


def test_a_layer_version_whose_row_cannot_be_understood_is_not_recorded() -> None:
    foreign = ForeignRow(key=str(arn()), reason="it has no distribution")
    plan = region_plan(look(seen()), scope(foreign=(foreign,)))
    assert (plan.repairs, plan.left) == ((), ())


@pytest.mark.parametrize(
    "other",
    [
        theirs(row(), account="210987654321"),
        theirs(row(), name="acme-amd64-minimal-0_158_0-beta"),
        theirs(row(), name="ocelot"),
        row(region="us-east-1"),
    ],
    ids=["account", "name", "a name that goes on otherwise", "region"],
)
def test_the_rows_of_others_are_none_of_ours(other: Row) -> None:
    assert scope(other).rows(REGION) == ()
    assert region_plan(look(gone=(str(other.arn),)), scope(other)).repairs == ()


def test_foreign_rows_are_told_but_for_those_of_other_regions() -> None:
    keys = ("hello", str(arn()), str(arn(region="us-east-1")))
    found = scope(foreign=tuple(ForeignRow(key=key, reason="x") for key in keys))
    assert [each.key for each in foreign_rows(found, [REGION])] == ["hello", str(arn())]


def test_a_repair_is_of_a_row() -> None:
    with pytest.raises(ValueError, match="of a row"):
        _ = Repair().arn


ARNS = st.builds(
    arn,
    st.sampled_from(["minimal", "derived", "older"]),
    architecture=st.sampled_from(Architecture),
    group=st.sampled_from(["beta", "prod"]),
    region=st.sampled_from([REGION, REGION, "us-east-1"]),
    version=st.integers(1, 3),
)
CONTENTS = st.sampled_from([CONTENT, "b" * 64, ""])


@st.composite
def rows_of(draw: st.DrawFn, at: LayerArn) -> Row:
    """A row of a layer version, not always right."""
    parts = at.name.split("-")
    made = row(
        parts[2],
        architecture=Architecture(parts[1]),
        group=parts[-1],
        region=at.region,
        version=at.version,
        public=draw(st.booleans()),
        published=draw(st.sampled_from([PUBLISHED, None])),
    )
    return replace(
        made,
        arn=replace(at, account=draw(st.sampled_from([ACCOUNT, ACCOUNT, "210987654321"]))),
        code_sha256=draw(CONTENTS),
        base_layer_arn=draw(st.sampled_from(["", "", "arn"])),
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Look, Scope]:
    """Layer versions and rows of all kinds; what has a row and is not there is gone."""
    rows = [draw(rows_of(each)) for each in draw(st.lists(ARNS, unique=True, max_size=6))]
    here = [each for each in draw(st.lists(ARNS, unique=True, max_size=6)) if each.region == REGION]
    versions = tuple(
        LayerVersion(
            arn=each,
            described=draw(CONTENTS),
            sha256=draw(CONTENTS),
            created=PUBLISHED,
            public=draw(st.booleans()),
        )
        for each in here
    )
    whose = scope(*rows)
    gone = {str(each.arn) for each in whose.rows(REGION)} - {str(each) for each in here}
    return look(*versions, gone=tuple(sorted(gone))), whose


def applied(rows: Sequence[Row], repairs: Sequence[Repair]) -> list[Row]:
    """The registry after the repairs."""
    after = {str(each.arn): each for each in rows}
    for repair in repairs:
        if repair.wanted:
            after[str(repair.arn)] = repair.wanted
        else:
            del after[str(repair.arn)]
    return list(after.values())


@given(worlds())
def test_after_the_repairs_there_is_nothing_to_do(world: tuple[Look, Scope]) -> None:
    found, whose = world
    after = applied(whose.registry.rows, region_plan(found, whose).repairs)
    again = region_plan(replace(found, gone=frozenset()), scope(*after))
    assert again.repairs == ()


@given(worlds())
def test_only_rows_of_ours_are_touched_and_only_those_that_are_gone_deleted(
    world: tuple[Look, Scope],
) -> None:
    found, whose = world
    plan = region_plan(found, whose)
    assert len({str(each.arn) for each in plan.repairs}) == len(plan.repairs)
    for repair in plan.repairs:
        assert whose.covers(repair.arn)
        assert repair.arn.region == REGION
        assert (repair.action is Action.DELETE) == (str(repair.arn) in found.gone)
        if repair.seen and repair.wanted:
            changed = {"public", "base_layer_arn"}
            before, after = repair.seen.data(), repair.wanted.data()
            assert {name for name in after if before[name] != after[name]} <= changed


@given(worlds())
def test_what_is_recorded_is_what_aws_confirms(world: tuple[Look, Scope]) -> None:
    found, whose = world
    confirmed = {
        str(each.arn): each.sha256
        for each in found.versions
        if each.described and each.described == each.sha256
    }
    for repair in region_plan(found, whose).repairs:
        if repair.action is Action.RECORD:
            assert repair.wanted is not None
            assert confirmed[str(repair.arn)] == repair.wanted.code_sha256
