"""Report of a single step of a release: the file that it changed."""

from __future__ import annotations

from pipeline.gitops.occ_steps import Step
from pipeline.gitops.texts import diff_text
from pipeline.report.diff import file_action
from pipeline.report.rendering import Report, json_text


def step_report(step: Step, *, dry_run: bool) -> Report:
    """Return the changed file."""
    done = "would be written" if dry_run else "written"
    return Report(
        title="GitOps repository",
        summary=f"{step.name} {done}" if step.changes else f"{step.name} is there already",
        headings=("File", "Change") if step.changes else (),
        rows=[(each.path, file_action(each)) for each in step.changes],
        whole=("File",),
        notes=step.warnings,
    )


def step_json(step: Step) -> str:
    """Return a step as JSON."""
    return json_text(
        {
            "name": step.name,
            "files": [{"path": each.path, "change": file_action(each)} for each in step.changes],
            "diff": diff_text(step.changes),
            "warnings": list(step.warnings),
        }
    )
