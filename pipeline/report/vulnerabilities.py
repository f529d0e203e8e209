"""What is known against a layer: a table for the screen, JSON for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from rich.table import Table

from pipeline.report import screen
from pipeline.supply.findings import Scan, Vulnerability

HEADINGS = ("vulnerability", "module", "found", "fixed in", "level", "summary")

_PRECISION = {
    "module": "by module: a stripped binary does not tell which packages and functions are in it, "
    "so that some may not concern it",
    "package": "by package: whether the vulnerable functions are in the binary is not known",
    "symbol": "by function: level `symbol` is a vulnerable function in the binary, "
    "`module` and `package` only its surroundings",
}


def vulnerability_row(each: Vulnerability) -> tuple[str, ...]:
    """One vulnerability's cells, in the order of `HEADINGS`."""
    names = "\n".join((each.id, *each.aliases))
    return (names, each.module, each.found, each.fixed or "not yet", each.level, each.summary)


def vulnerability_table(scan: Scan, title: str) -> Table:
    """The table for the screen.

    Args:
        scan: what was found.
        title: what was looked at, such as the zip's name.
    """
    return screen.table(HEADINGS, map(vulnerability_row, scan.vulnerabilities), title=title)


def scan_notes(scan: Scan) -> Iterator[str]:
    """What the scan looked at, and how far its answer can be trusted; a line each."""
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


def scan_json(scan: Scan) -> str:
    """The scan as one JSON object, vulnerabilities as a list in it."""
    values = {**asdict(scan), "modified": scan.modified.isoformat()}
    return json.dumps(values, indent=2) + "\n"
