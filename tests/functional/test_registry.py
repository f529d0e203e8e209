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
from registry_examples import PUBLISHED, arn, old_item, row
from syncing import item_of, store

from pipeline.aws.dynamodb import Item
from pipeline.aws.session import Aws, default_aws
from pipeline.errors import AwsError, UsageError
from pipeline.naming import Architecture
from pipeline.options import TABLE
from pipeline.registry import registry as door
from pipeline.registry.registry import Registry
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.table import (
    DEFAULT_REGION,
    DISTRIBUTION_INDEX,
    definition,
)


@pytest.fixture
def registry(publishing: Publishing) -> Registry:
    return publishing.registry()


def other_table(publishing: Publishing, **changed: Any) -> Registry:  # noqa: ANN401  CreateTable's own words
    """A table as it should be, but for what is changed."""
    publishing.aws.client("dynamodb", HOME).create_table(**{**definition("other"), **changed})
    return Registry(default_aws(), "other", HOME)


def amiss(registry: Registry) -> AwsError:
    with pytest.raises(AwsError) as caught:
        registry.check()
    return caught.value


def test_a_table_as_it_should_be_passes(registry: Registry) -> None:
    registry.check()


@pytest.mark.usefixtures("publishing")
def test_a_table_that_is_absent_is_told_with_the_command_that_makes_it() -> None:
    error = amiss(Registry(default_aws(), "mine", HOME))
    assert str(error) == f"there is no table mine in {HOME}"
    assert "aws dynamodb create-table --cli-input-json '{" in error.hint
    assert error.hint.endswith(f"--region {HOME}")


CALLS: dict[str, Callable[[Registry], object]] = {
    "row": lambda registry: registry.row(arn()),
    "put": lambda registry: registry.put(row()),
    "add": lambda registry: registry.add(row()),
    "amend": lambda registry: registry.amend(row(), row(public=False)),
    "delete": lambda registry: registry.delete(row()),
    "of_distribution": lambda registry: registry.of_distribution("minimal"),
    "all": lambda registry: registry.all(),
}


@pytest.mark.usefixtures("publishing")
@pytest.mark.parametrize("call", CALLS)
def test_every_call_tells_that_the_table_is_absent(call: str) -> None:
    with pytest.raises(AwsError, match="there is no table mine in us-east-1"):
        CALLS[call](Registry(default_aws(), "mine", HOME))


def test_a_table_of_another_key_is_told(publishing: Publishing) -> None:
    keys = [{"AttributeName": "distribution", "KeyType": "HASH"}]
    error = amiss(other_table(publishing, KeySchema=keys))
    assert str(error) == (f"the key of the table other in {HOME} is not layer_arn alone, a string")
    assert error.hint.startswith("a table keeps its key")


def without(index: str) -> list[Any]:
    return [each for each in definition("")["GlobalSecondaryIndexes"] if each["IndexName"] != index]


def test_a_query_without_its_index_tells_of_the_index(publishing: Publishing) -> None:
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


def test_a_row_comes_back_as_it_was_put(registry: Registry) -> None:
    assert registry.put(row()) is None
    assert registry.row(row().arn) == row()


def test_there_is_no_row_where_none_was_put(registry: Registry) -> None:
    assert registry.row(arn()) is None


def test_the_same_row_may_be_put_again_and_keeps_its_first_time(registry: Registry) -> None:
    registry.put(row(public=False))
    later = row(published=PUBLISHED + timedelta(hours=1))
    assert registry.put(later) is None
    assert registry.row(row().arn) == row(public=True)


def test_a_row_of_other_content_is_never_overwritten(registry: Registry) -> None:
    registry.put(row(content=b"one"))
    assert registry.put(row(content=b"two")) == row(content=b"one")
    assert registry.row(row().arn) == row(content=b"one")


def test_a_row_without_a_digest_does_not_overwrite_one_that_has_it(registry: Registry) -> None:
    registry.put(row())
    silent = dataclasses.replace(row(), code_sha256="", public=False)
    assert registry.put(silent) == row()


def test_an_older_tools_row_gets_what_it_lacks(publishing: Publishing, registry: Registry) -> None:
    store(publishing, {**old_item(row()), "bench": {"M": {"cold": {"N": "1"}}}})
    assert registry.put(row()) is None
    now = registry.row(row().arn)
    assert isinstance(now, Row)
    assert now.code_sha256 == row().code_sha256
    assert now.publish_timestamp
    assert now.publish_timestamp.isoformat() == "2026-06-01T08:00:00.123456+00:00"
    assert item_of(publishing, str(arn()))["bench"] == {"M": {"cold": {"N": "1"}}}


def test_a_silent_row_takes_nothing_away(registry: Registry) -> None:
    registry.put(row())
    silent = dataclasses.replace(
        row(), distribution_description="", compatible_runtimes=(), upstream_ref=""
    )
    assert registry.put(silent) is None
    assert registry.row(row().arn) == row()


