"""Findings of `ocelot oidc check` as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from pipeline.report import screen
from pipeline.trust.check import Entry, Finding, is_right
from pipeline.trust.job import Job

_STYLES = {"ok": "green", "note": "yellow", "problem": "red"}


def findings_table(findings: Sequence[Finding]) -> Table:
    """A row for each finding, with what to do next below what was found.

    A policy may hold any text, so characters that do not print are left out.
    """
    table = Table()
    for heading in ("", "where", "what"):
        table.add_column(heading, overflow="fold", no_wrap=not heading)
    for each in findings:
        what = [each.found, *([f"next: {each.remedy}"] if each.remedy else [])]
        table.add_row(
            Text(each.state, _STYLES[each.state]),
            Text(screen.printable(each.place)),
            Text("\n".join(map(screen.printable, what))),
        )
    return table


def check_json(role: str, job: Job, entries: Sequence[Entry], findings: Sequence[Finding]) -> str:
    """All of it as a document of JSON."""
    document: dict[str, Any] = {
        "ok": is_right(findings),
        "role": role,
        "repository": str(job.repository),
        "environment": job.environment,
        "ref": job.ref,
        "subjects": [asdict(each) for each in entries],
        "findings": [asdict(each) for each in findings],
    }
    return json.dumps(document, indent=2) + "\n"
