"""A report as a value, and its forms: a table on a screen, JSON.

Texts in a report may come from anywhere. They are never read as markup, and characters that control
a terminal are replaced.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from textwrap import wrap
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.github.annotations import in_github, plain_text
from pipeline.report import NARROWEST

_USUAL = 80
_UNLIMITED = 100_000
_LEAST_VALUE = 40
_INDENT = " " * 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A table with a title and notes.

    Attributes:
        title: printed above the table; the heading in Markdown.
        headings: of the columns; without headings the rows have no borders.
        rows: the cells, from top to bottom.
        problems: printed below the table, one per line; bullets above it in Markdown.
        notes: printed below them, as the problems are; further lines of one are indented.
        summary: the last line on a screen, instead of the title; part of the heading in Markdown.
        link: address of what the report is about, at the end of the summary; a link in Markdown.
        footer: cells of a last row with sums, only on a screen.
        right: headings of columns that are aligned to the right.
        whole: headings of columns that are never folded; in others, lines break at blanks.
        below: heading of a column that a screen shows below the table, as lines to copy.
        styles: colour of the first cell of each row.
    """

    title: str = ""
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()
    summary: str = ""
    link: str = ""
    footer: Sequence[str] = ()
    right: Collection[str] = ()
    whole: Collection[str] = ()
    below: str = ""
    styles: Sequence[str] = ()


def screen(*, stderr: bool = False) -> Console:
    """Return the console on standard output or standard error, with its width.

    Where the stream is no terminal and COLUMNS is not set, lines are as long as they need to be.
    """
    stream = sys.stderr if stderr else sys.stdout
    unlimited = "COLUMNS" not in os.environ and not stream.isatty()
    console = Console(stderr=stderr, highlight=False, width=_UNLIMITED if unlimited else None)
    if console.width < NARROWEST:
        console.width = _USUAL
    return console


def show(*reports: Report, console: Console | None = None) -> None:
    """Print reports, by default on standard output."""
    console = console or screen()
    for report in reports:
        if report.title and not report.summary:
            console.print(_text(report.title, "bold"), soft_wrap=True)
        if report.headings:
            _show_table(report, console)
        elif report.rows:
            _show_names(report, console)
        below = [row[report.headings.index(report.below)] for row in report.rows if report.below]
        _show_lines(below, console)
        _show_lines(report.problems, console, "red")
        summary = ": ".join(filter(None, (report.summary, report.link)))
        _show_lines((*report.notes, summary), console)


def _show_lines(texts: Iterable[str], console: Console, style: str = "") -> None:
    """Print texts that are not empty; the further lines of one are indented."""
    for each in filter(None, texts):
        console.print(_text(each.replace("\n", "\n  "), style), soft_wrap=True)


def without_empty(report: Report, *headings: str) -> Report:
    """Return a report without those of the columns in which all cells are empty."""
    kept = [
        at
        for at, heading in enumerate(report.headings)
        if heading not in headings or any(row[at] for row in report.rows)
    ]
    return replace(
        report,
        headings=tuple(report.headings[at] for at in kept),
        rows=[tuple(row[at] for at in kept) for row in report.rows],
    )


