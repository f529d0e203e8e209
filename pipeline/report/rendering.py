"""A report as a value, and its forms: a table on a screen, Markdown, JSON.

Texts in a report may come from anywhere. They are never read as markup, and characters that control
a terminal are replaced.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A table with a title and notes.

    Attributes:
        title: printed above the table; the heading in Markdown.
        headings: of the columns; without headings the rows have no borders.
        rows: the cells, from top to bottom.
        notes: printed below the table, one per line; bullets in Markdown.
        summary: the last line on a screen, instead of the title; part of the heading in Markdown.
        footer: cells of a last row with sums, only on a screen.
        right: headings of columns that are aligned to the right.
        whole: headings of columns that are never folded.
        below: heading of a column that a screen shows below the table, as lines to copy.
        styles: colour of the first cell of each row.
    """

    title: str = ""
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    summary: str = ""
    footer: Sequence[str] = ()
    right: Collection[str] = ()
    whole: Collection[str] = ()
    below: str = ""
    styles: Sequence[str] = ()


def show(*reports: Report, console: Console | None = None) -> None:
    """Print reports, by default on standard output."""
    console = console or Console(highlight=False)
    for report in reports:
        if report.title and not report.summary:
            console.print(_text(report.title, "bold"), soft_wrap=True)
        if report.headings or report.rows:
            console.print(_table(report))
        lines = [row[report.headings.index(report.below)] for row in report.rows if report.below]
        for line in filter(None, (*lines, *report.notes, report.summary)):
            console.print(_text(line), soft_wrap=True)


def _table(report: Report) -> Table:
    if report.headings:
        table = Table(show_footer=bool(report.footer))
    else:
        table = Table.grid(padding=(0, 2))
        for _ in report.rows[0][1:]:
            table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
    shown = [at for at, each in enumerate(report.headings) if each != report.below]
    for at in shown:
        heading = report.headings[at]
        table.add_column(
            _text(heading),
            report.footer[at] if report.footer else "",
            justify="right" if heading in report.right else "left",
            overflow="fold",
            no_wrap=heading in report.whole,
        )
    styles = report.styles or [""] * len(report.rows)
    for row, style in zip(report.rows, styles, strict=True):
        first, *others = [row[at] for at in shown] or row
        table.add_row(_text(first, style), *map(_text, others))
    return table


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)


def markdown(report: Report) -> str:
    """Return the report as a section of a GitHub job summary."""
    heading = ": ".join(filter(None, (report.title, report.summary)))
    parts = [f"### {printable(heading)}"]
    if report.rows:
        rule = f"|{'---|' * len(report.headings)}"
        parts.append(
            "\n".join([_markdown_row(report.headings), rule, *map(_markdown_row, report.rows)])
        )
    if report.notes:
        parts.append("\n".join(f"- {printable(note)}" for note in report.notes))
    return "\n\n".join(parts) + "\n"


def _markdown_row(cells: Iterable[str]) -> str:
    """Return the cells as one line; a bar inside a cell is escaped."""
    texts = (" ".join(printable(each).replace("|", "\\|").split()) for each in cells)
    return f"| {' | '.join(texts)} |"


def printable(text: str) -> str:
    """Return a text with a replacement for each control character except line ends."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def json_text(value: object) -> str:
    """Return a result as a JSON document; a dataclass becomes an object of its fields."""
    return json.dumps(value, indent=2, default=data) + "\n"


def data(value: Any) -> dict[str, Any]:  # noqa: ANN401  any dataclass
    """Return the fields of a dataclass by name, with their values unchanged."""
    return {each.name: getattr(value, each.name) for each in fields(value)}
