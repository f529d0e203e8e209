"""What the registry has, as tables for people, as JSON and CSV for programs.

Anybody who may write to the table may have written a row: its texts are shown as they are, never
as markup, as a terminal's commands, or as a spreadsheet's formulas.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from rich.table import Table

from pipeline.publish.history import Release
from pipeline.publish.row import Row
from pipeline.report import screen

HEADINGS = ("published", "distribution", "architecture", "collector", "public", "layer version")
HISTORY = ("published", "layer", "architecture", "sha256", "regions", "public", "changed")
RELEASE_COLUMNS = (
    *("layer", "distribution", "architecture", "collector_version_input", "code_sha256"),
    *("md5_hash", "upstream_commit", "publish_timestamp", "regions", "public_regions"),
    *("layer_arns", "changes"),
)

# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\n")
_SHOWN = 12


def layer_row(row: Row) -> tuple[str, ...]:
    """A layer version's cells, in the order of `HEADINGS`."""
    return (
        _minute(row.publish_timestamp),
        row.distribution,
        row.architecture,
        row.collector_version_input or row.layer_version_str,
        "yes" if row.public else "no",
        str(row.arn),
    )


def release_row(release: Release) -> tuple[str, ...]:
    """A release's cells, in the order of `HISTORY`."""
    regions, public = len(release.regions), len(release.public)
    return (
        _minute(release.published),
        release.name,
        release.first.architecture,
        release.first.code_sha256[:_SHOWN],
        str(regions),
        {0: "no", regions: "yes"}.get(public, f"in {public}"),
        ", ".join(release.changes),
    )


def release_data(release: Release) -> dict[str, Any]:
    """A release as values for JSON."""
    first = release.first
    return {
        "layer": release.name,
        "distribution": first.distribution,
        "architecture": first.architecture.value,
        "collector_version_input": first.collector_version_input,
        "code_sha256": first.code_sha256,
        "md5_hash": first.md5_hash,
        "upstream_commit": first.upstream_commit,
        "publish_timestamp": first.data()["publish_timestamp"],
        "regions": list(release.regions),
        "public_regions": list(release.public),
        "layer_arns": [str(row.arn) for row in release.rows],
        "changes": list(release.changes),
    }


def layers_table(rows: Sequence[Row]) -> Table:
    """The rows for the screen."""
    return _table(HEADINGS, map(layer_row, rows))


def history_table(releases: Sequence[Release]) -> Table:
    """The releases for the screen."""
    return _table(HISTORY, map(release_row, releases))


def attributes_table(row: Row) -> Table:
    """Everything about one layer version, for the screen."""
    cells = ((name, _cell(value)) for name, value in row.data().items())
    return _table(("attribute", "value"), cells)


def as_json(data: object) -> str:
    """Values as a document of JSON."""
    return json.dumps(data, indent=2) + "\n"


def as_csv(records: Sequence[Mapping[str, Any]], columns: Iterable[str]) -> str:
    """Records as CSV with a heading; no cell is a formula to a spreadsheet.

    A cell that a spreadsheet would take for one has a ' before it; a list's values have semicolons
    between them.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = tuple(columns)
    writer.writerow(names)
    for record in records:
        writer.writerow([_harmless(_cell(record[name])) for name in names])
    return out.getvalue()


def _harmless(cell: str) -> str:
    cell = cell.replace("\r", " ")  # which the writer does not quote
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _cell(value: object) -> str:
    """A value as one text; a list's with semicolons between them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(str(each) for each in cast("list[object]", value))
    return str(value)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    printable = ([*map(screen.printable, row)] for row in rows)
    return screen.table(headings, printable, whole=("published", "attribute"))


def _minute(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M}" if when else "not known"
