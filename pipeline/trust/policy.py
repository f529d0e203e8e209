"""A role's trust policy: who may take it on. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pipeline.trust.conditions import (
    Condition,
    Truth,
    every,
    like,
    met,
    negation,
    some,
)
from pipeline.trust.job import HOST, Token

ACTION = "sts:AssumeRoleWithWebIdentity"
FEDERATED = "Federated"
ANYBODY = "*"

_PROVIDER = re.compile(rf"arn:[a-z-]+:iam::([0-9]{{12}}):oidc-provider/{re.escape(HOST)}\Z")
_KNOWN = {"Sid", "Effect", "Action", "Principal", "Condition"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Somebody who is named.

    Attributes:
        kind: Federated, AWS, Service …; empty for everybody.
        name: an ARN, an account, a host.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()

    @property
    def account(self) -> str:
        """The account whose provider for GitHub it is; empty for anybody else."""
        found = _PROVIDER.match(self.name)
        return found[1] if found and self.kind == FEDERATED else ""

    @property
    def is_anybody(self) -> bool:
        """Whether everybody is meant."""
        return self.name == ANYBODY


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        place: which one it is, for people.
        strange: what in it is not understood; then nothing can be told of it.
    """

    place: str
    effect: str
    actions: tuple[str, ...]
    principals: tuple[Principal, ...]
    conditions: tuple[Condition, ...] = ()
    strange: tuple[str, ...] = ()

    @property
    def allows(self) -> bool:
        """Whether it lets in; one that is not understood may."""
        return self.effect != "Deny"

    def applies(self, token: Token) -> Truth:
        """Whether it speaks of who comes with a token."""
        if self.strange:
            return None
        return every(
            (
                any(like(each.lower(), ACTION.lower()) for each in self.actions),
                any(each.account or each.is_anybody for each in self.principals),
                *(met(each, token.claims) for each in self.conditions),
            )
        )


def statements(policy: Mapping[str, Any]) -> tuple[Statement, ...]:
    """The statements of a trust policy."""
    listed = _list(policy.get("Statement"))
    return tuple(_statement(number, each) for number, each in enumerate(listed, start=1))


def lets_in(policy: tuple[Statement, ...], token: Token) -> Truth:
    """Whether a role is given to who comes with a token of GitHub's."""
    allowed = some(each.applies(token) for each in policy if each.effect == "Allow")
    # an effect that is not known may be anything
    odd = some(each.applies(token) for each in policy if each.effect not in ("Allow", "Deny"))
    denied = some(each.applies(token) for each in policy if each.effect == "Deny")
    if odd is not False and denied is not True:
        return None
    return every((allowed, negation(denied)))


def _statement(number: int, given: object) -> Statement:
    told = _mapping(given)
    sid = told.get("Sid")
    effect = told.get("Effect")
    strange = [f"{name} is not understood" for name in sorted({*told} - _KNOWN)]
    if effect not in ("Allow", "Deny"):
        strange.append(f"the effect {effect} is not understood")
    tests = _mapping(told.get("Condition", {}))
    if told.get("Condition", {}) != tests or not all(map(_mapping, tests.values())):
        strange.append("its conditions are not understood")
    principals = tuple(_principals(told.get("Principal")))
    actions = _texts(told.get("Action"))
    if not principals or not actions:
        strange.append("it names no principal, or no action")
    return Statement(
        place=f"statement {number}" + (f" ({sid})" if sid else ""),
        effect=str(effect),
        actions=actions,
        principals=principals,
        conditions=tuple(_conditions(tests)),
        strange=tuple(strange),
    )


def _principals(given: object) -> Iterator[Principal]:
    if isinstance(given, str):
        yield Principal(kind="", name=given)
    for kind, names in _mapping(given).items():
        yield from (Principal(kind=kind, name=name) for name in _texts(names))


def _conditions(given: object) -> Iterator[Condition]:
    for operator, keys in _mapping(given).items():
        for key, values in _mapping(keys).items():
            yield Condition(operator=operator, key=key.lower(), values=_texts(values))


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    if value is None:
        return []
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _texts(value: object) -> tuple[str, ...]:
    """One or several as texts; truths as JSON writes them."""
    return tuple(
        str(each).lower() if isinstance(each, bool) else str(each) for each in _list(value)
    )
