from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from publish_examples import package
from registry_examples import row

from pipeline.aws.layers import LayerVersion
from pipeline.naming import layer_arn
from pipeline.publish.plan import (
    Observed,
    Step,
    Target,
    TargetPlan,
    target_plan,
)
from pipeline.registry.row import Row

ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:ocel-amd64-minimal-0_155_0-beta:3"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(region="eu-west-1", package=package(tmp_path / "dist"))


def rows(target: Target) -> Mapping[str, Row | None]:
    sha256 = target.package.sha256
    return {
        "none": None,
        "public": replace(row(public=True), code_sha256=sha256),
        "private": replace(row(public=False), code_sha256=sha256),
        "of other content": replace(row(public=True), code_sha256="b" * 64),
        "of an older tool": replace(row(public=True), code_sha256=""),
    }


PUBLISH, SHARE, UNSHARE, RECORD = Step.PUBLISH, Step.SHARE, Step.UNSHARE, Step.RECORD

ABSENT: list[tuple[bool | None, tuple[Step, ...]]] = [
    (True, (PUBLISH, SHARE, RECORD)),
    (False, (PUBLISH, RECORD)),
    (None, (PUBLISH, RECORD)),
]


@pytest.mark.parametrize(("wish", "steps"), ABSENT)
@pytest.mark.parametrize("registry", [True, False])
def test_what_is_not_there_is_published_made_as_wished_and_recorded(
    target: Target, *, wish: bool | None, steps: tuple[Step, ...], registry: bool
) -> None:
    plan = target_plan(target, Observed(), public=wish, registry=registry)
    assert plan.steps == tuple(step for step in steps if registry or step != RECORD)
    assert plan.version is None


# What is public and what is wished: what is to be done, and the row that needs no change then.
PRESENT: dict[tuple[bool, bool | None], tuple[tuple[Step, ...], str]] = {
    (True, True): ((), "public"),
    (True, None): ((), "public"),
    (True, False): ((UNSHARE,), "private"),
    (False, True): ((SHARE,), "public"),
    (False, None): ((), "private"),
    (False, False): ((), "private"),
}


@pytest.mark.parametrize(("is_public", "wish"), PRESENT)
@pytest.mark.parametrize(
    "said", ["none", "public", "private", "of other content", "of an older tool"]
)
@pytest.mark.parametrize("registry", [True, False])
def test_of_what_is_there_only_what_is_missing_is_done(
    target: Target, *, is_public: bool, wish: bool | None, said: str, registry: bool
) -> None:
    version = LayerVersion(arn=layer_arn(ARN), public=is_public)
    seen = Observed(version=version, row=rows(target)[said])
    plan = target_plan(target, seen, public=wish, registry=registry)
    steps, right = PRESENT[is_public, wish]
    assert plan.steps == (*steps, *([RECORD] if registry and said != right else []))
    assert plan.version == version


@pytest.mark.parametrize("wish", [True, False, None])
def test_where_nothing_can_be_seen_nothing_is_done(target: Target, *, wish: bool | None) -> None:
    seen = Observed(blocked="eu-west-1: list: no", notes=("a note",))
    plan = target_plan(target, seen, public=wish, registry=True)
    assert (plan.steps, plan.blocked, plan.notes) == ((), "eu-west-1: list: no", ("a note",))
    assert plan.action == "blocked"


def test_a_new_public_target_takes_three_writing_calls(target: Target) -> None:
    whole = target_plan(target, Observed(), public=True, registry=True)
    assert len(whole.steps) == 3


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((), "reuse"),
        ((RECORD,), "reuse, record"),
        ((SHARE, RECORD), "reuse, make public, record"),
        ((UNSHARE,), "reuse, make private"),
        ((PUBLISH, SHARE, RECORD), "publish, make public, record"),
    ],
)
def test_the_action_is_told_in_a_few_words(
    target: Target, steps: tuple[Step, ...], words: str
) -> None:
    assert TargetPlan(target=target, steps=steps).action == words


def test_notes_of_what_was_seen_are_in_the_plan(target: Target) -> None:
    plan = target_plan(target, Observed(notes=("odd",)), public=None, registry=False)
    assert plan.notes == ("odd",)
