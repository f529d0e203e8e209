from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from publish_examples import package
from registry_examples import row as example

from pipeline.aws.layers import LayerVersion
from pipeline.aws.policy import LayerPolicy, LayerStatement, granting
from pipeline.naming import layer_arn
from pipeline.publish.package import LICENCE
from pipeline.publish.plan import (
    PublishStep,
    Target,
    TargetObservation,
    TargetPlan,
)
from pipeline.publish.plan import target_plan as plan_of_target
from pipeline.registry.row import Row

ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:ocel-amd64-minimal-0_155_0-beta:3"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(region="eu-west-1", package=package(tmp_path / "dist"))


def present_version(target: Target, *, public: bool = True, **changed: Any) -> LayerVersion:  # noqa: ANN401
    """A layer version as the target's package would make it."""
    package = target.package
    version = LayerVersion(
        arn=layer_arn(ARN),
        policy=LayerPolicy().with_public(public=public),
        description=package.description,
        runtimes=package.runtimes,
        architectures=("x86_64",),
        licence=LICENCE,
    )
    return replace(version, **changed)


def target_plan(
    target: Target,
    seen: TargetObservation,
    *,
    public: bool | None = None,
    share: tuple[str, ...] | None = None,
    registry: bool = True,
) -> TargetPlan:
    """The plan of a target, by default with a registry and without a change of its policy."""
    return plan_of_target(target, seen, public=public, share=share, registry=registry)


def rows(target: Target) -> Mapping[str, Row | None]:
    sha256, runtimes = target.package.sha256, target.package.runtimes

    def row(*, public: bool) -> Row:
        return replace(example(public=public), compatible_runtimes=runtimes)

    return {
        "none": None,
        "public": replace(row(public=True), code_sha256=sha256),
        "private": replace(row(public=False), code_sha256=sha256),
        "of other content": replace(row(public=True), code_sha256="b" * 64),
        "of an older tool": replace(row(public=True), code_sha256=""),
    }


PUBLISH, RECORD = PublishStep.PUBLISH, PublishStep.RECORD
MAKE_PUBLIC, MAKE_PRIVATE = PublishStep.MAKE_PUBLIC, PublishStep.MAKE_PRIVATE
SHARE = PublishStep.SHARE

ABSENT: list[tuple[bool | None, tuple[PublishStep, ...]]] = [
    (True, (PUBLISH, MAKE_PUBLIC, RECORD)),
    (False, (PUBLISH, RECORD)),
    (None, (PUBLISH, RECORD)),
]


@pytest.mark.parametrize(("public", "steps"), ABSENT)
@pytest.mark.parametrize("registry", [True, False])
def test_an_absent_layer_version_is_published_shared_as_requested_and_recorded(
    target: Target, *, public: bool | None, steps: tuple[PublishStep, ...], registry: bool
) -> None:
    plan = target_plan(target, TargetObservation(), public=public, registry=registry)
    assert plan.steps == tuple(step for step in steps if registry or step != RECORD)
    assert plan.version is None


# By present and requested permission: the steps, and the row that needs no change then.
PRESENT: dict[tuple[bool, bool | None], tuple[tuple[PublishStep, ...], str]] = {
    (True, True): ((), "public"),
    (True, None): ((), "public"),
    (True, False): ((MAKE_PRIVATE,), "private"),
    (False, True): ((MAKE_PUBLIC,), "public"),
    (False, None): ((), "private"),
    (False, False): ((), "private"),
}


@pytest.mark.parametrize(("is_public", "public"), PRESENT)
@pytest.mark.parametrize(
    "present", ["none", "public", "private", "of other content", "of an older tool"]
)
@pytest.mark.parametrize("registry", [True, False])
def test_for_an_existing_layer_version_only_missing_steps_are_planned(
    target: Target, *, is_public: bool, public: bool | None, present: str, registry: bool
) -> None:
    version = present_version(target, public=is_public)
    seen = TargetObservation(version=version, row=rows(target)[present])
    plan = target_plan(target, seen, public=public, registry=registry)
    steps, right = PRESENT[is_public, public]
    assert plan.steps == (*steps, *([RECORD] if registry and present != right else []))
    assert plan.version == version


@pytest.mark.parametrize("public", [True, False, None])
def test_a_blocked_target_has_no_steps(target: Target, *, public: bool | None) -> None:
    seen = TargetObservation(blocked="eu-west-1: list: no", notes=("a note",))
    plan = target_plan(target, seen, public=public, registry=True)
    assert (plan.steps, plan.blocked, plan.notes) == ((), "eu-west-1: list: no", ("a note",))
    assert plan.action == "blocked"


