"""The policy of a layer version: which accounts may use it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pipeline.errors import UsageError, quoted

ACTION = "lambda:GetLayerVersion"
# All AWS accounts, as a grantee.
EVERYONE = "*"
# Id of the statement for all accounts; other tools use the same.
PUBLIC_ID = "publish"

_ACTIONS = {ACTION.lower(), "lambda:*", "*"}
# https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html
_GRANTEE = re.compile(r"org:o-[a-z0-9]{10,32}|account:[0-9]{12}")
_OWN_ID = re.compile(r"share-(?:org-o-[a-z0-9]{10,32}|account-[0-9]{12})")
_ACCOUNT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?([0-9]{12})(?::root)?")
_ORGANISATION = "aws:principalorgid"


@dataclass(frozen=True, slots=True)
class LayerStatement:
    """A statement of a policy.

    Attributes:
        id: unique in the policy.
        grantees: the accounts that it lets use the layer version: `*` for all, `org:o-…` for those
            of an organisation, `account:123456789012` for one; empty for a statement that ocelot
            does not understand.
    """

    id: str
    grantees: tuple[str, ...]

    @property
    def is_own(self) -> bool:
        """True if its id is one that ocelot gives to a statement for an organisation or account."""
        return _OWN_ID.fullmatch(self.id) is not None


@dataclass(frozen=True, slots=True)
class LayerPolicy:
    """The statements of a layer version's policy, in AWS' order."""

    statements: tuple[LayerStatement, ...] = ()

    @property
    def public(self) -> bool:
        """True if every account may use the layer version."""
        return any(EVERYONE in each.grantees for each in self.statements)

    @property
    def shared_with(self) -> tuple[str, ...]:
        """The organisations and accounts that may use the layer version, sorted."""
        named = {one for each in self.statements for one in each.grantees}
        return tuple(sorted(named - {EVERYONE}))

    def with_public(self, *, public: bool) -> LayerPolicy:
        """Return the policy by which every account may use the layer version, or not every one."""
        if self.public and public:
            return self
        others = tuple(each for each in self.statements if EVERYONE not in each.grantees)
        return LayerPolicy((*others, granting(EVERYONE)) if public else others)

    def with_shares(self, grantees: Iterable[str]) -> LayerPolicy:
        """Return the policy whose own statements let exactly these grantees use the layer version.

        Statements of others stay as they are.
        """
        wanted = [granting(each) for each in sorted(set(grantees))]
        kept = tuple(each for each in self.statements if not each.is_own or each in wanted)
        return LayerPolicy((*kept, *(each for each in wanted if each not in kept)))

    def without(self, other: LayerPolicy) -> tuple[LayerStatement, ...]:
        """Return the statements that another policy lacks."""
        return tuple(each for each in self.statements if each not in other.statements)


NO_POLICY = LayerPolicy()


def granting(grantee: str) -> LayerStatement:
    """Return ocelot's own statement for a grantee."""
    own = PUBLIC_ID if grantee == EVERYONE else f"share-{grantee.replace(':', '-')}"
    return LayerStatement(own, (grantee,))


def grantee(text: str) -> str:
    """Return a grantee as a user gives it.

    Raises:
        UsageError: it is neither an organisation nor an account.
    """
    if not _GRANTEE.fullmatch(text):
        raise UsageError(
            f"{quoted(text)} is neither an organisation nor an account in AWS",
            hint="give org:o-xxxxxxxxxx (aws organizations describe-organization prints the id), "
            "account:123456789012 or none: --share",
        )
    return text


def permission(statement: LayerStatement) -> dict[str, str]:
    """Return the parameters of AddLayerVersionPermission for one of ocelot's own statements."""
    (one,) = statement.grantees
    kind, _, name = one.rpartition(":")
    whom = {"OrganizationId": name} if kind == "org" else {}
    principal = name if kind == "account" else EVERYONE
    return {"StatementId": statement.id, "Action": ACTION, "Principal": principal, **whom}


def read_policy(text: str) -> LayerPolicy:
    """Return the policy in a text; without statements if it is not valid.

    Args:
        text: JSON from GetLayerVersionPolicy; empty for none.
    """
    try:
        parsed: object = json.loads(text)
    except ValueError:
        return NO_POLICY
    statements = filter(None, map(_mapping, _list(_mapping(parsed).get("Statement", []))))
    return LayerPolicy(tuple(map(_statement, statements)))


def _statement(statement: Mapping[str, Any]) -> LayerStatement:
    return LayerStatement(str(statement.get("Sid", "")), tuple(_grantees(statement)))


def _grantees(statement: Mapping[str, Any]) -> Iterator[str]:
    """Yield the grantees of a statement; none for a statement that ocelot does not understand."""
    actions = {str(each).lower() for each in _list(statement.get("Action", []))}
    if statement.get("Effect") != "Allow" or not actions & _ACTIONS:
        return
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        principal = _mapping(cast("object", principal)).get("AWS")
    principals = [each for each in _list(principal) if isinstance(each, str)]
    condition = _mapping(statement.get("Condition"))
    if condition:
        yield from _organisations(condition) if EVERYONE in principals else ()
        return
    if EVERYONE in principals:
        yield EVERYONE
    yield from (f"account:{found[1]}" for found in map(_ACCOUNT.fullmatch, principals) if found)


def _organisations(condition: Mapping[str, Any]) -> Iterator[str]:
    """Yield the organisations of a condition on nothing else."""
    keys = {key.lower(): value for key, value in _mapping(condition.get("StringEquals")).items()}
    if [*condition] == ["StringEquals"] and [*keys] == [_ORGANISATION]:
        for each in map(str, _list(keys[_ORGANISATION])):
            if _GRANTEE.fullmatch(f"org:{each}"):
                yield f"org:{each}"


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]
