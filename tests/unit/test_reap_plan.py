"""Which layer versions are deleted, and which are kept for which reasons."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reap_examples import NOW, REGION, in_use, listed, requested
from registry_examples import row

from pipeline.aws.functions import FunctionVersion
from pipeline.aws.layers import LayerVersion
from pipeline.aws.ssm import Parameter
from pipeline.naming import version_key
from pipeline.reap.observe import function_users, parameter_users
from pipeline.reap.plan import (
    ReapPlan,
    RegionReap,
    RegionUse,
    VersionPlan,
    reap_digest,
    region_reap,
)
from pipeline.reap.references import KeepReason, References
from pipeline.reap.request import FORCEABLE, Reason
from pipeline.registry.row import ForeignRow
from pipeline.registry.tombstone import Tombstone

A_ZIP = hashlib.sha256(b"a zip").hexdigest()
ONE, TWO, THREE, FOUR = map(listed, range(1, 5))


def decided(use: RegionUse, references: References | None = None, **changed: Any) -> RegionReap:  # noqa: ANN401
    return region_reap(use, requested(**changed), references or References())


def deleted(plan: RegionReap) -> list[int]:
    """Return the numbers of the layer versions to be deleted."""
    return sorted(each.version.arn.version for each in plan.versions if each.is_deleted)


def reasons(plan: RegionReap) -> dict[int, list[Reason]]:
    return {
        each.version.arn.version: [one.reason for one in each.reasons] for each in plan.versions
    }


def test_all_but_the_newest_version_of_each_layer_are_deleted() -> None:
    other = listed(9, "full")
    plan = decided(in_use(TWO, ONE, THREE, other))
    assert deleted(plan) == [1, 2]
    assert reasons(plan) == {1: [], 2: [], 3: [Reason.NEWEST], 9: [Reason.NEWEST]}
    shown = [(each.version.arn.name, each.version.arn.version) for each in plan.versions]
    assert shown == sorted(shown, key=lambda each: (each[0], -each[1]))


def test_keep_counts_the_newest_versions_of_each_layer() -> None:
    assert deleted(decided(in_use(ONE, TWO, THREE, FOUR), keep=3)) == [1]
    assert deleted(decided(in_use(ONE, TWO, THREE, FOUR), keep=4)) == []
    # numbers have gaps
    assert deleted(decided(in_use(ONE, listed(7), listed(100)), keep=2)) == [1]


@pytest.mark.parametrize(("seconds", "gone"), [(-1, []), (0, [1]), (1, [1])])
def test_a_version_of_exactly_that_age_is_old_enough(seconds: int, gone: list[int]) -> None:
    created = NOW - timedelta(days=90, seconds=seconds)
    use = in_use(listed(1, created=created), TWO)
    assert deleted(decided(use, older_than=timedelta(days=90))) == gone


def test_without_a_date_a_version_is_kept_if_age_counts() -> None:
    use = in_use(listed(1, created=None), TWO)
    assert deleted(decided(use, older_than=timedelta(days=1))) == []
    assert reasons(decided(use, older_than=timedelta(days=1)))[1] == [Reason.AGE]
    assert deleted(decided(use)) == [1]


def test_versions_that_are_not_selected_never_appear_but_count() -> None:
    prod, full = listed(5, group="prod"), listed(6, "full")
    use = in_use(ONE, TWO, prod, full)
    assert deleted(decided(use, distributions=frozenset({"minimal"}), keep=0)) == [1]
    assert [*reasons(decided(use, release_group="prod"))] == [5]
    assert [*reasons(decided(use, pattern="ocel-*-full-*"))] == [6]
    assert decided(use, pattern="ocel-*-gamma").versions == ()


def test_collector_versions_can_be_counted_together() -> None:
    old = [listed(number, collector="v0.157.0") for number in (1, 2)]
    older, other = listed(8, collector="v0.99.0"), listed(9, collector="v0.100.0", group="prod")
    use = in_use(*old, older, THREE, other)
    assert deleted(decided(use)) == [1]
    assert deleted(decided(use, across_versions=True)) == [1, 2, 8]
    assert deleted(decided(use, across_versions=True, keep=2)) == [1, 8]
    # a newer collector version counts, though the pattern does not match it
    narrow = decided(use, across_versions=True, pattern="ocel-*-0_157_0-*")
    assert (deleted(narrow), [*reasons(narrow)]) == ([1, 2], [2, 1])


def test_a_pre_release_is_no_newest_version_of_its_release() -> None:
    use = in_use(listed(1), listed(5, collector="v0.158.0-rc.1"))
    assert deleted(decided(use, across_versions=True)) == [5]


def test_a_version_is_kept_for_all_its_reasons() -> None:
    version = listed(1, sha256=A_ZIP)
    references = References(
        by_arn={str(version.arn): (KeepReason(reason=Reason.FILE, text="file kept.json"),)},
        by_sha256={A_ZIP: (KeepReason(reason=Reason.LOCK, text="ocelot.lock: minimal amd64"),)},
    )
    use = in_use(
        version,
        functions={version: ("checkout:7", "checkout:$LATEST")},
        parameters={version: ("/ocel/minimal/amd64/latest",)},
    )
    (plan,) = decided(use, references, keep=1, older_than=timedelta(days=900)).versions
    assert {each.reason for each in plan.reasons} == {*Reason} - {Reason.RELEASE, Reason.UNREADABLE}
    assert len([each for each in plan.reasons if each.reason == Reason.USED]) == 2
    assert "function checkout:7" in [each.text for each in plan.reasons]
    assert not plan.is_deleted


def test_a_locked_zip_is_known_by_its_row_too() -> None:
    record = row(version=1)
    reason = KeepReason(reason=Reason.LOCK, text="ocelot.lock")
    references = References(by_sha256={record.code_sha256: (reason,)})
    buried = Tombstone(row=record, deleted_at=NOW, plan="0123456789abcdef")
    for each in (record, buried):
        plan = decided(in_use(ONE, TWO, recorded=[each]), references)
        assert reasons(plan)[1] == [Reason.LOCK]


def test_a_version_with_an_unreadable_row_is_kept() -> None:
    use = in_use(ONE, TWO, recorded=[ForeignRow(key=str(ONE.arn), reason="no distribution")])
    plan = decided(use, forced=frozenset(FORCEABLE))
    assert (deleted(plan), reasons(plan)[1]) == ([2], [Reason.UNREADABLE])


def test_a_forced_reason_is_the_only_one_that_counts_no_more() -> None:
    use = in_use(ONE, TWO, functions={ONE: ["one:1"], TWO: ["two:1"]})
    assert deleted(decided(use)) == []
    plan = decided(use, forced=frozenset({Reason.USED}))
    assert deleted(plan) == [1]
    assert [each.overridden for each in plan.versions] == [(), ("used",)]
    assert deleted(decided(use, forced=frozenset({Reason.USED, Reason.NEWEST}))) == [1, 2]


def test_nothing_is_deleted_in_a_region_that_was_not_read() -> None:
    use = replace(in_use(ONE, TWO), unseen="no answer")
    assert decided(use) == RegionReap(region=REGION, unseen="no answer")


def test_layers_without_a_known_distribution_are_named_if_the_pattern_matches_them() -> None:
    use = in_use(ONE, left=["ocel-mine", "ocel-yours"])
    assert [each.what for each in decided(use, pattern="*-mine").left] == ["ocel-mine"]


def test_users_are_found_by_the_arns_of_layer_versions() -> None:
    layer = str(ONE.arn)
    functions = [
        FunctionVersion(
            arn=f"arn:aws:lambda:{REGION}:123456789012:function:{name}",
            version=version,
            layers=layers,
        )
        for name, version, layers in (
            ("pay", "12", (f"{layer}0", layer)),
            ("checkout", "$LATEST", (layer,)),
        )
    ]
    assert function_users(functions) == {
        layer: ("checkout:$LATEST", "pay:12"),
        f"{layer}0": ("pay:12",),
    }
    parameters = [
        Parameter(name="/ocel/b", value=layer),
        Parameter(name="/ocel/a", value=f'{{"layers": ["{layer}", "{layer}0"]}}'),
        Parameter(name="/ocel/c", value="another text"),
    ]
    assert parameter_users(parameters) == {layer: ("/ocel/a", "/ocel/b"), f"{layer}0": ("/ocel/a",)}


def planned(*plans: RegionReap) -> ReapPlan:
    return ReapPlan(regions=plans)


def test_the_digest_is_of_what_is_deleted_and_why_it_may_be() -> None:
    plan = decided(in_use(ONE, TWO, THREE))
    assert planned(plan).digest == planned(decided(in_use(THREE, ONE, TWO))).digest
    kept = decided(in_use(ONE, TWO, THREE, FOUR), pattern="ocel-*", keep=2)
    assert deleted(kept) == deleted(plan)
    assert planned(kept).digest == planned(plan).digest
    assert planned(decided(in_use(TWO, THREE))).digest != planned(plan).digest
    used = in_use(ONE, TWO, THREE, functions={ONE: ["pay:1"]})
    forced = decided(used, forced=frozenset({Reason.USED}))
    assert deleted(forced) == deleted(plan)
    assert planned(forced).digest != planned(plan).digest


@given(st.permutations([("a:1", ()), ("a:2", ("newest", "used")), ("b:1", ("used",))]))
def test_the_digest_has_no_order(deletions: list[tuple[str, tuple[str, ...]]]) -> None:
    assert reap_digest(deletions) == reap_digest(sorted(deletions))


COLLECTORS = ("v0.155.0", "v0.156.0-rc.1", "v0.156.0")
KINDS = {
    Reason.USED: "functions",
    Reason.PARAMETER: "parameters",
    Reason.LOCK: "locked",
    Reason.RELEASE: "released",
    Reason.FILE: "filed",
}


@st.composite
def histories(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[RegionUse, References]:
    """Draw layer versions of several layers, of which some are used, locked or referenced."""
    layers = draw(
        st.lists(
            st.tuples(
                st.sampled_from(COLLECTORS),
                st.sampled_from(("minimal", "full")),
                st.sampled_from(("beta", "prod")),
                st.integers(1, 9),
            ),
            unique=True,
            min_size=1,
            max_size=14,
        )
    )
    versions = [
        listed(
            number,
            distribution,
            collector=collector,
            group=group,
            created=draw(
                st.none() | st.datetimes().map(lambda when: when.replace(tzinfo=NOW.tzinfo))
            ),
            sha256=hashlib.sha256(
                repr((collector, distribution, group, number)).encode()
            ).hexdigest(),
        )
        for collector, distribution, group, number in layers
    ]
    some = st.sets(st.sampled_from(versions).map(lambda each: each.arn), max_size=3)
    chosen = {reason: draw(some) for reason in KINDS}
    use = replace(
        in_use(*draw(st.permutations(versions))),
        functions={str(each): ("checkout:7",) for each in chosen[Reason.USED]},
        parameters={str(each): ("/ocel/x",) for each in chosen[Reason.PARAMETER]},
    )
    return use, References(by_arn=by_arn(chosen), by_sha256=by_sha256(versions, chosen))


def by_arn(chosen: Any) -> dict[str, tuple[KeepReason, ...]]:  # noqa: ANN401
    kinds = (Reason.RELEASE, Reason.FILE)
    arns = {str(arn) for kind in kinds for arn in chosen[kind]}
    return {
        arn: tuple(
            KeepReason(reason=kind, text="named")
            for kind in kinds
            if arn in {str(each) for each in chosen[kind]}
        )
        for arn in arns
    }


def by_sha256(versions: Iterable[LayerVersion], chosen: Any) -> dict[str, tuple[KeepReason, ...]]:  # noqa: ANN401
    locked = KeepReason(reason=Reason.LOCK, text="locked")
    return {
        each.described_sha256: (locked,) for each in versions if each.arn in chosen[Reason.LOCK]
    }


def protected(use: RegionUse, references: References) -> dict[Reason, set[str]]:
    """Return the ARNs that each reason but the newest protects, without the plan's own code."""
    shas = {each.described_sha256: str(each.arn) for each in use.versions}
    named = references.by_arn.items()
    return {
        Reason.USED: set(use.functions),
        Reason.PARAMETER: set(use.parameters),
        Reason.LOCK: {shas[sha256] for sha256 in references.by_sha256},
        **{
            kind: {arn for arn, found in named if kind in {each.reason for each in found}}
            for kind in (Reason.RELEASE, Reason.FILE)
        },
    }


