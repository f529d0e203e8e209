"""Conditions of IAM policies, evaluated for what a token says. Pure.

What is not understood here is neither met nor unmet: it cannot be told.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

# None: it cannot be told.
Truth = bool | None

_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One operator on one key.

    Attributes:
        operator: as the policy has it, such as ForAnyValue:StringLikeIfExists.
        key: in small letters, as IAM's keys have no case.
        values: any of them will do; of an operator that negates, none may fit.
    """

    operator: str
    key: str
    values: tuple[str, ...]

    @property
    def quantifier(self) -> str:
        """ForAllValues, ForAnyValue, or nothing."""
        return self._parts[0]

    @property
    def comparison(self) -> str:
        """The operator alone, such as StringLike; empty for one that has no such form."""
        return self._parts[1]

    @property
    def if_exists(self) -> bool:
        """Whether it is met where the key is missing."""
        return bool(self._parts[2])

    @property
    def has_variables(self) -> bool:
        """Whether a value depends on the request."""
        return any("${" in each for each in self.values)

    @property
    def _parts(self) -> tuple[str, str, str]:
        found = _OPERATOR.match(self.operator)
        return (found[1] or "", found[2], found[3] or "") if found else ("", "", "")

    def __str__(self) -> str:
        return f"{self.operator} {self.key} {', '.join(self.values)}"


def met(condition: Condition, claims: Mapping[str, str | None]) -> Truth:
    """Whether a request meets a condition.

    Args:
        condition: the condition.
        claims: what is known of the request by key in small letters; None for a key that it lacks.
            Of a key that is not in here nothing can be told.
    """
    comparison = condition.comparison
    if condition.key not in claims or condition.has_variables:
        return None
    value = claims[condition.key]
    if comparison == "Null" and not condition.quantifier and not condition.if_exists:
        return _null(condition.values, missing=value is None)
    if comparison not in FITS:
        return None
    fits, negated = FITS[comparison]
    if value is None:
        return _met_without(condition, negated=negated)
    return any(fits(each, value) for each in condition.values) is not negated


def _met_without(condition: Condition, *, negated: bool) -> Truth:
    """Whether a condition is met where its key is missing."""
    if condition.quantifier:  # which decides alone
        return None if condition.if_exists else condition.quantifier == "ForAllValues"
    return condition.if_exists or negated


def every(truths: Iterable[Truth]) -> Truth:
    """Whether all hold; one that does not decides, whatever cannot be told."""
    told = tuple(truths)
    return False if False in told else None if None in told else True


def some(truths: Iterable[Truth]) -> Truth:
    """Whether one holds; one that does decides, whatever cannot be told."""
    told = tuple(truths)
    return True if True in told else None if None in told else False


def negation(truth: Truth) -> Truth:
    """Whether it does not hold."""
    return None if truth is None else not truth


def like(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern, in which * is anything and ? one character."""
    wild = {"*": ".*", "?": "."}
    expression = "".join(wild.get(each) or re.escape(each) for each in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def has_wildcard(pattern: str) -> bool:
    """Whether a pattern fits more than itself."""
    return "*" in pattern or "?" in pattern


def _equal(pattern: str, text: str) -> bool:
    return pattern == text


def _equal_but_for_case(pattern: str, text: str) -> bool:
    return pattern.casefold() == text.casefold()


def _null(values: tuple[str, ...], *, missing: bool) -> Truth:
    wanted = {each.lower() for each in values}
    return None if wanted - {"true", "false"} else str(missing).lower() in wanted


# Each comparison that is understood, and whether it is met where nothing fits.
FITS: Mapping[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_but_for_case, False),
    "StringNotEqualsIgnoreCase": (_equal_but_for_case, True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
}