def grouped(texts: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return a line for each text, with the first name that has it and the number of others.

    Args:
        texts: pairs of a name and its text.
    """
    names: dict[str, list[str]] = {}
    for name, text in texts:
        names.setdefault(text, []).append(name)
    return tuple(
        f"{first}{f' and {len(others)} more' if others else ''}: {text}"
        for text, (first, *others) in names.items()
    )


def _show_names(report: Report, console: Console) -> None:
    """Print rows without headings: names in columns, and a value that breaks at blanks."""
    names = list(zip(*report.rows, strict=True))[:-1]
    widths = [max(map(cell_len, column)) + 2 for column in names]
    room = max(console.width - sum(widths), _LEAST_VALUE)
    for row, style in zip(report.rows, _styles(report), strict=True):
        lines = _broken(row[-1], room) or [""]
        head = [set_cell_size(_on_screen(name), at) for name, at in zip(row, widths, strict=False)]
        first, *others = *head, lines[0]
        console.print(Text.assemble((first, style), "".join(others)), soft_wrap=True)
        for line in lines[1:]:
            console.print(_text(" " * sum(widths) + line), soft_wrap=True)


def _show_table(report: Report, console: Console) -> None:
    """Print the rows as a table; if it would break a word, with lines of their own for such cells.

    Those are the cells of the columns with the longest words, as few as possible.
    """
    lines = [report.headings, *report.rows, *filter(None, [report.footer])]
    shown = [at for at, each in enumerate(report.headings) if not _is_below(report, each)]
    cells = {at: [_on_screen(line[at]) for line in lines] for at in shown}
    whole = [at for at in shown if report.headings[at] in report.whole]
    if widths := column_widths(cells, whole, console.width - 3 * len(shown) - 1):
        console.print(_table(report, widths))
        return
    inside = dict(cells)
    while inside and not widths:
        del inside[max(inside, key=lambda at: _longest(" ".join(cells[at]).split()))]
        widths = column_widths(inside, whole, console.width - len(_INDENT) - 2 * len(inside))
    styles = ["bold", *_styles(report), "bold"]
    for line, style in zip(lines, styles, strict=False):
        _show_apart(report, line, widths or {}, style, console)


def _show_apart(
    report: Report, line: Sequence[str], widths: Mapping[int, int], style: str, console: Console
) -> None:
    """Print a row: the cells that have a width side by side, each other one as lines of its own."""
    indent = ""
    beside = False
    for at, heading in enumerate(report.headings):
        if at not in widths and not _is_below(report, heading):
            parts = _broken(line[at], console.width - len(_INDENT))
        elif at in widths and not beside:
            beside = True
            table = Table.grid(padding=(0, 2))
            _add_columns(table, report, widths)
            table.add_row(*(_text(line[each]) for each in widths))
            with console.capture() as captured:
                console.print(table)
            parts = captured.get().splitlines()
        else:
            continue
        for part in parts:
            console.print(
                Text(indent) + _text(part.rstrip(), "" if indent else style), soft_wrap=True
            )
            indent = _INDENT


def _broken(text: str, width: int) -> list[str]:
    """Return a text as lines that break at blanks only."""
    lines = _on_screen(text).split("\n")
    return [
        part
        for each in lines
        for part in wrap(each, width, break_long_words=False, break_on_hyphens=False)
    ]


def _longest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def column_widths(
    columns: Mapping[int, Sequence[str]], whole: Collection[int], room: int
) -> dict[int, int] | None:
    """Return the width of each column, or None if a word would have to be broken.

    Args:
        columns: the cells of each column.
        whole: columns of which no line may be broken.
        room: for all columns together.
    """
    wanted = {at: _longest("\n".join(cells).split("\n")) for at, cells in columns.items()}
    words = {at: _longest(" ".join(cells).split()) for at, cells in columns.items()}
    widths = {at: max(1, wanted[at] if at in whole else words[at]) for at in columns}
    left = room - sum(widths.values())
    if left < 0:
        return None
    smallest_first = sorted(columns, key=lambda at: wanted[at] - widths[at])
    for done, at in enumerate(smallest_first):  # those that want more share the rest
        more = min(max(wanted[at] - widths[at], 0), left // (len(columns) - done))
        widths[at] += more
        left -= more
    return widths


def _table(report: Report, widths: Mapping[int, int]) -> Table:
    table = Table(show_footer=bool(report.footer))
    _add_columns(table, report, widths)
    for row, style in zip(report.rows, _styles(report), strict=True):
        first, *others = [row[at] for at in widths]
        table.add_row(_text(first, style), *map(_text, others))
    return table


def _add_columns(table: Table, report: Report, widths: Mapping[int, int]) -> None:
    for at, width in widths.items():
        heading = report.headings[at]
        table.add_column(
            _text(heading),
            _text(report.footer[at] if report.footer else ""),
            justify="right" if heading in report.right else "left",
            overflow="fold",
            width=width,
        )


def _is_below(report: Report, heading: str) -> bool:
    return bool(report.below) and heading == report.below


def _styles(report: Report) -> Sequence[str]:
    return report.styles or [""] * len(report.rows)


def _text(text: str, style: str = "") -> Text:
    return Text(_on_screen(text), style)


def _on_screen(text: str) -> str:
    """Return a text for a console, which in GitHub Actions runs some lines as commands."""
    text = printable(text)
    return plain_text(text) if in_github(os.environ) else text


def printable(text: str) -> str:
    """Return a text with a replacement for each control character except line ends."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def json_text(value: object) -> str:
    """Return a result as a JSON document; a dataclass becomes an object of its fields."""
    return json.dumps(value, indent=2, default=data) + "\n"


def data(value: Any) -> dict[str, Any]:  # noqa: ANN401  any dataclass
    """Return the fields of a dataclass by name, with their values unchanged."""
    return {each.name: getattr(value, each.name) for each in fields(value)}
