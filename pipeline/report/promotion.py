"""The report of `ocelot gitops promote`: the releases of each component, old and new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.report.delivery import delivery_report
from pipeline.report.rendering import Report

if TYPE_CHECKING:
    from pipeline.gitops.delivery import Delivered  # which imports githubkit
    from pipeline.gitops.promotion import Promotion, PromotionPlan


def promotion_report(delivered: Delivered[PromotionPlan]) -> Report:
    """Return the promoted releases, what is left out, and the branch or pull request."""
    plan = delivered.proposal.result
    unchanged = len(plan.unchanged)
    noun = "component has" if unchanged == 1 else "components have"
    bound = [f"{unchanged} {noun} the release already"] if unchanged else []
    whole = delivery_report(delivered)
    return replace(
        whole,
        title=f"Promotion to {plan.environment}",
        headings=("Component", "Old release", "New release") if plan.promotions else (),
        rows=[(str(each), each.before or "none", each.after) for each in plan.promotions],
        whole=("Component",),
        problems=[f"left out: {each}" for each in (*plan.missing, *plan.other_projects)],
        notes=(*bound, *whole.notes),
    )


def promotion_json(plan: PromotionPlan, namespace: str) -> dict[str, Any]:
    """Return a plan's part of the JSON."""
    return {
        "namespace": namespace,
        "environment": plan.environment,
        "promoted_from": plan.previous or None,
        "pipeline": plan.pipeline,
        "promotions": _releases(plan.promotions),
        "unchanged": _releases(plan.unchanged),
        "left_out": [
            {"project": each.project, "component": each.component or None, "reason": each.reason}
            for each in (*plan.missing, *plan.other_projects)
        ],
    }


def _releases(promotions: Iterable[Promotion]) -> list[dict[str, str | None]]:
    return [
        {
            "project": each.project,
            "component": each.component,
            "before": each.before or None,
            "after": each.after,
        }
        for each in promotions
    ]
