"""The ARNs of layer versions as Markdown: the same table in `layers list` and in release notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.registry.arns import ArnTable, arn_table
from pipeline.registry.row import Row
from pipeline.report.markdown import Markdown, code, escaped, table

# Longer tables are folded.
REGIONS_SHOWN = 8


def arns_markdown(arns: ArnTable) -> Markdown:
    """Return a table of regions and ARNs, with a column for each architecture."""
    headings = ("region", *(each.lambda_name for each in arns.architectures))
    rows = ((each.label, *map(code, each.arns)) for each in arns.regions)
    shown = table(headings, rows)
    if len(arns.regions) <= REGIONS_SHOWN:
        return shown
    return folded(f"{len(arns.regions)} regions", shown)


def folded(summary: str, content: str) -> Markdown:
    """Return a block that is shown when the reader clicks on its summary."""
    lines = ("<details>", f"<summary>{escaped(summary)}</summary>", "", content, "", "</details>")
    return Markdown("\n".join(lines))


def releases_markdown(releases: Iterable[Sequence[Row]], names: Mapping[str, str]) -> str:
    """Return a section with the ARNs of each release.

    Args:
        releases: the rows of each release.
        names: display names of regions.
    """
    sections = [f"{_heading(rows)}\n\n{arns_markdown(arn_table(rows, names))}" for rows in releases]
    return "\n\n".join(sections or ["No layers."]) + "\n"


def _heading(rows: Sequence[Row]) -> str:
    first = rows[0]
    version = first.collector_version_input or first.layer_version_str
    group = f" ({escaped(first.release_group)})" if first.release_group else ""
    return f"### {escaped(first.distribution)} {escaped(version)}{group}"
