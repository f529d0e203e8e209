"""Markdown of reports, as it stands in GitHub's job summaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def section(title: str, lines: Iterable[str]) -> str:
    """A heading, and what stands under it."""
    return "\n".join([f"### {title}", "", *lines]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [_row(headings), f"|{'---|' * len(headings)}", *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """A text in one line, whose bars end no cell."""
    return " ".join(text.replace("|", "\\|").split())
