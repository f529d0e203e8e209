"""The items of the table as what they are: rows, tombstones, and rows that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.registry.row import ForeignRow, Row, read_row
from pipeline.registry.tombstone import Tombstone, is_tombstone, read_tombstone

if TYPE_CHECKING:
    from pipeline.aws.dynamodb import Item


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """The rows of a query, and what else was among them.

    Attributes:
        foreign: rows that cannot be read.
        tombstones: of deleted layer versions; an index has none.
    """

    rows: tuple[Row, ...]
    foreign: tuple[ForeignRow, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()


def read_rows(items: Iterable[Item]) -> Rows:
    """Return the rows of items, in their order."""
    read = tuple(read_item(item) for item in items)
    return Rows(
        rows=tuple(each for each in read if isinstance(each, Row)),
        foreign=tuple(each for each in read if isinstance(each, ForeignRow)),
        tombstones=tuple(each for each in read if isinstance(each, Tombstone)),
    )


def read_item(item: Item) -> Row | ForeignRow | Tombstone:
    """Return the row or tombstone of an item, which another tool may have written."""
    return read_tombstone(item) if is_tombstone(item) else read_row(item)
