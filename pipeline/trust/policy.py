"""A role's trust policy: who may assume the role. Pure.

Only what a policy needs is understood: exact values of a token's subject and audience. Of anything
else no decision is made: it is a problem (see `pipeline.trust.check`).
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pipeline.trust.job import HOST
from pipeline.trust.token import AUDIENCE

SUBJECT_KEY = f"{HOST}:sub"
AUDIENCE_KEY = f"{HOST}:aud"
_ANYBODY = "*"
_WEB_IDENTITY = "sts:assumerolewithwebidentity"
_ASSUMES = {"sts:assumerole", "sts:assumerolewithsaml", _WEB_IDENTITY}
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
        return found[1] if found and self.kind == "Federated" else ""

    @property
    def is_anybody(self) -> bool:
        """Whether everybody is meant."""
        return self.name == _ANYBODY


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One operator on one key.

    Attributes:
        operator: as the policy has it, such as StringEquals.
        key: in small letters, as IAM's keys have no case.
        values: any of them will do.
    """

    operator: str
    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.operator} {self.key} {', '.join(self.values)}"

    @property
    def is_exact(self) -> bool:
        """Whether it names a token's subjects or audiences one by one."""
        is_literal = self.operator == "StringEquals" or (
            self.operator == "StringLike" and not any(map(has_wildcard, self.values))
        )
        has_variables = any("${" in each for each in self.values)  # filled in for each request
        return is_literal and self.key in (SUBJECT_KEY, AUDIENCE_KEY) and not has_variables


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        place: which one it is, for people.
        strange: what in it is not understood, its conditions apart.
    """

    place: str
    effect: str
    actions: tuple[str, ...]
    principals: tuple[Principal, ...]
    conditions: tuple[Condition, ...] = ()
    strange: tuple[str, ...] = ()

    @property
    def inexact(self) -> tuple[Condition, ...]:
        """Its conditions that do not compare a subject or an audience with exact values."""
        return tuple(each for each in self.conditions if not each.is_exact)

    @property
    def assumes(self) -> bool:
        """Whether it is about assuming the role; a wildcard counts as that."""
        return any(each.lower() in _ASSUMES or has_wildcard(each) for each in self.actions)

    def values(self, key: str) -> frozenset[str] | None:
        """The values of a key that it takes by exact conditions; None where there is none."""
        sets = [set(each.values) for each in self.conditions if each.key == key and each.is_exact]
        return frozenset(sets[0].intersection(*sets)) if sets else None

    def applies(self, subject: str) -> bool | None:
        """Whether it is about GitHub's tokens for AWS with that subject; None: cannot be told."""
        if self.strange:
            return None
        if not any(each.lower() == _WEB_IDENTITY or has_wildcard(each) for each in self.actions):
            return False
        if not any(each.account or each.is_anybody for each in self.principals):
            return False
        for key, value in ((SUBJECT_KEY, subject), (AUDIENCE_KEY, AUDIENCE)):
            exact = self.values(key)
            if exact is not None and value not in exact:
                return False
        return None if self.inexact else True


def lets_in(policy: tuple[Statement, ...], subject: str) -> bool | None:
    """Whether a role is given to a GitHub job with that subject; None: cannot be told."""
    # an effect that is not known may be either
    allowed = {each.applies(subject) for each in policy if each.effect != "Deny"}
    denied = {each.applies(subject) for each in policy if each.effect != "Allow"}
    if True in denied or allowed <= {False}:
        return False
    return True if True in allowed and None not in denied else None


def statements(policy: Mapping[str, Any]) -> tuple[Statement, ...]:
    """The statements of a trust policy, which is parsed JSON."""
    listed = _list(policy.get("Statement"))
    return tuple(_statement(number, each) for number, each in enumerate(listed, start=1))


def has_wildcard(text: str) -> bool:
    """Whether a pattern fits more than itself."""
    return "*" in text or "?" in text


def _statement(number: int, given: object) -> Statement:
    elements = _mapping(given)
    sid = elements.get("Sid")
    effect = elements.get("Effect")
    strange = [f"{name} is not understood" for name in sorted({*elements} - _KNOWN)]
    if effect not in ("Allow", "Deny"):
        strange.append(f"the effect {effect} is not understood")
    tests = _mapping(elements.get("Condition", {}))
    if elements.get("Condition", {}) != tests or not all(map(_mapping, tests.values())):
        strange.append("its conditions are not understood")
    principals = tuple(_principals(elements.get("Principal")))
    actions = _texts(elements.get("Action"))
    if not principals or not actions:
        strange.append("it names no principal, or no action")
    return Statement(
        place=f"statement {number}" + (f" ({sid})" if sid else ""),
        effect=str(effect),
        actions=actions,
        principals=principals,
        conditions=tuple(
            Condition(operator=operator, key=key.lower(), values=_texts(values))
            for operator, keys in tests.items()
            for key, values in _mapping(keys).items()
        ),
        strange=tuple(strange),
    )


def _principals(given: object) -> Iterator[Principal]:
    if isinstance(given, str):
        yield Principal(kind="", name=given)
    for kind, names in _mapping(given).items():
        yield from (Principal(kind=kind, name=name) for name in _texts(names))


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    if value is None:
        return []
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, _list(value)))
