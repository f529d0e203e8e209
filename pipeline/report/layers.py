"""Reports of the registry's rows, tombstones and releases, as tables and as CSV.

Other tools write to the table, too: no text from it may become a spreadsheet's formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from pipeline.registry.history import Release
from pipeline.registry.registry import TableCreation
from pipeline.registry.row import Row
from pipeline.registry.tombstone import Tombstone
from pipeline.report.rendering import Report, data, json_text, without_empty

# A column that is shown only if it is not empty.
_SHARED = "shared with"
_LAYERS = (
    *("published", "distribution", "architecture", "collector", "public", _SHARED),
    "layer version",
)
_FORCED, _RESTORED = "in spite of", "restored as"
_DELETED = (
    *("deleted", "distribution", "architecture", "collector", "plan", _FORCED),
    *("layer version", _RESTORED),
)
_HISTORY = (
    *("published", "layer", "architecture", "sha256", "regions", "public", _SHARED),
    "changed",
)
RELEASE_COLUMNS = (
    *("layer", "distribution", "architecture", "collector_version_input", "code_sha256"),
    *("md5_hash", "upstream_commit", "publish_timestamp", "regions", "public_regions"),
    *("shared_with", "layer_arns", "changes"),
)

# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\n")
_DIGITS = 12


def table_report(table: str, region: str, creation: TableCreation) -> Report:
    """Return a line that says what was created of the registry's table."""
    if creation.created:
        done = "is created"
    elif creation.indexes:
        done = f"exists already; added: {', '.join(creation.indexes)}"
    else:
        done = "exists already; it is left as it is"
    return Report(notes=(f"the table {table} in {region} {done}",))


def table_json(table: str, region: str, creation: TableCreation) -> str:
    """Return the registry's table as JSON: name, region, and what was created now."""
    return json_text({"table": table, "region": region, **data(creation)})


def layers_report(rows: Sequence[Row]) -> Report:
    """Return a row for each layer version."""
    cells = [
        (
            _minute(row.publish_timestamp),
            row.distribution,
            row.architecture,
            row.collector_version_input or row.layer_version_str,
            "yes" if row.public else "no",
            ", ".join(row.shared_with),
            str(row.arn),
        )
        for row in rows
    ]
    report = Report(headings=_LAYERS, rows=cells, whole=("published",))
    return without_empty(report, _SHARED)


def tombstones_report(tombstones: Sequence[Tombstone]) -> Report:
    """Return a row for each deleted layer version."""
    cells = [
        (
            _minute(each.deleted_at),
            each.row.distribution,
            each.row.architecture,
            each.row.collector_version_input or each.row.layer_version_str,
            each.plan,
            ", ".join(each.forced),
            str(each.arn),
            each.restored_as,
        )
        for each in tombstones
    ]
    report = Report(headings=_DELETED, rows=cells, whole=("deleted",))
    return without_empty(report, _FORCED, _RESTORED)


def history_report(releases: Sequence[Release]) -> Report:
    """Return a row for each release of a distribution."""
    rows = [_release_row(each) for each in releases]
    return without_empty(Report(headings=_HISTORY, rows=rows, whole=("published",)), _SHARED)


def _shared_with(release: Release) -> str:
    """Return the organisations and accounts, those of some regions only with their number."""
    everywhere = len(release.regions)
    return ", ".join(
        one if regions == everywhere else f"{one} in {regions}"
        for one, regions in release.shared_with.items()
    )


def _release_row(release: Release) -> tuple[str, ...]:
    regions, public = len(release.regions), len(release.public)
    return (
        _minute(release.published),
        release.name,
        release.first.architecture,
        release.first.code_sha256[:_DIGITS],
        str(regions),
        {0: "no", regions: "yes"}.get(public, f"in {public}"),
        _shared_with(release),
        ", ".join(release.changes),
    )


def row_report(attributes: Mapping[str, Any]) -> Report:
    """Return all attributes of one layer version."""
    cells = [(name, _cell(value)) for name, value in attributes.items()]
    return Report(headings=("attribute", "value"), rows=cells, whole=("attribute",))


def release_data(release: Release) -> dict[str, Any]:
    """Return a release as values for JSON."""
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
        "shared_with": list(release.shared_with),
        "layer_arns": [str(row.arn) for row in release.rows],
        "changes": list(release.changes),
    }


def as_csv(records: Sequence[Mapping[str, Any]], columns: Iterable[str]) -> str:
    """Return records as CSV with a heading.

    A cell that a spreadsheet would read as a formula gets a ' before it; a list's values are
    separated by semicolons.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = tuple(columns)
    writer.writerow(names)
    for record in records:
        writer.writerow([_without_formula(_cell(record[name])) for name in names])
    return out.getvalue()


def _without_formula(cell: str) -> str:
    cell = cell.replace("\r", " ")  # the writer does not quote it
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _cell(value: object) -> str:
    """Return a value as one text; a list's values are separated by semicolons."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(str(each) for each in cast("list[object]", value))
    return str(value)


def _minute(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M}" if when else "not known"
