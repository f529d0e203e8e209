"""Parameters in the reports of `ocelot publish` and `ocelot layers sync`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.parameters.plan import ParameterAction, ParameterPlan
from pipeline.registry.sync.parameters import ParameterSync

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
            old = f" from {_name(each.before.value)}" if each.before else ""
            yield f"{each.name} {(_DONE if are_set else _PLANNED)[each.action]}{old}"
        elif each.reason:
            way = "; --move-back moves it" if each.can_move else ""
            yield f"{each.name} is left alone: {each.reason}{way}"


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


def parameter_rows(sync: ParameterSync) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of a region's parameters: region, action, name, and why."""
    for each in sync.changes:
        why = f"names {_layer(each.before.value)}, now {_layer(each.value)}" if each.before else ""
        yield sync.region, each.action.value, each.name, why or f"missing: {_layer(each.value)}"
    for each in sync.plans:
        if each.reason:
            yield sync.region, "left alone", each.name, each.reason
    for left in sync.left:
        yield sync.region, "left alone", left.what, left.reason
    if sync.error:
        yield sync.region, "failed", "parameters", sync.error


def parameter_sync_json(sync: ParameterSync | None) -> dict[str, Any] | None:
    """Return a region's parameters as values for JSON; None without a prefix."""
    if sync is None:
        return None
    return {"plans": parameters_json(sync.plans), "left": sync.left, "error": sync.error}


def _layer(arn: str) -> str:
    """Return a layer version's name and number."""
    return arn.rpartition(":layer:")[2]


def _name(arn: str) -> str:
    """Return a layer's name, which is the same in all regions."""
    return _layer(arn).partition(":")[0]
