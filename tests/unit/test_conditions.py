from __future__ import annotations

from collections.abc import Mapping

import pytest

from pipeline.trust.conditions import Condition, Truth, every, like, met, negation, some

KEY = "token.actions.githubusercontent.com:sub"
CLAIMS = {KEY: "repo:acme/layers:ref:refs/heads/main"}
WITHOUT = {KEY: None}
MAIN, OTHER = CLAIMS[KEY], "repo:other/layers:ref:refs/heads/main"


def holds(operator: str, *values: str, claims: Mapping[str, str | None] | None = None) -> Truth:
    found = CLAIMS if claims is None else claims
    return met(Condition(operator=operator, key=KEY, values=values), found)


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("StringEquals", (MAIN,), True),
        ("StringEquals", (OTHER, MAIN), True),
        ("StringEquals", (OTHER,), False),
        ("StringEquals", (MAIN.upper(),), False),
        ("StringEquals", ("repo:acme/*",), False),
        ("StringEquals", (), False),
        ("StringNotEquals", (MAIN,), False),
        ("StringNotEquals", (OTHER, MAIN), False),
        ("StringNotEquals", (OTHER,), True),
        ("StringEqualsIgnoreCase", (MAIN.upper(),), True),
        ("StringNotEqualsIgnoreCase", (MAIN.upper(),), False),
        ("StringLike", ("repo:acme/*",), True),
        ("StringLike", ("repo:acm?/layers:*",), True),
        ("StringLike", ("repo:acme/layers",), False),
        ("StringLike", ("repo:ACME/*",), False),
        ("StringNotLike", ("repo:acme/*",), False),
        ("StringNotLike", ("repo:other/*",), True),
        ("ForAnyValue:StringEquals", (MAIN,), True),
        ("ForAllValues:StringLike", (OTHER,), False),
        ("StringEqualsIfExists", (OTHER,), False),
        ("Null", ("false",), True),
        ("Null", ("true",), False),
    ],
)
def test_an_operator_on_a_claim(operator: str, values: tuple[str, ...], expected: Truth) -> None:
    assert holds(operator, *values) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringLike", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringLikeIfExists", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", None),
    ],
)
def test_an_operator_on_a_claim_that_is_missing(operator: str, expected: Truth) -> None:
    assert holds(operator, MAIN, claims=WITHOUT) is expected


def test_null_asks_whether_a_claim_is_missing() -> None:
    assert holds("Null", "true", claims=WITHOUT) is True
    assert holds("Null", "false", claims=WITHOUT) is False
    assert holds("Null", "maybe", claims=WITHOUT) is None


@pytest.mark.parametrize(
    "operator",
    [
        "ArnLike",
        "Bool",
        "IpAddress",
        "stringequals",
        "ForSomeValues:StringEquals",
        "",
        "NullIfExists",
    ],
)
def test_an_operator_that_is_not_understood_cannot_be_told(operator: str) -> None:
    assert holds(operator, MAIN) is None


def test_nothing_can_be_told_of_what_is_not_known_of_the_request() -> None:
    assert holds("StringEquals", MAIN, claims={}) is None
    assert holds("Null", "true", claims={}) is None


def test_a_value_that_depends_on_the_request_cannot_be_told() -> None:
    assert holds("StringLike", "repo:${aws:PrincipalTag/team}/*") is None


@pytest.mark.parametrize(
    ("truths", "all_hold", "one_holds"),
    [
        ((), True, False),
        ((True, True), True, True),
        ((True, None), None, True),
        ((False, None), False, None),
        ((True, False, None), False, True),
        ((None,), None, None),
    ],
)
def test_what_cannot_be_told_counts_where_it_decides(
    truths: tuple[Truth, ...], all_hold: Truth, one_holds: Truth
) -> None:
    assert (every(truths), some(truths)) == (all_hold, one_holds)


def test_the_opposite_of_what_cannot_be_told_cannot_be_told() -> None:
    assert [negation(each) for each in (True, False, None)] == [False, True, None]


def test_a_pattern_takes_line_breaks_and_no_other_signs() -> None:
    assert like("a*b", "a\nb")
    assert not like("a.b", "axb")
    assert not like("[ab]", "a")
