from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from publish_examples import package
from registry_examples import row

from pipeline.naming import layer_arn
from pipeline.publish.aws.layers import LayerVersion
from pipeline.publish.plan import (
    Observed,
    Step,
    Target,
    TargetPlan,
    target_plan,
)
from pipeline.publish.row import Row

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


# What is public, what is wished, what the registry says: what is to be done.
PRESENT: list[tuple[bool, bool | None, str, tuple[Step, ...]]] = [
    (True, True, "public", ()),
    (True, True, "private", (RECORD,)),
    (True, True, "none", (RECORD,)),
    (True, True, "of other content", (RECORD,)),
    (True, True, "of an older tool", (RECORD,)),
    (True, None, "public", ()),
    (True, None, "private", (RECORD,)),
    (True, None, "none", (RECORD,)),
    (True, None, "of other content", (RECORD,)),
    (True, None, "of an older tool", (RECORD,)),
    (True, False, "public", (UNSHARE, RECORD)),
    (True, False, "private", (UNSHARE,)),
    (True, False, "none", (UNSHARE, RECORD)),
    (True, False, "of other content", (UNSHARE, RECORD)),
    (True, False, "of an older tool", (UNSHARE, RECORD)),
    (False, True, "public", (SHARE,)),
    (False, True, "private", (SHARE, RECORD)),
    (False, True, "none", (SHARE, RECORD)),
    (False, True, "of other content", (SHARE, RECORD)),
    (False, True, "of an older tool", (SHARE, RECORD)),
    (False, None, "public", (RECORD,)),
    (False, None, "private", ()),
    (False, None, "none", (RECORD,)),
    (False, None, "of other content", (RECORD,)),
    (False, None, "of an older tool", (RECORD,)),
    (False, False, "public", (RECORD,)),
    (False, False, "private", ()),
    (False, False, "none", (RECORD,)),
    (False, False, "of other content", (RECORD,)),
    (False, False, "of an older tool", (RECORD,)),
]


@pytest.mark.parametrize(("is_public", "wish", "said", "steps"), PRESENT)
@pytest.mark.parametrize("registry", [True, False])
def test_of_what_is_there_only_what_is_missing_is_done(
    target: Target,
    *,
    is_public: bool,
    wish: bool | None,
    said: str,
    steps: tuple[Step, ...],
    registry: bool,
) -> None:
    version = LayerVersion(arn=layer_arn(ARN), public=is_public)
    seen = Observed(version=version, row=rows(target)[said])
    plan = target_plan(target, seen, public=wish, registry=registry)
    assert plan.steps == tuple(step for step in steps if registry or step != RECORD)
    assert plan.version == version


def test_the_table_of_cases_is_whole(target: Target) -> None:
    seen = {(is_public, wish, said) for is_public, wish, said, _ in PRESENT}
    wanted = {(a, b, c) for a in (True, False) for b in (True, False, None) for c in rows(target)}
    assert seen == wanted
    assert len(PRESENT) == len(wanted)


@pytest.mark.parametrize("wish", [True, False, None])
def test_where_nothing_can_be_seen_nothing_is_done(target: Target, *, wish: bool | None) -> None:
    seen = Observed(blocked="eu-west-1: list: no", notes=("a note",))
    plan = target_plan(target, seen, public=wish, registry=True)
    assert (plan.steps, plan.blocked, plan.notes) == ((), "eu-west-1: list: no", ("a note",))
    assert plan.action == "blocked"


def test_no_target_takes_more_than_three_writing_calls(target: Target) -> None:
    assert all(len(steps) <= 3 for *_, steps in (*ABSENT, *PRESENT))
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
