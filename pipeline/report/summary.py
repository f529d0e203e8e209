"""A report as a section of Markdown, for the summary of a GitHub job and for files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.github.annotations import SUMMARY_BYTES
from pipeline.report.markdown import code, escaped, table_row
from pipeline.report.rendering import Report

# Place of what is left out, unless a caller knows a better one.
LOG = "the log of this step"
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?=&%+-]+")
_NOTICE_BYTES = 200  # more than the sentence on what is left out


@dataclass(frozen=True, kw_only=True)
class _Section:
    """The lines of a section.

    Attributes:
        head: the heading, and the link below it.
        table: headings and rule of the table.
        lists: the lines that may be left out, by their name for people.
        left_out: how many of those lines are.
    """

    head: tuple[str, ...]
    table: tuple[str, ...]
    lists: dict[str, tuple[str, ...]]
    left_out: tuple[str, ...] = ()

    def text(self, rest: str) -> str:
        """Return the section; it says where those lines are that are left out."""
        counts = ", ".join(self.left_out)
        why = "Left out here, since GitHub shows no longer summary"
        return self.lines() + (f"\n{why}: {counts}. See {escaped(rest)}.\n" if counts else "")

    def lines(self) -> str:
        """Return the section without a word on what is left out."""
        rows = self.lists["rows"]
        table = (*self.table, *rows) if rows else ()
        blocks = (self.lists["problems"], table, self.lists["notes"])
        return "\n\n".join((*self.head, *("\n".join(each) for each in blocks if each))) + "\n"

    def shortened(self, name: str, excess: int) -> _Section:
        """Return the section without the last lines of a list, as many as are too long."""
        kept = list(self.lists[name])
        while kept and excess > 0:
            excess -= len(kept.pop().encode()) + 1
        total = len(self.lists[name])
        count = [f"{total - len(kept)} of {total} {name}"] if len(kept) < total else []
        lists = {**self.lists, name: tuple(kept)}
        return replace(self, lists=lists, left_out=(*self.left_out, *count))


def report_markdown(report: Report, room: int = SUMMARY_BYTES, rest: str = LOG) -> str:
    """Return a report as a section of Markdown: heading, problems, table, notes.

    If it is too long, rows are left out first, then notes, then problems, always the last ones.

    Args:
        report: texts in it may come from anywhere.
        room: the largest number of bytes; if not even the heading fits, the section is empty.
        rest: where all lines are, in a few words.
    """
    section = _section(report)
    text = section.text(rest)
    if len(text.encode()) > room:
        lines_room = room - _NOTICE_BYTES - len(escaped(rest).encode())
        for name in ("rows", "notes", "problems"):
            section = section.shortened(name, len(section.lines().encode()) - lines_room)
        text = section.text(rest)
    return text if len(text.encode()) <= room else ""


def _section(report: Report) -> _Section:
    heading = ": ".join(filter(None, (report.title, report.summary)))
    width = len(report.headings) or max((len(row) for row in report.rows), default=0)
    headings = report.headings or [""] * width
    return _Section(
        head=(f"### {escaped(heading)}", *([_link(report.link)] if report.link else [])),
        table=(table_row(headings), f"|{'---|' * width}"),
        lists={
            "rows": tuple(_row(report, row) for row in report.rows),
            "notes": tuple(map(_bullet, report.notes)),
            "problems": tuple(map(_bullet, report.problems)),
        },
    )


def _link(address: str) -> str:
    return f"<{address}>" if _ADDRESS.fullmatch(address) else escaped(address)


def _row(report: Report, cells: Sequence[str]) -> str:
    """Return a row; what a screen shows as lines to copy is code."""
    if not report.below:
        return table_row(cells)
    shown = zip(report.headings, cells, strict=True)
    return table_row(code(cell) if heading == report.below else cell for heading, cell in shown)


def _bullet(text: str) -> str:
    """Return a text as a bullet, with its further lines as bullets below it."""
    first, *others = map(escaped, text.split("\n"))
    return "\n".join([f"- {first}", *(f"  - {each}" for each in others)])
