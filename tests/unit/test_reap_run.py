"""A plan must be the approved one; what an earlier run of it did counts as part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from reap_examples import REGION, in_use, listed, requested
from registry_examples import row, tombstone

from pipeline.aws.layers import LayerVersion
from pipeline.errors import PartlyPublishedError, PublishError, ReapError
from pipeline.reap.apply import VersionOutcome, VersionResult
from pipeline.reap.plan import ReapPlan, RegionReap, region_reap
from pipeline.reap.references import References
from pipeline.reap.request import Reason
from pipeline.reap.run import (
    Approval,
    ReapResult,
    check_approved,
    check_reaped,
    plan_tombstones,
)
from pipeline.registry.tombstone import Tombstone

FORCED = frozenset({Reason.PARAMETER})
VERSIONS = [listed(number) for number in (1, 2, 3, 4)]


def plan_of(
    *versions: LayerVersion, named: Sequence[LayerVersion] = (), unseen: str = ""
) -> ReapPlan:
    """The plan that deletes all but the newest version, also those that a parameter names."""
    use = in_use(*versions, parameters={each: ["/ocel/latest"] for each in named})
    made = region_reap(use, requested(forced=FORCED), References())
    return ReapPlan(regions=(replace(made, unseen=unseen),))


def stones(plan: ReapPlan, *numbers: int, digest: str = "") -> list[Tombstone]:
    """The tombstones of layer versions of a plan."""
    return [
        tombstone(
            row(version=each.version.arn.version),
            plan=digest or plan.digest,
            forced=each.overridden,
        )
        for each in plan.deletions
        if each.version.arn.version in numbers
    ]


def approved(plan: ReapPlan) -> Approval:
    return Approval(number=len(plan.deletions), digest=plan.digest)


def holds(now: ReapPlan, stored: Sequence[object], before: ReapPlan) -> bool:
    approval = approved(before)
    try:
        check_approved(now, plan_tombstones(stored, approval.digest), approval)
    except ReapError:
        return False
    return True


def test_the_same_plan_holds() -> None:
    plan = plan_of(*VERSIONS, named=VERSIONS[1:2])
    assert len(plan.deletions) == 3
    assert holds(plan, [], plan)


@pytest.mark.parametrize("done", [(1,), (1, 2), (1, 2, 3)])
def test_a_plan_that_is_partly_done_holds(done: tuple[int, ...]) -> None:
    plan = plan_of(*VERSIONS, named=VERSIONS[1:2])
    now = plan_of(*VERSIONS[max(done) :], named=[each for each in VERSIONS[1:2] if 2 not in done])
    assert holds(now, stones(plan, *done), plan)
    assert not holds(now, [], plan)
    assert not holds(now, stones(plan, *done, digest="0" * 16), plan)
    assert not holds(now, stones(plan, *done)[1:], plan)


def test_a_plan_holds_whose_parameters_were_moved_before_the_run_ended() -> None:
    plan = plan_of(*VERSIONS, named=VERSIONS[1:2])
    now = plan_of(*VERSIONS)
    assert holds(now, stones(plan, 2), plan)
    assert not holds(now, [], plan)
    # another version is named since
    assert not holds(plan_of(*VERSIONS, named=VERSIONS[:1]), stones(plan, 1, 2), plan)


def test_a_plan_does_not_hold_if_what_it_began_is_kept_now() -> None:
    plan = plan_of(*VERSIONS)
    use = in_use(*VERSIONS, functions={VERSIONS[0]: ["checkout:7"]})
    now = ReapPlan(regions=(region_reap(use, requested(), References()),))
    assert not holds(now, stones(plan, 1), plan)


def test_the_error_names_both_plans_and_what_differs() -> None:
    plan, now = plan_of(*VERSIONS), plan_of(*VERSIONS[1:], listed(5))
    with pytest.raises(ReapError) as caught:
        check_approved(now, {}, replace(approved(plan), plan=plan))
    text = caught.value.text()
    for each in (plan.digest, now.digest, str(VERSIONS[0].arn), str(VERSIONS[3].arn)):
        assert each in text
    assert str(VERSIONS[1].arn) not in text
    unseen = plan_of(unseen="no answer")
    with pytest.raises(ReapError, match="approved") as caught:
        check_approved(unseen, {}, approved(plan))
    assert f"{REGION} cannot be read: no answer" in caught.value.details


def test_of_many_differences_the_first_are_named() -> None:
    many = plan_of(*(listed(number) for number in range(1, 200)))
    with pytest.raises(ReapError) as caught:
        check_approved(plan_of(), {}, replace(approved(many), plan=many))
    assert len(caught.value.details) < 30


@pytest.mark.parametrize(
    ("results", "unseen", "error"),
    [
        ((VersionResult.DELETED, VersionResult.GONE, VersionResult.KEPT), "", None),
        ((VersionResult.DELETED, VersionResult.FAILED), "", PartlyPublishedError),
        ((VersionResult.FAILED, VersionResult.FAILED), "", PublishError),
        ((VersionResult.DELETED,), "no answer", PartlyPublishedError),
        ((), "no answer", PublishError),
        ((), "", None),
    ],
)
def test_the_exit_code_says_whether_all_is_as_it_should_be(
    results: tuple[VersionResult, ...], unseen: str, error: type[PublishError] | None
) -> None:
    plan = plan_of(*VERSIONS)
    regions = (*plan.regions, *([RegionReap(region="eu-west-3", unseen=unseen)] if unseen else []))
    if not results:
        regions = regions[1:] or plan.regions
    outcomes = tuple(
        VersionOutcome(plan=each, ended=(result, "why"))
        for each, result in zip(plan.deletions, results, strict=False)
    )
    result = ReapResult(plan=ReapPlan(regions=regions), digest="", outcomes=outcomes)
    if error is None:
        check_reaped(result)
        return
    with pytest.raises(error) as caught:
        check_reaped(result)
    assert type(caught.value) is error
    assert len(caught.value.failures) == results.count(VersionResult.FAILED) + bool(unseen)