def newest(use: RegionUse, *, across_versions: bool) -> set[str]:
    """Return the ARN of the newest version of each layer, or of all that are counted together."""
    found: dict[object, tuple[Any, str]] = {}
    for each in use.versions:
        parts = use.parts[each.arn.name]
        layer = (parts.distribution, parts.release_group) if across_versions else each.arn.name
        age = (version_key(parts.version), each.arn.version)
        found[layer] = max(found.get(layer, (age, str(each.arn))), (age, str(each.arn)))
    return {arn for _, arn in found.values()}


options = st.fixed_dictionaries(
    {
        "pattern": st.sampled_from(
            ["*", "ocel-*", "ocel-*-beta", "ocel-amd64-minimal-*", "ocel-[!x]*", "ocel-*0_156_0*"]
        ),
        "distributions": st.sampled_from([frozenset[str](), frozenset({"full"})]),
        "release_group": st.sampled_from(["", "beta"]),
        "older_than": st.none() | st.integers(0, 9999).map(lambda days: timedelta(days=days)),
        "keep": st.integers(0, 4),
        "across_versions": st.booleans(),
    }
)


@given(histories(), options)
def test_whatever_the_options_the_newest_and_what_is_in_use_survives(
    history: tuple[RegionUse, References], chosen: dict[str, Any]
) -> None:
    use, references = history
    gone = {str(each.version.arn) for each in removed(decided(use, references, **chosen))}
    for safe in protected(use, references).values():
        assert not gone & safe
    assert not gone & newest(use, across_versions=chosen["across_versions"])


