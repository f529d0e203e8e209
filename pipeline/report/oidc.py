"""Report of `ocelot oidc check`."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.report.rendering import Report, json_text
from pipeline.trust.check import SubjectDecision, TrustFinding, is_right
from pipeline.trust.job import Job

_STYLES = {"ok": "green", "note": "yellow", "problem": "red"}


def findings_report(role: str, job: Job, findings: Sequence[TrustFinding]) -> Report:
    """Return a row for each finding, with the next step below what was found."""
    rows = [
        (
            each.state,
            each.place,
            f"{each.found}\nnext: {each.remedy}" if each.remedy else each.found,
        )
        for each in findings
    ]
    styles = [_STYLES[each.state] for each in findings]
    return Report(
        title=f"{role}: {job.context} of {job.repository}",
        headings=("", "where", "what"),
        rows=rows,
        whole=("",),
        styles=styles,
    )


def check_json(
    role: str,
    job: Job,
    decisions: Sequence[SubjectDecision],
    findings: Sequence[TrustFinding],
) -> str:
    """Return the findings, and the subjects that the policy decides on, as JSON."""
    return json_text(
        {
            "ok": is_right(findings),
            "role": role,
            "repository": str(job.repository),
            "environment": job.environment,
            "ref": job.ref,
            "workflow": job.workflow,
            "subjects": decisions,
            "findings": findings,
        }
    )
