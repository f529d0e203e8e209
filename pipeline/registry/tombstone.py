"""A tombstone: the record of a layer version that was deleted, from which it can be made again.

It takes the place of the row in the table, and has the row in it. It is in none of the table's
indexes, so that a search for a distribution does not find it. Without a registry it is a JSON file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import UsageError, quoted
from pipeline.naming import LayerArn, layer_arn, utc_time
from pipeline.registry.row import (
    COLUMNS,
    KEY,
    ForeignRow,
    Row,
    attribute,
    read_row,
    text_of,
    words_of,
)

if TYPE_CHECKING:
    from pipeline.aws.dynamodb import Item

STATE = "state"
DELETED = "deleted"
DELETED_AT = "deleted_at"
# The attributes of a tombstone and its row, in the order in which they are shown.
TOMBSTONE_COLUMNS = (*COLUMNS, DELETED_AT, "plan", "forced", "restored_as")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tombstone:
    """The record of a deleted layer version.

    It is written before the layer version is deleted: if the run ends in between, the layer version
    still exists.

    Attributes:
        row: of the layer version as it was, with its sha256 and who might use it.
        deleted_at: in UTC.
        plan: digest of the plan by which it was deleted.
        forced: the reasons to keep it that the user overrode, such as `parameter`, sorted.
        lock: the entry of ocelot.lock that it was built from, a JSON object as `json.dumps` writes
            it; empty if it is not known.
        restored_as: ARN of the layer version that has its content now; empty for none.
    """

    row: Row
    deleted_at: datetime
    plan: str
    forced: tuple[str, ...] = ()
    lock: str = ""
    restored_as: str = ""

    @property
    def arn(self) -> LayerArn:
        """The deleted layer version's ARN."""
        return self.row.arn

    def data(self) -> dict[str, Any]:
        """The tombstone as values for JSON, in the form of its file."""
        return {
            KEY: str(self.arn),
            STATE: DELETED,
            DELETED_AT: self.deleted_at.astimezone(UTC).isoformat(),
            "plan": self.plan,
            "forced": list(self.forced),
            "row": self.row.data(),
            "lock": json.loads(self.lock) if self.lock else None,
            "restored_as": self.restored_as,
        }

    def shown(self) -> dict[str, Any]:
        """The attributes of its row, and its own, by name, as values for JSON."""
        values = {**self.data(), **self.row.data()}
        return {name: values[name] for name in TOMBSTONE_COLUMNS}

    def text(self) -> str:
        """The text of its file, in ASCII: not every text of another tool can be encoded."""
        return json.dumps(self.data(), indent=2) + "\n"

    def item(self) -> Item:
        """The tombstone as DynamoDB stores it."""
        values = {**self.data(), "lock": self.lock}
        row = {"M": self.row.item()}
        return {name: row if name == "row" else attribute(each) for name, each in values.items()}


def is_tombstone(item: Item) -> bool:
    """True for the item of a tombstone, also of a damaged one."""
    return text_of(item.get(STATE)) == DELETED


def read_tombstone(item: Item) -> Tombstone | ForeignRow:
    """Return the tombstone of an item; a damaged one is a foreign row."""
    key = text_of(item.get(KEY))
    row = read_row(_row_item(item))
    when = utc_time(text_of(item.get(DELETED_AT)))
    reason = next(_faults(item, key, row), "")
    if reason or isinstance(row, ForeignRow) or when is None:
        return ForeignRow(key=key, reason=f"it is a damaged tombstone: {reason}")
    lock = text_of(item.get("lock"))
    return Tombstone(
        row=row,
        deleted_at=when,
        plan=text_of(item.get("plan")),
        forced=words_of(item.get("forced")),
        lock=json.dumps(json.loads(lock)) if lock else "",
        restored_as=text_of(item.get("restored_as")),
    )


def tombstone_of_text(text: str) -> Tombstone | ForeignRow:
    """Return the tombstone in the text of its file; a damaged one is a foreign row."""
    try:
        data: dict[str, Any] = json.loads(text)
        lock = data.get("lock")
        values = {**data, "lock": json.dumps(lock) if lock else ""}
        return read_tombstone({name: _attribute(value) for name, value in values.items()})
    except (ValueError, AttributeError, TypeError, RecursionError):
        return ForeignRow(key="", reason="it is a damaged tombstone: it is no JSON object")


def buried(tombstone: Tombstone, item: Item) -> Item:
    """Return a tombstone as DynamoDB stores it, with the attributes of other tools.

    Args:
        tombstone: to be written.
        item: the row or tombstone that it replaces; empty for none.
    """
    before = _row_item(item) if is_tombstone(item) else item
    others = {name: value for name, value in before.items() if name not in COLUMNS}
    return {**tombstone.item(), "row": {"M": {**others, **tombstone.row.item()}}}


def _row_item(item: Item) -> Item:
    """Return the item of the row in a tombstone; empty if there is none."""
    stored = cast("object", item.get("row"))
    row = cast("Mapping[str, object]", stored).get("M") if isinstance(stored, Mapping) else None
    return cast("Item", row) if isinstance(row, Mapping) else {}


def _faults(item: Item, key: str, row: Row | ForeignRow) -> Iterator[str]:
    """Yield the faults of a tombstone's item."""
    texts = {name: text_of(item.get(name)) for name in (STATE, DELETED_AT, "lock", "restored_as")}
    if texts[STATE] != DELETED:
        yield f"its {STATE} is {quoted(texts[STATE])}"
    if isinstance(row, ForeignRow):
        yield f"its row cannot be read: {row.reason}" if _row_item(item) else "it has no row"
    elif str(row.arn) != key:
        yield f"its row is of {row.arn}"
    if utc_time(texts[DELETED_AT]) is None:
        yield f"its {DELETED_AT} is {quoted(texts[DELETED_AT])}"
    if texts["lock"] and not _is_object(texts["lock"]):
        yield "its lock is no JSON object"
    if texts["restored_as"] and not _is_layer_version(texts["restored_as"]):
        yield f"its restored_as is {quoted(texts['restored_as'])}"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _is_layer_version(text: str) -> bool:
    try:
        return bool(layer_arn(text))
    except UsageError:
        return False


def _attribute(value: object) -> Mapping[str, Any]:
    """Return a value of JSON as DynamoDB stores it."""
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return {"M": {name: _attribute(each) for name, each in fields.items()}}
    if isinstance(value, list):
        return {"L": [_attribute(each) for each in cast("list[object]", value)]}
    return {"NULL": True} if value is None else attribute(value)