@given(histories(), options, st.sampled_from(sorted(FORCEABLE)))
def test_force_takes_away_the_protection_by_that_reason_alone(
    history: tuple[RegionUse, References], chosen: dict[str, Any], forced: Reason
) -> None:
    use, references = history
    plan = decided(use, references, **chosen, forced=frozenset({forced}))
    safe = {
        **protected(use, references),
        Reason.NEWEST: newest(use, across_versions=chosen["across_versions"]),
    }
    others = {arn for reason, arns in safe.items() if reason != forced for arn in arns}
    for each in removed(plan):
        assert str(each.version.arn) not in others
        assert set(each.overridden) <= {forced}
    # and all that it alone protected is deleted
    before = removed(decided(use, references, **chosen))
    more = {each.version.arn for each in removed(plan)} - {each.version.arn for each in before}
    assert {str(arn) for arn in more} <= safe[forced]
    assert {each.version.arn for each in before} <= {each.version.arn for each in removed(plan)}


def removed(plan: RegionReap) -> list[VersionPlan]:
    return [each for each in plan.versions if each.is_deleted]


@given(histories(), options)
def test_every_old_version_without_a_reason_is_deleted(
    history: tuple[RegionUse, References], chosen: dict[str, Any]
) -> None:
    use, references = history
    plan = decided(use, references, **chosen)
    for each in plan.versions:
        assert each.is_deleted == (not each.reasons)
    unlimited = {**chosen, "older_than": None, "keep": 0}
    safe = {arn for arns in protected(use, references).values() for arn in arns}
    safe |= newest(use, across_versions=chosen["across_versions"])
    everything = decided(use, references, **unlimited)
    assert {str(each.version.arn) for each in everything.versions} - safe == {
        str(each.version.arn) for each in removed(everything)
    }
