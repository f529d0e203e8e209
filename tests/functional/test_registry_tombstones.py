"""Tombstones in the registry: written in place of rows, and turned back into rows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from aws_rules import Rule
from publishing import HOME, Publishing
from registry_examples import PUBLISHED, arn, old_item, row, tombstone
from syncing import item_of, store

from pipeline.registry.registry import Registry
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.tombstone import Tombstone

OURS, THEIRS = tombstone(plan="ours"), tombstone(plan="theirs")
LOST_ANSWER = Rule(operation="UpdateItem", times=1, reset="answer")


@pytest.fixture
def registry(publishing: Publishing) -> Registry:
    return publishing.registry()


def let_another_write_in_between(publishing: Publishing, write: Callable[[], object]) -> None:
    """Have another writer change an item between the registry's next reading and writing."""
    publishing.aws.rules(Rule(operation="GetItem", times=1, after=lambda _: write()))


def test_a_row_is_replaced_by_its_tombstone(registry: Registry) -> None:
    registry.put(replace(row(), base_layer_arn=str(arn("default"))))
    before = registry.row(arn())
    assert isinstance(before, Row)
    buried = tombstone(before, forced=("used",), lock='{"sha256": "b"}')
    assert registry.bury(buried, before)
    assert registry.row(arn()) == buried
    assert registry.all().tombstones == (buried,)
    assert registry.all().rows == ()


def test_a_tombstone_is_in_no_index(publishing: Publishing, registry: Registry) -> None:
    registry.put(replace(row(), base_layer_arn=str(arn("default"))))
    before = registry.row(arn())
    assert isinstance(before, Row)
    assert registry.bury(tombstone(before), before)
    assert registry.of_distribution("minimal").tombstones == ()
    for index in ("distribution-index", "base-layer-index"):
        found = publishing.aws.client("dynamodb", HOME).scan(
            TableName=registry.table, IndexName=index
        )
        assert found["Items"] == []


def test_a_layer_version_without_a_row_gets_a_tombstone(registry: Registry) -> None:
    assert registry.bury(OURS, None)
    assert registry.row(arn()) == OURS


def test_an_older_tools_attributes_come_back_with_the_row(
    publishing: Publishing, registry: Registry
) -> None:
    theirs = {"bench": {"M": {"cold": {"N": "1"}}}, "plan": {"S": "A"}, "state": {"S": "live"}}
    store(publishing, {**old_item(row()), **theirs})
    before = registry.row(arn())
    assert isinstance(before, Row)
    found = replace(before, code_sha256=row().code_sha256)
    assert registry.bury(tombstone(found), before)
    assert registry.row(arn()) == tombstone(found)
    assert registry.put(row()) is None
    now = item_of(publishing, str(arn()))
    assert {name: now.get(name) for name in theirs} == theirs
    assert not {"row", "deleted_at", "forced", "lock", "restored_as"} & now.keys()
    # the timestamp is the first one, as for a row that is put again
    assert registry.row(arn()) == replace(row(), publish_timestamp=before.publish_timestamp)


@pytest.mark.parametrize("present", [row(public=False), None])
def test_a_row_that_changed_since_it_was_read_is_not_buried(
    publishing: Publishing, registry: Registry, present: Row | None
) -> None:
    if present:
        registry.put(present)
    assert not registry.bury(OURS, row())
    assert registry.row(arn()) == present
    if present:
        assert registry.delete(present)
    registry.put(row())
    let_another_write_in_between(publishing, lambda: registry.put(row(public=False)))
    assert not registry.bury(OURS, row())
    assert registry.row(arn()) == row(public=False)


def test_a_row_that_was_written_meanwhile_is_not_buried(
    publishing: Publishing, registry: Registry
) -> None:
    let_another_write_in_between(publishing, lambda: registry.put(row()))
    assert not registry.bury(OURS, None)
    assert not registry.bury(OURS, None)
    assert registry.row(arn()) == row()


def test_a_foreign_row_is_not_buried(publishing: Publishing, registry: Registry) -> None:
    store(publishing, old_item(row(), distribution=None))
    assert not registry.bury(OURS, None)
    assert isinstance(registry.row(arn()), ForeignRow)


@pytest.mark.parametrize("before", [row(), None])
def test_of_two_reapers_one_writes_the_tombstone_and_both_succeed(
    publishing: Publishing, registry: Registry, before: Row | None
) -> None:
    if before:
        registry.put(before)
    let_another_write_in_between(publishing, lambda: registry.bury(THEIRS, before))
    assert registry.bury(OURS, before)
    assert registry.bury(OURS, before)
    assert registry.row(arn()) == THEIRS


