"""Tombstones: as DynamoDB stores them, as files, and damaged ones."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_examples import arn, old_item, row, tombstone
from test_row import ANYTHING, ARNS, ROWS

from pipeline.registry.row import COLUMNS, ForeignRow, Row, read_row
from pipeline.registry.rows import Rows, read_item, read_rows
from pipeline.registry.table import INDEXES
from pipeline.registry.tombstone import Tombstone, buried, read_tombstone, tombstone_of_text

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.text(max_size=9) | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
LOCKS = st.dictionaries(st.text(max_size=9), JSON_VALUES, min_size=1, max_size=3).map(json.dumps)
TOMBSTONES = st.builds(
    Tombstone,
    row=ROWS,
    deleted_at=st.datetimes(timezones=st.just(UTC)),
    plan=st.text(max_size=20),
    forced=st.lists(st.text(min_size=1, max_size=9), max_size=3).map(tuple),
    lock=st.just("") | LOCKS,
    restored_as=st.just("") | ARNS.map(str),
)
FULL = tombstone(
    forced=("parameter", "used"), lock='{"sha256": "b"}', restored_as=str(arn(version=9))
)


@given(TOMBSTONES)
def test_a_tombstone_comes_back_from_its_item(one: Tombstone) -> None:
    assert read_item(one.item()) == one


@given(TOMBSTONES)
def test_a_tombstone_comes_back_from_its_file(one: Tombstone) -> None:
    assert tombstone_of_text(one.text().encode("ascii").decode("ascii")) == one


def test_a_text_that_cannot_be_encoded_is_stored_in_a_file() -> None:
    one = tombstone(replace(row(), distribution_description="\ud800"))
    assert tombstone_of_text(one.text().encode().decode()) == one


def test_its_file_has_the_attributes_of_the_row() -> None:
    assert json.loads(FULL.text()) == {
        "layer_arn": str(arn()),
        "state": "deleted",
        "deleted_at": "2026-11-01T03:00:00+00:00",
        "plan": "0123456789abcdef",
        "forced": ["parameter", "used"],
        "row": row().data(),
        "lock": {"sha256": "b"},
        "restored_as": str(arn(version=9)),
    }


def test_a_tombstone_is_in_no_index() -> None:
    assert not set(FULL.item()) & {"distribution", *(INDEXES["base-layer-index"])}


def changed(name: str, value: object) -> dict[str, Any]:
    """The item of a complete tombstone with one other attribute; None removes it."""
    item: dict[str, Any] = {**FULL.item(), name: value}
    return {each: stored for each, stored in item.items() if stored is not None}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("row", None, "it has no row"),
        ("row", {"S": "row"}, "it has no row"),
        ("row", {"M": {}}, "it has no row"),
        ("row", {"M": old_item(row(), distribution=None)}, "its row cannot be read: it has no"),
        ("row", {"M": row(version=8).item()}, f"its row is of {arn(version=8)}"),
        ("layer_arn", {"S": "hello\x1b"}, f"its row is of {arn()}"),
        ("deleted_at", None, "its deleted_at is ''"),
        ("deleted_at", {"S": "yesterday\x1b"}, r"its deleted_at is 'yesterday\x1b'"),
        ("lock", {"S": "{"}, "its lock is no JSON object"),
        ("lock", {"S": "[]"}, "its lock is no JSON object"),
        ("lock", {"S": "[" * 100_000}, "its lock is no JSON object"),
        ("restored_as", {"S": "x"}, "its restored_as is 'x'"),
    ],
)
def test_a_damaged_tombstone_is_a_foreign_row_with_a_reason(
    name: str, value: object, reason: str
) -> None:
    found = read_item(changed(name, value))
    assert isinstance(found, ForeignRow)
    assert found.reason.startswith(f"it is a damaged tombstone: {reason}")


def test_the_attributes_of_a_row_do_not_make_a_damaged_tombstone_a_row() -> None:
    half = {**row().item(), "state": {"S": "deleted"}}
    assert isinstance(read_row(half), Row)
    assert isinstance(read_item(half), ForeignRow)


def test_a_tombstone_without_its_state_is_no_row() -> None:
    assert isinstance(read_item(changed("state", None)), ForeignRow)
    assert isinstance(read_tombstone(changed("state", None)), ForeignRow)


def test_another_tools_state_does_not_make_a_row_a_tombstone() -> None:
    assert read_item({**row().item(), "state": {"S": "published"}}) == row()


@given(st.dictionaries(st.sampled_from([*FULL.item()]), ANYTHING))
def test_any_item_is_read(damage: dict[str, Any]) -> None:
    assert isinstance(read_item({**FULL.item(), **damage}), Tombstone | ForeignRow)
    assert isinstance(read_tombstone(damage), ForeignRow)


@given(st.dictionaries(st.sampled_from([*COLUMNS]), ANYTHING))
def test_a_tombstone_with_any_row_is_read(damage: dict[str, Any]) -> None:
    item = {**FULL.item(), "row": {"M": {**row().item(), **damage}}}
    assert isinstance(read_item(item), Tombstone | ForeignRow)


@given(st.dictionaries(st.sampled_from([*FULL.data(), "x"]), JSON_VALUES))
def test_any_file_is_read(damage: dict[str, Any]) -> None:
    assert isinstance(
        tombstone_of_text(json.dumps({**FULL.data(), **damage})), Tombstone | ForeignRow
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "7", '"deleted"', "[" * 100_000, '{"row": ' * 2000 + "1"]
)
def test_another_file_is_no_tombstone(text: str) -> None:
    assert isinstance(tombstone_of_text(text), ForeignRow)


def test_a_row_of_null_values_in_a_file_is_not_read() -> None:
    data = FULL.data()
    text = json.dumps({**data, "row": {**data["row"], "distribution": None}})
    assert isinstance(tombstone_of_text(text), ForeignRow)


def test_rows_and_tombstones_are_separated() -> None:
    found = read_rows([row(version=1).item(), FULL.item(), changed("row", None)])
    assert (found.rows, found.tombstones) == ((row(version=1),), (FULL,))
    assert [each.key for each in found.foreign] == [str(arn())]
    assert read_rows([]) == Rows(rows=())


def test_a_tombstone_keeps_the_attributes_of_other_tools() -> None:
    theirs = {"bench": {"M": {"cold": {"N": "1"}}}, "state": {"S": "ok"}}
    before = {**old_item(row()), "shared_with": {"SS": ["a"]}, **theirs}
    once = buried(FULL, before)
    assert read_item(once) == FULL
    assert once["row"]["M"] == {**row().item(), **theirs}
    again = buried(replace(FULL, plan="other"), once)
    assert again["row"] == once["row"]
    assert again["plan"] == {"S": "other"}
    assert buried(FULL, {}) == FULL.item()
