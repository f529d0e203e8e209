from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_examples import ACCOUNT, PUBLISHED, arn, row, tombstone
from sync_examples import CONTENT, PRIVATE, PUBLIC, REGION, SHARED, observed, scope, seen

from pipeline.aws.layers import LayerVersion
from pipeline.aws.policy import LayerPolicy
from pipeline.naming import Architecture, LayerArn, layer_description
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.sync.plan import (
    UNFINISHED,
    Action,
    LeftAlone,
    RegionObservation,
    RegionPlan,
    Repair,
    Scope,
    foreign_rows,
    region_plan,
)


def elsewhere(of: Row, **changed: str) -> Row:
    """Return the row with another ARN."""
    return replace(of, arn=replace(of.arn, **changed))


def only(plan: RegionPlan) -> Repair:
    assert len(plan.repairs) == 1, plan.repairs
    return plan.repairs[0]


def reasons(plan: RegionPlan) -> list[str]:
    return [each.reason for each in plan.left]


@pytest.mark.parametrize(
    ("wrong", "right", "version"),
    [
        (
            {},
            {"compatible_runtimes": ("python3.99",)},
            seen(runtimes=("python3.99",)),
        ),
        (
            {},
            {"distribution_description": "other"},
            seen(description=f"other sha256:{CONTENT}"),
        ),
        (
            {"license_info": "GPL-3.0", "compatible_architectures": ("arm64",)},
            {"license_info": "MIT", "compatible_architectures": ("x86_64",)},
            seen(licence="MIT", architectures=("x86_64",)),
        ),
    ],
)
def test_a_row_follows_what_aws_says_of_its_layer_version(
    wrong: dict[str, Any], right: dict[str, Any], version: LayerVersion
) -> None:
    repair = only(region_plan(observed(version), scope(replace(row(), **wrong))))
    assert repair.after == replace(row(), **right)
    assert not set(repair.why) & set("[]'")


def test_a_row_without_licence_and_architectures_and_with_runtimes_in_another_order_stays() -> None:
    version = seen(licence="MIT", architectures=("x86_64",), runtimes=("python3.13", "nodejs22.x"))
    assert region_plan(observed(version), scope(row())).repairs == ()


def test_a_layer_version_with_its_row_needs_no_repair() -> None:
    plan = region_plan(observed(seen()), scope(row()))
    assert plan == RegionPlan(region=REGION, versions=1)


def test_a_row_whose_layer_version_is_not_certainly_gone_stays() -> None:
    assert region_plan(observed(), scope(row())).repairs == ()


def test_a_region_that_was_not_read_has_no_repairs() -> None:
    unseen = observed(seen("derived"), gone=(str(arn()),), unseen="down")
    assert region_plan(unseen, scope(row())) == RegionPlan(region=REGION, unseen="down")


def test_a_layer_version_without_a_row_is_recorded_from_aws_facts() -> None:
    repair = only(region_plan(observed(seen()), scope()))
    assert (repair.action, repair.why) == (Action.RECORD, "it has no row")
    assert repair.after == Row(
        arn=arn(),
        distribution="minimal",
        distribution_description="an example",
        architecture=Architecture.AMD64,
        base_name="ocel",
        layer_version_str="0_158_0",
        collector_version_input="v0.158.0",
        publish_timestamp=PUBLISHED,
        public=True,
        compatible_runtimes=("nodejs22.x", "python3.13"),
        code_sha256=CONTENT,
    )


@pytest.mark.parametrize(
    "other",
    [row(region="us-east-1", content=b"other"), row(region="us-east-1", group="prod")],
    ids=["content", "name"],
)
def test_upstream_facts_are_not_copied_from_another_layer(other: Row) -> None:
    made = only(region_plan(observed(seen()), scope(other))).after
    assert made is not None
    assert (made.upstream_commit, made.ocelot) == ("", "")


def test_a_distribution_that_only_a_row_names_is_recorded_without_description() -> None:
    made = only(
        region_plan(observed(seen("unconfigured")), scope(row("unconfigured", version=1)))
    ).after
    assert made is not None
    assert (made.distribution, made.distribution_description) == ("unconfigured", "an example")


@pytest.mark.parametrize("public", [True, False])
def test_public_follows_the_policy(public: bool) -> None:  # noqa: FBT001
    before = row(public=not public)
    repair = only(region_plan(observed(seen(policy=PUBLIC if public else PRIVATE)), scope(before)))
    assert repair == Repair(before=before, after=row(public=public))
    assert repair.action is Action.UPDATE
    assert repair.why == ("public: no -> yes" if public else "public: yes -> no")


