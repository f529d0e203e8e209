"""Reports of `ocelot gitops`: the Components that a push touches, what a release builds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.gitops.changed import ChangedComponents
from pipeline.gitops.resolve import ResolvedBuild
from pipeline.report.rendering import Report

if TYPE_CHECKING:
    from pipeline.gitops.image.plan import ImagePlan


def changed_report(found: ChangedComponents) -> Report:
    """Return the Components to release with the path for which each is."""
    push, count = found.push, len(found.components)
    noun = "Component" if count == 1 else "Components"
    at = f" at {push.commit[:12]}" if push.commit else ", which was deleted"
    return Report(
        title="Components of a push",
        summary=f"{count} {noun} to release: {push.branch}{at}",
        headings=("Component", "Workflow", "Changed"),
        rows=[(str(each.name), each.workflow, each.reason) for each in found.components],
        problems=[f"left out: {name}: {reason}" for name, reason in found.unusable],
        whole=("Component",),
    )


def plan_report(found: ResolvedBuild) -> Report:
    """Return the parameters of a build, a row for each, under the names of a WorkflowRun."""
    name, sha = found.parameters.name, found.commit.sha
    return Report(
        title="Release",
        summary=f"{name} is released at {sha[:12]}",
        headings=("Parameter", "Value"),
        rows=list(_rows("", found.document())),
        whole=("Parameter",),
    )


def image_report(plan: ImagePlan, folder: Path) -> Report:
    """Return the image that a plan found, or where the steps are that build it."""
    if plan.found:
        return Report(notes=(f"{plan.reference} is there: {plan.found}",))
    return Report(notes=(f"{plan.reference} is to be built: {folder / 'plan.json'}",))


def _rows(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _rows(f"{prefix}{key}.", cast("dict[str, Any]", value))
        elif isinstance(value, list):
            yield f"{prefix}{key}", "\n".join(cast("list[str]", value))
        elif key == "committed":
            moment = dt.datetime.fromtimestamp(value, dt.UTC)
            yield f"{prefix}{key}", f"{moment:%Y-%m-%d %H:%M:%S} UTC"
        else:
            yield f"{prefix}{key}", str(value)
