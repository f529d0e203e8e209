"""A tombstone: the record of a layer version that was deleted, from which it can be made again.

It takes the place of the row in the table, and has the row in it. It is in none of the table's
indexes, so that a search for a distribution does not find it. Without a registry it is a JSON file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from pipeline.naming import LayerArn, utc_time
from pipeline.registry.row import KEY, Row, attribute, read_row

if TYPE_CHECKING:
    from pipeline.aws.dynamodb import Item

STATE = "state"
DELETED = "deleted"
# Every attribute besides the key.
ATTRIBUTES = (STATE, "deleted_at", "plan", "forced", "row", "lock", "restored_as")


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
        lock: the entry of ocelot.lock that it was built from, as JSON; empty if it is not known.
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
            "deleted_at": self.deleted_at.astimezone(UTC).isoformat(),
            "plan": self.plan,
            "forced": list(self.forced),
            "row": self.row.data(),
            "lock": json.loads(self.lock) if self.lock else None,
            "restored_as": self.restored_as,
        }

    def text(self) -> str:
        """The text of its file."""
        return json.dumps(self.data(), indent=2, ensure_ascii=False) + "\n"

    def item(self) -> Item:
        """The tombstone as DynamoDB stores it."""
        values = {**self.data(), "lock": self.lock}
        row = {"M": self.row.item()}
        return {name: row if name == "row" else attribute(each) for name, each in values.items()}


def read_tombstone(item: Item) -> Tombstone | None:
    """Return the tombstone of an item; None for an item of another kind, or a damaged one."""
    stored = item.get("row", {})
    row = read_row(cast("Item", stored["M"])) if "M" in stored else None
    texts = {name: str(item.get(name, {}).get("S", "")) for name in ATTRIBUTES}
    when = utc_time(texts["deleted_at"])
    if texts[STATE] != DELETED or not isinstance(row, Row) or when is None:
        return None
    forced = cast("list[Mapping[str, str]]", item.get("forced", {}).get("L", []))
    return Tombstone(
        row=row,
        deleted_at=when,
        plan=texts["plan"],
        forced=tuple(each.get("S", "") for each in forced),
        lock=texts["lock"],
        restored_as=texts["restored_as"],
    )


def tombstone_of_data(data: Mapping[str, Any]) -> Tombstone | None:
    """Return the tombstone in a file's JSON; None for JSON of another kind, or a damaged one."""
    row, lock = data.get("row"), data.get("lock")
    if not isinstance(row, dict):
        return None
    values = {name: data[name] for name in (STATE, "deleted_at", "plan", "forced", "restored_as")}
    fields = cast("dict[str, object]", row)
    return read_tombstone(
        {
            **{name: attribute(value) for name, value in values.items()},
            "lock": attribute(json.dumps(lock) if lock else ""),
            "row": {"M": {name: attribute(value) for name, value in fields.items()}},
        }
    )