def test_a_new_public_target_takes_three_writing_calls(target: Target) -> None:
    whole = target_plan(target, TargetObservation(), public=True, registry=True)
    assert len(whole.steps) == 3


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((), "reuse"),
        ((RECORD,), "reuse, record"),
        ((MAKE_PUBLIC, RECORD), "reuse, make public, record"),
        ((MAKE_PRIVATE,), "reuse, make private"),
        ((PUBLISH, MAKE_PUBLIC, RECORD), "publish, make public, record"),
        ((SHARE, RECORD), "reuse, share, record"),
    ],
)
def test_the_action_names_the_steps(
    target: Target, steps: tuple[PublishStep, ...], words: str
) -> None:
    assert TargetPlan(target=target, steps=steps).action == words


def test_notes_of_the_observation_are_in_the_plan(target: Target) -> None:
    plan = target_plan(target, TargetObservation(notes=("odd",)), public=None, registry=False)
    assert plan.notes == ("odd",)


def test_a_layer_version_as_requested_has_no_note(target: Target) -> None:
    seen = TargetObservation(version=present_version(target))
    assert target_plan(target, seen, public=None, registry=True).notes == ()


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"runtimes": ("python3.99",)}, "python3.99"),
        ({"runtimes": ()}, "runtimes none"),
        ({"architectures": ("arm64",)}, "arm64 instead of x86_64"),
        ({"licence": "MIT"}, "MIT instead of Apache-2.0"),
        ({"description": "other"}, "description other"),
    ],
)
def test_a_difference_that_cannot_be_changed_is_noted(
    target: Target, changed: dict[str, Any], shown: str
) -> None:
    seen = TargetObservation(version=present_version(target, **changed))
    (note,) = target_plan(target, seen, public=None, registry=True).notes
    assert shown in note


def test_a_row_with_other_runtimes_than_its_layer_version_is_recorded_again(target: Target) -> None:
    version = present_version(target, runtimes=("python3.99",))
    seen = TargetObservation(version=version, row=rows(target)["public"])
    assert target_plan(target, seen, public=None, registry=True).steps == (RECORD,)


ORG, DEV, OLD = "org:o-a1b2c3d4e5", "account:210987654321", "account:111122223333"
BY_HAND = LayerStatement("by-hand", ("account:999999999999",))
SHARED = LayerPolicy((BY_HAND, granting(DEV), granting(OLD)))


def test_an_absent_layer_version_is_shared_after_it_is_published(target: Target) -> None:
    plan = target_plan(target, TargetObservation(), public=True, share=(DEV, ORG))
    assert plan.steps == (PUBLISH, MAKE_PUBLIC, SHARE, RECORD)
    assert plan.policy.public
    assert plan.policy.shared_with == (DEV, ORG)


def test_without_share_and_with_none_an_absent_layer_version_takes_no_step(target: Target) -> None:
    for share in (None, ()):
        assert target_plan(target, TargetObservation(), share=share).steps == (PUBLISH, RECORD)


@pytest.mark.parametrize(
    ("share", "steps", "shared"),
    [
        (None, (), (OLD, DEV, "account:999999999999")),
        ((OLD, DEV), (), (OLD, DEV, "account:999999999999")),
        ((DEV, ORG), (SHARE, RECORD), (DEV, "account:999999999999", ORG)),
        ((), (SHARE, RECORD), ("account:999999999999",)),
    ],
)
def test_own_statements_become_exactly_those_requested(
    target: Target,
    share: tuple[str, ...] | None,
    steps: tuple[PublishStep, ...],
    shared: tuple[str, ...],
) -> None:
    version = present_version(target, policy=SHARED)
    present = rows(target)["private"]
    assert present is not None
    row = replace(present, shared_with=SHARED.shared_with)
    plan = target_plan(target, TargetObservation(version=version, row=row), share=share)
    assert plan.steps == steps
    assert plan.policy.shared_with == shared
    assert BY_HAND in plan.policy.statements
    assert len(plan.notes) == (share is not None)
    assert all("by-hand" in note for note in plan.notes)


def test_a_row_that_does_not_name_who_may_use_its_layer_is_recorded_again(target: Target) -> None:
    seen = TargetObservation(
        version=present_version(target, policy=SHARED), row=rows(target)["private"]
    )
    assert target_plan(target, seen).steps == (RECORD,)


def test_a_layer_version_may_be_public_and_shared(target: Target) -> None:
    version = present_version(target, policy=SHARED.with_public(public=True))
    plan = target_plan(target, TargetObservation(version=version), public=False, share=(DEV, OLD))
    assert plan.steps == (MAKE_PRIVATE, RECORD)
    assert (plan.policy.public, plan.policy.shared_with) == (False, SHARED.shared_with)
