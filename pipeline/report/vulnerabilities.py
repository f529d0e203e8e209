"""Report of the known vulnerabilities of a layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.audit.findings import Scan
from pipeline.report.rendering import Report, data

_HEADINGS = ("vulnerability", "module", "found", "fixed in", "level", "summary")
_PRECISION = {
    "module": "by module: a stripped binary does not show which packages and functions are in it, "
    "so that some may not apply to it",
    "package": "by package: it is not known if the vulnerable functions are in the binary",
    "symbol": "by function: at level `symbol` the vulnerable function is in the binary, at "
    "`module` and `package` only its module or package is",
}


def scan_report(scan: Scan, name: str) -> Report:
    """Return a table of the vulnerabilities, with notes on how they were found.

    Args:
        scan: the result.
        name: of the zip that was scanned.
    """
    rows = [
        (
            "\n".join((each.id, *each.aliases)),
            *(each.module, each.found, each.fixed or "not yet", each.level, each.summary),
        )
        for each in scan.vulnerabilities
    ]
    notes = tuple(_notes(scan))
    if not rows:
        return Report(notes=notes)
    return Report(title=name, headings=_HEADINGS, rows=rows, notes=notes)


def _notes(scan: Scan) -> Iterator[str]:
    """Return how many modules were looked up, and the limits of the result."""
    count = len(scan.vulnerabilities)
    number = f"{count} known vulnerabilit{'y' if count == 1 else 'ies'}"
    yield (
        f"{number if count else 'no known vulnerabilities'} in {scan.modules} modules, "
        f"of {scan.advisories} advisories on them in {scan.database}, "
        f"last changed {scan.modified:%Y-%m-%d}"
    )
    if count:
        yield f"found {_PRECISION[scan.level]}"
    if not scan.advisories:
        yield (
            "the database has no advisory on any of them, not even on Go's standard library: "
            "it may be incomplete"
        )


def scan_data(scan: Scan) -> dict[str, Any]:
    """Return the scan as values for JSON."""
    return {**data(scan), "modified": scan.modified.isoformat()}