def test_an_older_tools_row_of_another_distribution_is_left_alone(
    publishing: Publishing, registry: Registry
) -> None:
    store(publishing, old_item(row(), distribution={"S": "other"}))
    present = registry.put(row())
    assert isinstance(present, Row)
    assert present.distribution == "other"


def test_a_row_that_cannot_be_understood_is_left_alone_and_told(
    publishing: Publishing, registry: Registry
) -> None:
    store(publishing, old_item(row(), distribution=None))
    foreign = ForeignRow(key=str(row().arn), reason="it has no distribution")
    assert registry.put(row()) == foreign
    assert registry.row(row().arn) == foreign


def test_of_many_writers_one_wins_and_the_others_are_told(registry: Registry) -> None:
    rows = [row(content=bytes([number])) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        written = list(threads.map(registry.put, rows))
    there = registry.row(row().arn)
    won = [one for one, outcome in zip(rows, written, strict=True) if outcome is None]
    assert won == [there]
    assert [outcome for outcome in written if outcome] == [there] * 7


def test_many_writers_of_one_row_all_succeed(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(registry.put, [row()] * 8)) == [None] * 8


def test_a_row_is_added_where_there_is_none(registry: Registry) -> None:
    assert registry.add(row())
    assert registry.row(arn()) == row()
    assert registry.add(row())  # as after an answer that was lost
    assert not registry.add(row(content=b"other"))
    assert registry.row(arn()) == row()


def test_a_row_is_not_added_over_one_that_cannot_be_understood(
    publishing: Publishing, registry: Registry
) -> None:
    store(publishing, {"layer_arn": {"S": str(arn())}})
    assert not registry.add(row())
    assert isinstance(registry.row(arn()), ForeignRow)


def test_a_row_is_amended_in_what_differs_and_in_nothing_else(
    publishing: Publishing, registry: Registry
) -> None:
    store(publishing, {**old_item(row()), "theirs": {"S": "kept"}})
    seen = registry.row(arn())
    assert isinstance(seen, Row)
    wanted = dataclasses.replace(seen, public=False, base_layer_arn=str(arn("base")))
    assert registry.amend(seen, wanted)
    assert item_of(publishing, str(arn())) == {
        **old_item(row()),
        "theirs": {"S": "kept"},
        "public": {"BOOL": False},
        "base_layer_arn": {"S": str(arn("base"))},
    }
    assert registry.amend(seen, wanted)  # as after an answer that was lost


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
def test_a_row_that_is_not_what_was_seen_is_neither_amended_nor_deleted(
    registry: Registry, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = dataclasses.replace(row(), **change)
    assert registry.put(there) is None
    assert not registry.amend(row(), row(public=False))
    assert not registry.delete(row())

    # nor where it is changed between the door's own look and its writing
    def as_before(_registry: Registry, _arn: object) -> Item:
        return row().item()

    monkeypatch.setattr(Registry, "_item", as_before)
    assert not registry.amend(row(), row(public=False))
    assert not registry.delete(row())
    monkeypatch.undo()
    assert registry.row(arn()) == there


def test_a_row_that_is_gone_is_not_amended_and_counts_as_deleted(registry: Registry) -> None:
    assert not registry.amend(row(), row(public=False))
    assert registry.row(arn()) is None
    assert registry.delete(row())


def test_a_row_is_deleted_and_no_other(registry: Registry) -> None:
    assert registry.put(row()) is None
    assert registry.put(row(version=8)) is None
    assert registry.delete(row())
    assert registry.all().rows == (row(version=8),)


def test_an_older_tools_row_is_deleted_whatever_types_it_has(
    publishing: Publishing, registry: Registry
) -> None:
    store(publishing, old_item(row(), public={"N": "1"}, md5_hash={"NULL": True}))
    seen = registry.row(arn())
    assert isinstance(seen, Row)
    assert registry.delete(seen)
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


def test_foreign_rows_are_told_beside_the_others(
    publishing: Publishing, registry: Registry
) -> None:
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
        ("", {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-2"),
        ("", {"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
        ("", {}, DEFAULT_REGION),
    ],
)
def test_the_tables_region_is_the_one_named_or_the_environments(
    monkeypatch: pytest.MonkeyPatch, given: str, environment: dict[str, str], region: str
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert door.registry(default_aws(), "mine", given).region == region


def test_the_profiles_region_counts_where_the_environment_names_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "config"
    settings.write_text("[profile mine]\nregion = eu-west-3\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert door.registry(default_aws(), "mine", "").region == "eu-west-3"


def test_what_is_no_region_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        door.registry(Aws(boto3.Session()), "mine", "x.example.com/")