@pytest.mark.parametrize(
    ("before", "policy", "after", "why"),
    [
        ((), SHARED, ("org:o-a1b2c3d4e5",), "shared_with: none -> org:o-a1b2c3d4e5"),
        (("account:1",), SHARED, ("org:o-a1b2c3d4e5",), "account:1 -> org:o-a1b2c3d4e5"),
        (("account:1",), PRIVATE, (), "shared_with: account:1 -> none"),
    ],
)
def test_the_grantees_follow_the_policy(
    before: tuple[str, ...], policy: LayerPolicy, after: tuple[str, ...], why: str
) -> None:
    old = replace(row(public=False), shared_with=before)
    repair = only(region_plan(observed(seen(policy=policy)), scope(old)))
    assert repair.after == replace(old, shared_with=after)
    assert why in repair.why


def test_a_row_of_a_layer_version_without_a_description_follows_its_policy() -> None:
    old = replace(row(public=False), code_sha256="")
    plan = region_plan(observed(seen(description="", sha256="")), scope(old))
    assert only(plan).after == replace(old, public=True)


def test_a_base_arn_is_kept_and_left_out_until_the_base_is_recorded() -> None:
    named = replace(row("derived"), base_layer_arn="arn")
    assert region_plan(observed(seen(), seen("derived")), scope(row(), named)).repairs == ()
    assert region_plan(observed(seen("derived")), scope(row("derived"))).repairs == ()


def test_a_base_arn_is_of_a_row_that_is_recorded_now_and_not_of_one_that_is_deleted() -> None:
    newer = row(version=9, published=PUBLISHED + timedelta(days=1))
    found = observed(seen(), seen("derived"), gone=(str(newer.arn),))
    plan = region_plan(found, scope(newer, row("derived")))
    by_arn = {(each.action, each.arn): each.after for each in plan.repairs}
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
        (
            seen(description="", sha256=""),
            "its description names no sha256, so its content is not known",
        ),
        (
            seen(description=layer_description("an example", "a" * 64)),
            f"its description has sha256 {'a' * 12}, AWS has {CONTENT[:12]}",
        ),
        (seen("unknown"), "its name contains no known distribution"),
    ],
)
def test_a_layer_version_in_doubt_is_only_reported(version: LayerVersion, reason: str) -> None:
    plan = region_plan(observed(version), scope())
    assert (plan.repairs, plan.left) == ((), (LeftAlone(what=str(version.arn), reason=reason),))


def test_a_row_with_another_content_is_reported_and_left_alone() -> None:
    plan = region_plan(observed(seen(policy=PRIVATE)), scope(row(content=b"other")))
    assert plan.repairs == ()
    assert reasons(plan)[0].startswith("its row has sha256 ")
    assert reasons(plan)[0].endswith(f", its description {CONTENT[:12]}")


def test_a_layer_version_with_a_foreign_row_is_not_recorded() -> None:
    foreign = ForeignRow(key=str(arn()), reason="it has no distribution")
    plan = region_plan(observed(seen()), scope(foreign=(foreign,)))
    assert (plan.repairs, plan.left) == ((), ())


@pytest.mark.parametrize(
    "other",
    [
        elsewhere(row(), account="210987654321"),
        elsewhere(row(), name="acme-amd64-minimal-0_158_0-beta"),
        elsewhere(row(), name="ocelot"),
        row(region="us-east-1"),
    ],
    ids=["account", "name", "a name with the same beginning", "region"],
)
def test_rows_of_other_publishers_are_left_alone(other: Row) -> None:
    assert scope(other).rows(REGION) == ()
    assert region_plan(observed(gone=(str(other.arn),)), scope(other)).repairs == ()


def test_foreign_rows_are_reported_except_those_of_other_regions() -> None:
    keys = ("hello", str(arn()), str(arn(region="us-east-1")))
    found = scope(foreign=tuple(ForeignRow(key=key, reason="x") for key in keys))
    assert [each.key for each in foreign_rows(found, [REGION])] == ["hello", str(arn())]


def test_a_layer_version_with_a_tombstone_is_reported_and_not_recorded() -> None:
    plan = region_plan(observed(seen()), scope(tombstones=(tombstone(),)))
    assert plan.repairs == ()
    assert plan.left == (LeftAlone(what=str(arn()), reason=UNFINISHED),)


def test_a_deleted_layer_version_with_a_tombstone_needs_no_repair() -> None:
    others = scope(row(version=8), tombstones=(tombstone(),))
    plan = region_plan(observed(seen(arn=arn(version=8))), others)
    assert (plan.repairs, plan.left) == ((), ())


def test_a_row_that_has_a_tombstones_layer_as_its_base_names_no_deleted_one() -> None:
    derived = scope(tombstones=(tombstone(row("minimal")),))
    repair = only(region_plan(observed(seen("derived")), derived))
    assert repair.after
    assert repair.after.base_layer_arn == ""


