"""A report as a value, and its three forms: a table on a screen, Markdown, JSON.

Each noun has a function from its result to a `Report`. Texts in it may come from anywhere: they
are shown as they are, never as markup, and without the characters that a terminal would obey.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A table with what belongs to it.

    Attributes:
        title: above the table; Markdown's heading.
        headings: of the columns; none for no table, or for rows of a name and a value.
        rows: the cells, from top to bottom.
        notes: below the table, a line each; in Markdown a bullet each.
        summary: all of it in a line: the last on a screen, in place of the title; in Markdown's
            heading after the title.
        footer: the cells of a last row of sums, on a screen.
        right: headings of columns of figures.
        whole: headings of columns that are not folded.
        below: heading of a column that stands below the table on a screen, as lines to copy.
        styles: colours by the text of a row's first cell.
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
    styles: Mapping[str, str] = field(default_factory=dict[str, str])


def show(*reports: Report, console: Console | None = None) -> None:
    """Print reports one below the other, by default on standard output."""
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
    if not report.headings:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
    else:
        table = Table(show_footer=bool(report.footer))
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
    for row in report.rows:
        first, *others = [row[at] for at in shown] or row
        table.add_row(_text(first, report.styles.get(first, "")), *map(_text, others))
    return table


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)


def markdown(report: Report) -> str:
    """The report as a section of a GitHub job summary."""
    heading = ": ".join(filter(None, (report.title, report.summary)))
    parts = [f"### {printable(heading)}"]
    if report.rows:
        rule = f"|{'---|' * len(report.headings)}"
        parts.append("\n".join([_row(report.headings), rule, *map(_row, report.rows)]))
    if report.notes:
        parts.append("\n".join(f"- {printable(note)}" for note in report.notes))
    return "\n\n".join(parts) + "\n"


def _row(cells: Iterable[str]) -> str:
    """The cells in one line, with no bar in a cell that would end it."""
    texts = (" ".join(printable(each).replace("|", "\\|").split()) for each in cells)
    return f"| {' | '.join(texts)} |"


def printable(text: str) -> str:
    """A text with a sign in place of each character, but for line ends, that a terminal obeys."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def json_text(value: object) -> str:
    """A result as a JSON document; a dataclass is an object of its fields."""
    return json.dumps(value, indent=2, default=data) + "\n"


def data(value: Any) -> dict[str, Any]:  # noqa: ANN401  any dataclass
    """The fields of a dataclass by name; their values are as they are."""
    return {each.name: getattr(value, each.name) for each in fields(value)}
