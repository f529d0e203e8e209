"""Reports of `ocelot gitops`: the Components that a push touches."""

from __future__ import annotations

from pipeline.gitops.changed import ChangedComponents
from pipeline.report.rendering import Report


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
