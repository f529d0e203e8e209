"""What a layer version's policy says of everybody. Pure."""

from __future__ import annotations

import json
from typing import Any, cast

ACTION = "lambda:GetLayerVersion"
_ACTIONS = {ACTION.lower(), "lambda:*", "*"}


def public_statements(policy: str) -> tuple[str, ...]:
    """The identifiers of the statements that let everybody use a layer version.

    A statement with a condition lets only some.

    Args:
        policy: JSON, as GetLayerVersionPolicy gives it; empty for none.
    """
    try:
        parsed: object = json.loads(policy) if policy else {}
    except ValueError:
        return ()
    statements = _mapping(parsed).get("Statement", [])
    listed: list[object] = statements if isinstance(statements, list) else [statements]
    return tuple(
        str(each.get("Sid", "")) for each in map(_mapping, listed) if _lets_everybody(each)
    )


def _lets_everybody(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        principal = _mapping(cast("object", principal)).get("AWS")
    actions = statement.get("Action", [])
    named: list[object] = actions if isinstance(actions, list) else [actions]
    return (
        statement.get("Effect") == "Allow"
        and "*" in (principal if isinstance(principal, list) else [principal])
        and any(str(each).lower() in _ACTIONS for each in named)
        and not statement.get("Condition")
    )


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
