"""A role's trust policy: its statements, and the subjects that may assume the role. Pure.

Decided are only conditions that compare a token's subject, audience or workflow with exact values.
Any other element or condition leaves the decision open, and `pipeline.trust.check` reports it as a
problem. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pipeline.naming import is_one_word
from pipeline.trust.job import HOST
from pipeline.trust.token import AUDIENCE

SUBJECT_KEY = f"{HOST}:sub"
AUDIENCE_KEY = f"{HOST}:aud"
WORKFLOW_KEY = f"{HOST}:job_workflow_ref"
_EXACT_KEYS = (SUBJECT_KEY, AUDIENCE_KEY, WORKFLOW_KEY)
_EVERYONE = "*"
_WEB_IDENTITY = "sts:assumerolewithwebidentity"
_ASSUMES = {"sts:assumerole", "sts:assumerolewithsaml", _WEB_IDENTITY}
_PROVIDER = re.compile(rf"arn:[a-z-]+:iam::([0-9]{{12}}):oidc-provider/{re.escape(HOST)}\Z")
_KNOWN = {"Sid", "Effect", "Action", "Principal", "Condition"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """A principal of a statement.

    Attributes:
        kind: Federated, AWS, Service …; empty for `"Principal": "*"`.
        name: an ARN, an account, a host or `*`.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()

    @property
    def account(self) -> str:
        """The account of the OIDC provider for GitHub; empty for any other principal."""
        found = _PROVIDER.match(self.name)
        return found[1] if found and self.kind == "Federated" else ""

    @property
    def is_everyone(self) -> bool:
        """True for `*`."""
        return self.name == _EVERYONE


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One operator on one key.

    Attributes:
        operator: as in the policy, such as StringEquals.
        key: in lower case: IAM ignores the case of keys.
        values: one of them must match.
    """

    operator: str
    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.operator} {self.key} {', '.join(map(visible, self.values))}"

    @property
    def is_exact(self) -> bool:
        """True if it compares a token's subject, audience or workflow with exact values."""
        is_literal = self.operator == "StringEquals" or (
            self.operator == "StringLike" and not any(map(has_wildcard, self.values))
        )
        has_variables = any("${" in each for each in self.values)  # they differ for each request
        return is_literal and self.key in _EXACT_KEYS and not has_variables


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        place: its number and Sid, for people.
        unsupported: elements other than conditions that leave the decision open.
    """

    place: str
    effect: str
    actions: tuple[str, ...]
    principals: tuple[Principal, ...]
    conditions: tuple[Condition, ...] = ()
    unsupported: tuple[str, ...] = ()

    @property
    def inexact(self) -> tuple[Condition, ...]:
        """Its conditions that leave the decision open."""
        return tuple(each for each in self.conditions if not each.is_exact)

    @property
    def assumes(self) -> bool:
        """True if it is about assuming the role; an action with a wildcard counts."""
        return any(each.lower() in _ASSUMES or has_wildcard(each) for each in self.actions)

    def values(self, key: str) -> frozenset[str] | None:
        """Return the values of a key that its exact conditions accept; None without such one."""
        sets = [set(each.values) for each in self.conditions if each.key == key and each.is_exact]
        return frozenset(sets[0].intersection(*sets)) if sets else None

    def applies(self, subject: str, workflow: str) -> bool | None:
        """Return True if it applies to GitHub's tokens of a job; None: undecided.

        Args:
            subject: of the token.
            workflow: the token's job_workflow_ref; empty if it is not known.
        """
        if self.unsupported:
            return None
        if not any(each.lower() == _WEB_IDENTITY or has_wildcard(each) for each in self.actions):
            return False
        if not any(each.account or each.is_everyone for each in self.principals):
            return False
        for key, value in ((SUBJECT_KEY, subject), (AUDIENCE_KEY, AUDIENCE)):
            exact = self.values(key)
            if exact is not None and value not in exact:
                return False
        workflows = self.values(WORKFLOW_KEY)
        if workflows is not None and workflow and workflow not in workflows:
            return False
        is_open = self.inexact or (workflows is not None and not workflow)
        return None if is_open else True


def accepts(policy: tuple[Statement, ...], subject: str, workflow: str = "") -> bool | None:
    """Return True if a GitHub job may assume the role; None: undecided.

    Args:
        policy: the role's statements.
        subject: of the job's token.
        workflow: the token's job_workflow_ref; empty if it is not known.
    """
    # an effect that is not supported may be either
    allowed = {each.applies(subject, workflow) for each in policy if each.effect != "Deny"}
    denied = {each.applies(subject, workflow) for each in policy if each.effect != "Allow"}
    if True in denied or allowed <= {False}:
        return False
    return True if True in allowed and None not in denied else None


def statements(policy: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Return the statements of a trust policy, which is parsed JSON."""
    listed = _list(policy.get("Statement"))
    return tuple(_statement(number, each) for number, each in enumerate(listed, start=1))


def has_wildcard(text: str) -> bool:
    """True if a pattern matches more than its own text."""
    return "*" in text or "?" in text


def visible(text: str) -> str:
    """Return a text for a message; one with a blank or a letter that is not ASCII is quoted."""
    return text if is_one_word(text) else ascii(text)


def _statement(number: int, given: object) -> Statement:
    elements = _mapping(given)
    sid = elements.get("Sid")
    effect = elements.get("Effect")
    unsupported = [f"{name} is not supported" for name in sorted({*elements} - _KNOWN)]
    if effect not in ("Allow", "Deny"):
        unsupported.append(f"the effect {effect} is not supported")
    tests = _mapping(elements.get("Condition", {}))
    if elements.get("Condition", {}) != tests or not all(map(_mapping, tests.values())):
        unsupported.append("its conditions are not supported")
    principals = tuple(_principals(elements.get("Principal")))
    actions = _texts(elements.get("Action"))
    if not principals or not actions:
        unsupported.append("it names no principal, or no action")
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
        unsupported=tuple(unsupported),
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
