"""Report of the known vulnerabilities of a layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.audit.findings import Scan
from pipeline.report.rendering import Report, data

_HEADINGS = ("vulnerability", "module", "found", "fixed in", "level", "summary")
_PRECISION = {
    "module": "by module: a stripped binary does not tell which packages and functions are in it, "
    "so that some may not concern it",
    "package": "by package: whether the vulnerable functions are in the binary is not known",
    "symbol": "by function: level `symbol` is a vulnerable function in the binary, "
    "`module` and `package` only its surroundings",
}


def scan_report(scan: Scan, name: str) -> Report:
    """The vulnerabilities in a table.

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
    """How much was looked at, and how far the answer can be trusted."""
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
            "the database has no advisory on any of them, not even on Go's own library: "
            "it may not be whole"
        )


def scan_data(scan: Scan) -> dict[str, Any]:
    """The scan as values for JSON."""
    return {**data(scan), "modified": scan.modified.isoformat()}
