"""The registry's calls, answered by moto on loopback."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from publishing import HOME, Publishing
from registry_examples import PUBLISHED, arn, old_item, row, tombstone
from syncing import item_of, store

from pipeline.aws.dynamodb import Item
from pipeline.aws.session import Aws, default_aws
from pipeline.errors import AwsError, UsageError
from pipeline.naming import Architecture
from pipeline.options import TABLE, TableOptions
from pipeline.registry.registry import Registry, TableCreation, opened_registry
from pipeline.registry.row import KEY, ForeignRow, Row
from pipeline.registry.table import (
    BASE_INDEX,
    DEFAULT_REGION,
    DISTRIBUTION_INDEX,
    INDEXES,
    definition,
)


@pytest.fixture
def registry(publishing: Publishing) -> Registry:
    return publishing.registry()


def other_table(publishing: Publishing, **changed: Any) -> Registry:  # noqa: ANN401  CreateTable's parameters
    """Make a correct table with changes."""
    publishing.aws.client("dynamodb", HOME).create_table(**{**definition("other"), **changed})
    return Registry(default_aws(), "other", HOME)


def check_error(registry: Registry) -> AwsError:
    with pytest.raises(AwsError) as caught:
        registry.check()
    return caught.value


def test_a_correct_table_passes(registry: Registry) -> None:
    registry.check()


@pytest.mark.usefixtures("publishing")
def test_a_missing_table_is_created_once() -> None:
    registry = Registry(default_aws(), "mine", HOME)
    assert str(check_error(registry)) == f"there is no table mine in {HOME}"
    assert registry.create() == TableCreation(created=True)
    registry.check()
    assert registry.put(row()) is None
    assert registry.create() == TableCreation(created=False)
    assert registry.all().rows == (row(),)


def test_a_table_of_another_shape_is_not_taken_for_a_created_one(publishing: Publishing) -> None:
    keys = [{"AttributeName": "distribution", "KeyType": "HASH"}]
    with pytest.raises(AwsError, match="the key of the table other"):
        other_table(publishing, KeySchema=keys).create()


CALLS: dict[str, Callable[[Registry], object]] = {
    "row": lambda registry: registry.row(arn()),
    "put": lambda registry: registry.put(row()),
    "add": lambda registry: registry.add(row()),
    "update": lambda registry: registry.update(row(), row(public=False)),
    "delete": lambda registry: registry.delete(row()),
    "bury": lambda registry: registry.bury(tombstone(), None),
    "note_restored": lambda registry: registry.note_restored(arn(), arn()),
    "of_distribution": lambda registry: registry.of_distribution("minimal"),
    "all": lambda registry: registry.all(),
}


@pytest.mark.usefixtures("publishing")
@pytest.mark.parametrize("call", CALLS)
def test_every_call_reports_a_missing_table(call: str) -> None:
    with pytest.raises(AwsError, match="there is no table mine in us-east-1"):
        CALLS[call](Registry(default_aws(), "mine", HOME))


def test_a_table_with_another_key_is_an_error(publishing: Publishing) -> None:
    keys = [{"AttributeName": "distribution", "KeyType": "HASH"}]
    error = check_error(other_table(publishing, KeySchema=keys))
    assert str(error) == (f"the key of the table other in {HOME} is not layer_arn alone, a string")
    assert error.hint.startswith("a table's key cannot be changed")


def without(index: str) -> list[Any]:
    return [each for each in definition("")["GlobalSecondaryIndexes"] if each["IndexName"] != index]


def test_missing_indexes_are_added(publishing: Publishing) -> None:
    key = [each for each in definition("")["AttributeDefinitions"] if each["AttributeName"] == KEY]
    client = publishing.aws.client("dynamodb", HOME)
    bare = {**definition("bare"), "AttributeDefinitions": key}
    del bare["GlobalSecondaryIndexes"]
    client.create_table(**bare)
    registry = Registry(default_aws(), "bare", HOME)
    assert registry.put(row()) is None
    assert check_error(registry).hint.startswith("add it: ocelot layers create-table")
    assert registry.create() == TableCreation(created=False, indexes=tuple(INDEXES))
    assert registry.of_distribution("minimal").rows == (row(),)
    assert registry.create() == TableCreation(created=False)


def test_no_index_is_added_to_a_table_with_another_fault(publishing: Publishing) -> None:
    keys = [{"AttributeName": "distribution", "KeyType": "HASH"}]
    types = [
        each
        for each in definition("")["AttributeDefinitions"]
        if each["AttributeName"] in ("distribution", *INDEXES[BASE_INDEX])
    ]
    registry = other_table(
        publishing,
        KeySchema=keys,
        GlobalSecondaryIndexes=without(DISTRIBUTION_INDEX),
        AttributeDefinitions=types,
    )
    with pytest.raises(AwsError, match="the key of the table other"):
        registry.create()
    assert publishing.aws.calls("UpdateTable") == []


def test_a_query_without_its_index_names_the_index(publishing: Publishing) -> None:
    types = [
        each
        for each in definition("")["AttributeDefinitions"]
        if each["AttributeName"] != "distribution"
    ]
    registry = other_table(
        publishing, GlobalSecondaryIndexes=without(DISTRIBUTION_INDEX), AttributeDefinitions=types
    )
    with pytest.raises(AwsError, match=f"has no index {DISTRIBUTION_INDEX}"):
        registry.of_distribution("minimal")


def test_a_row_is_read_as_it_was_put(registry: Registry) -> None:
    assert registry.put(row()) is None
    assert registry.row(row().arn) == row()


def test_a_row_that_was_not_put_is_none(registry: Registry) -> None:
    assert registry.row(arn()) is None


def test_a_row_that_is_put_again_keeps_its_timestamp(registry: Registry) -> None:
    registry.put(row(public=False))
    later = row(published=PUBLISHED + timedelta(hours=1))
    assert registry.put(later) is None
    assert registry.row(row().arn) == row(public=True)


def test_a_row_with_another_content_is_never_overwritten(registry: Registry) -> None:
    registry.put(row(content=b"one"))
    assert registry.put(row(content=b"two")) == row(content=b"one")
    assert registry.row(row().arn) == row(content=b"one")


def test_a_row_without_a_digest_does_not_overwrite_one_that_has_it(registry: Registry) -> None:
    registry.put(row())
    sparse = dataclasses.replace(row(), code_sha256="", public=False)
    assert registry.put(sparse) == row()


def test_an_old_row_gets_missing_attributes(publishing: Publishing, registry: Registry) -> None:
    store(publishing, {**old_item(row()), "bench": {"M": {"cold": {"N": "1"}}}})
    assert registry.put(row()) is None
    now = registry.row(row().arn)
    assert isinstance(now, Row)
    assert now.code_sha256 == row().code_sha256
    assert now.publish_timestamp
    assert now.publish_timestamp.isoformat() == "2026-06-01T08:00:00.123456+00:00"
    assert item_of(publishing, str(arn()))["bench"] == {"M": {"cold": {"N": "1"}}}


def test_empty_attributes_do_not_overwrite_others(registry: Registry) -> None:
    registry.put(row())
    sparse = dataclasses.replace(
        row(), distribution_description="", compatible_runtimes=(), upstream_ref=""
    )
    assert registry.put(sparse) is None
    assert registry.row(row().arn) == row()


def test_another_distributions_row_is_kept(publishing: Publishing, registry: Registry) -> None:
    store(publishing, old_item(row(), distribution={"S": "other"}))
    present = registry.put(row())
    assert isinstance(present, Row)
    assert present.distribution == "other"


def test_a_foreign_row_is_kept_and_returned(publishing: Publishing, registry: Registry) -> None:
    store(publishing, old_item(row(), distribution=None))
    foreign = ForeignRow(key=str(row().arn), reason="it has no distribution")
    assert registry.put(row()) == foreign
    assert registry.row(row().arn) == foreign


def test_of_many_writers_one_wins_and_the_others_get_its_row(registry: Registry) -> None:
    rows = [row(content=bytes([number])) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        written = list(threads.map(registry.put, rows))
    present = registry.row(row().arn)
    won = [one for one, outcome in zip(rows, written, strict=True) if outcome is None]
    assert won == [present]
    assert [outcome for outcome in written if outcome] == [present] * 7


def test_many_writers_of_one_row_all_succeed(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(registry.put, [row()] * 8)) == [None] * 8


def test_a_row_is_added_if_there_is_none(registry: Registry) -> None:
    assert registry.add(row())
    assert registry.row(arn()) == row()
    assert registry.add(row())  # as after an answer that was lost
    assert not registry.add(row(content=b"other"))
    assert registry.row(arn()) == row()


def test_a_row_does_not_replace_a_foreign_row(publishing: Publishing, registry: Registry) -> None:
    store(publishing, {"layer_arn": {"S": str(arn())}})
    assert not registry.add(row())
    assert isinstance(registry.row(arn()), ForeignRow)


def test_an_update_changes_only_differences(publishing: Publishing, registry: Registry) -> None:
    store(publishing, {**old_item(row()), "another": {"S": "kept"}})
    before = registry.row(arn())
    assert isinstance(before, Row)
    after = dataclasses.replace(before, public=False, base_layer_arn=str(arn("base")))
    assert registry.update(before, after)
    assert item_of(publishing, str(arn())) == {
        **old_item(row()),
        "another": {"S": "kept"},
        "public": {"BOOL": False},
        "base_layer_arn": {"S": str(arn("base"))},
    }
    assert registry.update(before, after)  # as after an answer that was lost


SHARED = dataclasses.replace(row(), shared_with=("account:210987654321", "org:o-a1b2c3d4e5"))


@pytest.mark.parametrize("write", ["put", "update"])
def test_grantees_that_are_gone_are_removed_from_a_row(
    publishing: Publishing, registry: Registry, write: str
) -> None:
    assert registry.put(SHARED) is None
    assert registry.row(arn()) == SHARED
    store(publishing, {**item_of(publishing, str(arn())), "another": {"S": "kept"}})
    if write == "put":
        assert registry.put(row()) is None
    else:
        assert registry.update(SHARED, row())
    assert registry.row(arn()) == row()
    item = item_of(publishing, str(arn()))
    assert ("shared_with" in item, item["another"]) == (False, {"S": "kept"})
    assert registry.update(SHARED, row())  # as after an answer that was lost


@pytest.mark.parametrize(
    "change",
    [
        {"public": True, "code_sha256": "b" * 64},
        {"distribution": "other"},
        {"base_layer_arn": "arn"},
        {"publish_timestamp": PUBLISHED + timedelta(seconds=1)},
        {"md5_hash": ""},
    ],
)
def test_a_row_that_changed_since_it_was_read_is_neither_updated_nor_deleted(
    registry: Registry, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    present = dataclasses.replace(row(), **change)
    assert registry.put(present) is None
    assert not registry.update(row(), row(public=False))
    assert not registry.delete(row())

    # nor if it changes between the registry's own reading and writing
    def as_before(_registry: Registry, _arn: object) -> Item:
        return row().item()

    monkeypatch.setattr(Registry, "_item", as_before)
    assert not registry.update(row(), row(public=False))
    assert not registry.delete(row())
    monkeypatch.undo()
    assert registry.row(arn()) == present


def test_a_row_that_is_gone_is_not_updated_and_counts_as_deleted(registry: Registry) -> None:
    assert not registry.update(row(), row(public=False))
    assert registry.row(arn()) is None
    assert registry.delete(row())


def test_a_row_is_deleted_and_no_other(registry: Registry) -> None:
    assert registry.put(row()) is None
    assert registry.put(row(version=8)) is None
    assert registry.delete(row())
    assert registry.all().rows == (row(version=8),)


def test_a_row_of_an_older_tool_is_deleted_whatever_its_types(
    publishing: Publishing, registry: Registry
) -> None:
    store(publishing, old_item(row(), public={"N": "1"}, md5_hash={"NULL": True}))
    before = registry.row(arn())
    assert isinstance(before, Row)
    assert registry.delete(before)
    assert registry.row(arn()) is None


def test_a_distributions_rows_are_found_by_its_index(registry: Registry) -> None:
    amd64, arm64 = row(), row(architecture=Architecture.ARM64)
    for each in (amd64, arm64, row("other")):
        registry.put(each)
    assert set(registry.of_distribution("minimal").rows) == {amd64, arm64}
    assert registry.of_distribution("none").rows == ()
    assert registry.of_distribution("").rows == ()


def test_more_rows_than_one_page_holds_are_all_read(
    publishing: Publishing, registry: Registry
) -> None:
    rows = [
        dataclasses.replace(row(version=version), distribution_description="x" * 200_000)
        for version in range(1, 15)
    ]
    for each in rows:
        registry.put(each)
    page = publishing.aws.client("dynamodb", HOME).scan(TableName=TABLE)
    assert "LastEvaluatedKey" in page
    assert len(page["Items"]) < len(rows)
    assert set(registry.all().rows) == set(rows)
    assert set(registry.of_distribution("minimal").rows) == set(rows)


def test_foreign_rows_are_returned_too(publishing: Publishing, registry: Registry) -> None:
    registry.put(row())
    store(publishing, {"layer_arn": {"S": "hello"}, "distribution": {"S": "minimal"}})
    answer = registry.all()
    assert answer.rows == (row(),)
    assert [str(each) for each in answer.foreign] == [
        "'hello': its layer_arn is no ARN of a layer version"
    ]
    assert registry.of_distribution("minimal") == answer


@pytest.mark.parametrize(
    ("given", "environment", "region"),
    [
        ("eu-north-1", {"AWS_REGION": "eu-west-2"}, "eu-north-1"),
        (None, {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-2"),
        (None, {"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
        (None, {}, DEFAULT_REGION),
    ],
)
def test_the_tables_region_is_the_options_or_the_environments(
    monkeypatch: pytest.MonkeyPatch, given: str | None, environment: dict[str, str], region: str
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (
        opened_registry(default_aws(), TableOptions(table="mine", table_region=given)).region
        == region
    )


def test_without_a_region_in_the_environment_the_profiles_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "config"
    settings.write_text("[profile mine]\nregion = eu-west-3\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert opened_registry(default_aws(), TableOptions(table="mine")).region == "eu-west-3"


def test_an_invalid_region_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        opened_registry(Aws(boto3.Session()), TableOptions(table_region="x.example.com/"))
