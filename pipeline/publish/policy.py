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
    statements = map(_mapping, _list(_mapping(parsed).get("Statement", [])))
    return tuple(str(each.get("Sid", "")) for each in statements if _lets_everybody(each))


def _lets_everybody(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        principal = _mapping(cast("object", principal)).get("AWS")
    return (
        statement.get("Effect") == "Allow"
        and "*" in _list(principal)
        and any(str(each).lower() in _ACTIONS for each in _list(statement.get("Action", [])))
        and not statement.get("Condition")
    )


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]
