"""Report of `ocelot doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.doctor import Check, can_build
from pipeline.report.rendering import Report, json_text

_STYLES = {"ok": "green", "missing": "red", "note": "yellow"}


def doctor_report(checks: Sequence[Check]) -> Report:
    """Return a row for each check."""
    return Report(
        rows=[(each.state, each.name, _found(each)) for each in checks],
        styles=[_style(each) for each in checks],
        notes=(
            f"ocelot build {'can' if can_build(checks) else 'cannot'} run here, without containers",
        ),
    )


def _found(check: Check) -> str:
    remedy = f"\nfor {check.purpose}: {check.remedy}" if check.remedy else ""
    return f"{check.found}{remedy}"


def _style(check: Check) -> str:
    optional = check.state == "missing" and not check.needed
    return "yellow" if optional else _STYLES[check.state]


def doctor_json(checks: Sequence[Check]) -> str:
    """Return the checks as JSON."""
    return json_text({"ok": can_build(checks), "findings": checks})