def test_of_many_reapers_one_writes_the_tombstone(registry: Registry) -> None:
    registry.put(row())
    stones = [tombstone(plan=str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(partial(registry.bury, before=row()), stones))
    assert registry.row(arn()) in stones


def test_a_tombstone_as_it_was_read_is_replaced(publishing: Publishing, registry: Registry) -> None:
    assert registry.bury(THEIRS, None)
    assert registry.bury(OURS, THEIRS)
    assert registry.row(arn()) == OURS
    let_another_write_in_between(publishing, lambda: registry.bury(THEIRS, OURS))
    assert registry.bury(tombstone(plan="late"), OURS)
    assert registry.row(arn()) == THEIRS


@pytest.mark.parametrize("before", [row(), None])
def test_a_lost_answer_changes_nothing(
    publishing: Publishing, registry: Registry, before: Row | None
) -> None:
    if before:
        registry.put(before)
    publishing.aws.rules(LOST_ANSWER)
    assert registry.bury(OURS, before)
    assert registry.row(arn()) == OURS
    publishing.aws.rules(LOST_ANSWER)
    assert registry.put(row()) is None
    assert registry.row(arn()) == row()
    assert registry.bury(OURS, row())
    publishing.aws.rules(Rule(operation="UpdateItem", skip=1, times=1, reset="answer"))
    assert registry.put(row()) is None
    assert registry.row(arn()) == row()


def test_a_version_that_was_not_deleted_after_all_gets_its_row_again(registry: Registry) -> None:
    described = replace(row(), shared_with=("org:o-a1b2c3d4e5",))
    registry.put(described)
    assert registry.bury(tombstone(described, restored_as=str(arn(version=9))), described)
    sparse = replace(
        row(published=PUBLISHED + timedelta(hours=1)), distribution_description="", upstream_ref=""
    )
    assert registry.put(sparse) is None
    assert registry.row(arn()) == row()
    assert registry.of_distribution("minimal").rows == (row(),)


def test_a_tombstone_of_another_content_is_left_alone(registry: Registry) -> None:
    assert registry.bury(OURS, None)
    assert registry.put(row(content=b"other")) == OURS
    assert registry.put(replace(row(), distribution="other")) == OURS
    assert registry.put(replace(row(), code_sha256="")) == OURS
    assert registry.row(arn()) == OURS


def test_a_damaged_tombstone_is_left_alone(publishing: Publishing, registry: Registry) -> None:
    damaged = {**OURS.item(), "row": {"S": ""}}
    store(publishing, damaged)
    for outcome in (registry.row(arn()), registry.put(row())):
        assert isinstance(outcome, ForeignRow)
        assert "tombstone" in outcome.reason
    assert not registry.bury(THEIRS, None)
    assert not registry.add(row())
    assert item_of(publishing, str(arn())) == damaged


def test_rows_and_tombstones_that_are_written_at_once_end_as_one_of_them(
    registry: Registry,
) -> None:
    registry.put(row())

    def write(number: int) -> bool:
        if number % 2:
            return registry.put(row()) is None
        return registry.bury(tombstone(plan=str(number)), row()) or number >= 0

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(write, range(32)))
    present = registry.row(arn())
    assert isinstance(present, Tombstone) or present == row()
    assert present
    assert bool(registry.of_distribution("minimal").rows) == isinstance(present, Row)


def test_a_row_is_not_put_over_a_tombstone_that_was_replaced_meanwhile(
    publishing: Publishing, registry: Registry
) -> None:
    assert registry.bury(OURS, None)
    publishing.aws.rules(
        Rule(operation="UpdateItem", skip=1, times=1, before=lambda _: registry.put(row()))
    )
    assert registry.put(row()) is None
    assert registry.row(arn()) == row()


def test_repairs_of_a_row_that_was_buried_meanwhile_change_nothing(
    publishing: Publishing, registry: Registry
) -> None:
    assert registry.bury(OURS, None)
    assert registry.add(row())
    assert registry.update(row(), row(public=False))
    assert registry.delete(row())
    assert registry.row(arn()) == OURS
    repairs: tuple[Callable[[], bool], ...] = (
        lambda: registry.delete(row()),
        lambda: registry.update(row(), row(public=False)),
    )
    for repair in repairs:
        assert registry.put(row()) is None
        let_another_write_in_between(publishing, lambda: registry.bury(OURS, row()))
        assert repair()
        assert registry.row(arn()) == OURS


def test_a_tombstone_names_the_version_that_has_its_content_now(registry: Registry) -> None:
    assert not registry.note_restored(arn(), arn(version=9))
    registry.put(row())
    assert not registry.note_restored(arn(), arn(version=9))
    assert registry.row(arn()) == row()
    assert registry.bury(OURS, row())
    assert registry.note_restored(arn(), arn(version=9))
    assert registry.row(arn()) == replace(OURS, restored_as=str(arn(version=9)))
