"""Parameters in the reports of `ocelot publish` and `ocelot layers sync`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.parameters.plan import ParameterAction, ParameterPlan

_PLANNED = {ParameterAction.CREATE: "is to be created", ParameterAction.MOVE: "is to be moved"}
_DONE = {ParameterAction.CREATE: "was created", ParameterAction.MOVE: "was moved"}


def parameter_notes(plans: Iterable[ParameterPlan], *, are_set: bool = False) -> Iterator[str]:
    """Yield a line for each parameter that changes or is left alone.

    Args:
        plans: the decisions.
        are_set: whether the changes were made.
    """
    for each in plans:
        if each.is_change:
            yield f"{each.name} {(_DONE if are_set else _PLANNED)[each.action]}"
        elif each.reason:
            yield f"{each.name} is left alone: {each.reason}"


def parameters_json(plans: Iterable[ParameterPlan]) -> list[dict[str, Any]]:
    """Return the decisions on parameters as values for JSON.

    A value that is not the publisher's is not shown: it may be a secret.
    """
    return [
        {
            "name": each.name,
            "action": each.action,
            "value": each.value,
            "before": each.before.value if each.before and not each.is_foreign else "",
            "reason": each.reason,
        }
        for each in plans
    ]
