"""Tables on a screen: their texts are shown as they are, never as markup."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.table import Table
from rich.text import Text


def table(
    headings: Iterable[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str = "",
    right: Collection[str] = (),
    whole: Collection[str] = (),
) -> Table:
    """A table of texts, which are folded where there is no room.

    Args:
        headings: of its columns.
        rows: of its cells.
        title: what stands above it.
        right: the headings of columns of figures.
        whole: the headings of columns that are not folded.
    """
    made = Table(title=Text(title) if title else None, title_justify="left")
    for heading in headings:
        justify = "right" if heading in right else "left"
        made.add_column(heading, justify=justify, overflow="fold", no_wrap=heading in whole)
    for row in rows:
        made.add_row(*map(Text, row))
    return made


def printable(text: str) -> str:
    """A text without what a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