def test_a_tombstone_makes_its_distribution_known() -> None:
    of = tombstone(row("gone"))
    plan = region_plan(observed(seen("gone")), scope(tombstones=(of,)))
    assert reasons(plan) == [UNFINISHED]


def test_a_repair_without_a_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="has a row"):
        _ = Repair().arn


Region = tuple[RegionObservation, Scope]

ARNS = st.builds(
    arn,
    st.sampled_from(["minimal", "derived", "older"]),
    architecture=st.sampled_from(Architecture),
    group=st.sampled_from(["beta", "prod"]),
    region=st.sampled_from([REGION, REGION, "us-east-1"]),
    version=st.integers(1, 3),
)
CONTENTS = st.sampled_from([CONTENT, "b" * 64, ""])
DESCRIPTIONS = st.sampled_from(["", "other", f"x sha256:{CONTENT}", f"x sha256:{'b' * 64}"])


@st.composite
def rows_of(draw: st.DrawFn, at: LayerArn) -> Row:
    """A row of a layer version, which may be wrong."""
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
def regions(draw: st.DrawFn) -> Region:
    """Layer versions and rows of all kinds; a row without its layer version is gone."""
    rows = [draw(rows_of(each)) for each in draw(st.lists(ARNS, unique=True, max_size=6))]
    here = [each for each in draw(st.lists(ARNS, unique=True, max_size=6)) if each.region == REGION]
    versions = tuple(
        LayerVersion(
            arn=each,
            description=draw(DESCRIPTIONS),
            runtimes=draw(st.sampled_from([("java21",), ("nodejs22.x", "python3.13"), ()])),
            architectures=("arm64",),
            licence="MIT",
            sha256=draw(CONTENTS),
            created=PUBLISHED,
            policy=draw(st.sampled_from([PUBLIC, PRIVATE, SHARED])),
        )
        for each in here
    )
    scoped = scope(*rows)
    gone = {str(each.arn) for each in scoped.rows(REGION)} - {str(each) for each in here}
    return observed(*versions, gone=tuple(sorted(gone))), scoped


def applied(rows: Sequence[Row], repairs: Sequence[Repair]) -> list[Row]:
    """The rows after the repairs."""
    after = {str(each.arn): each for each in rows}
    for repair in repairs:
        if repair.after:
            after[str(repair.arn)] = repair.after
        else:
            del after[str(repair.arn)]
    return list(after.values())


@given(regions())
def test_after_the_repairs_nothing_is_left_to_repair(region: Region) -> None:
    observation, scoped = region
    after = applied(scoped.registry.rows, region_plan(observation, scoped).repairs)
    again = region_plan(replace(observation, gone=frozenset()), scope(*after))
    assert again.repairs == ()


@given(regions())
def test_only_the_publishers_rows_are_repaired_and_only_gone_ones_deleted(region: Region) -> None:
    observation, scoped = region
    plan = region_plan(observation, scoped)
    assert len({str(each.arn) for each in plan.repairs}) == len(plan.repairs)
    for repair in plan.repairs:
        assert scoped.covers(repair.arn)
        assert repair.arn.region == REGION
        assert (repair.action is Action.DELETE) == (str(repair.arn) in observation.gone)
        if repair.before and repair.after:
            changed = {
                *("public", "base_layer_arn", "compatible_runtimes", "compatible_architectures"),
                *("license_info", "distribution_description", "shared_with"),
            }
            before, after = repair.before.data(), repair.after.data()
            assert {name for name in after if before[name] != after[name]} <= changed


@given(regions())
def test_only_content_that_aws_confirms_is_recorded(region: Region) -> None:
    observation, scoped = region
    confirmed = {
        str(each.arn): each.sha256
        for each in observation.versions
        if each.described_sha256 and each.described_sha256 == each.sha256
    }
    for repair in region_plan(observation, scoped).repairs:
        if repair.action is Action.RECORD:
            assert repair.after is not None
            assert confirmed[str(repair.arn)] == repair.after.code_sha256


def test_a_younger_version_of_the_same_content_is_reported_and_not_recorded() -> None:
    later = seen(arn=replace(arn(), version=arn().version + 2))
    plan = region_plan(observed(later, seen()), scope(row()))
    assert plan.repairs == ()
    assert [each.what for each in plan.left] == [str(later.arn)]


def test_a_younger_version_that_has_a_row_keeps_it() -> None:
    later = seen(arn=replace(arn(), version=arn().version + 2), sha256="", policy=PRIVATE)
    recorded = replace(row(), arn=later.arn)
    plan = region_plan(observed(later, seen(sha256="")), scope(row(), recorded))
    assert only(plan).after == replace(recorded, public=False)
    assert [each.what for each in plan.left] == [str(later.arn)]
