from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_examples import ACCOUNT, PUBLISHED, arn, old_item, row

from pipeline.naming import PARTITIONS, Architecture, LayerArn
from pipeline.registry.row import ForeignRow, Row, base_layer_arn, read_row
from pipeline.registry.rows import Rows, read_rows

TEXT = st.text(max_size=20)
NAME = st.from_regex(r"[A-Za-z0-9_-]{1,140}", fullmatch=True)
ARNS = st.builds(
    LayerArn,
    partition=st.sampled_from(PARTITIONS),
    region=st.sampled_from(["eu-west-1", "us-gov-west-1", "cn-north-1"]),
    account=st.just(ACCOUNT),
    name=NAME,
    version=st.integers(1, 999_999_999),
)
ROWS = st.builds(
    Row,
    arn=ARNS,
    distribution=st.text(min_size=1, max_size=20),
    architecture=st.sampled_from(Architecture),
    distribution_description=TEXT,
    base_layer_arn=TEXT,
    base_name=TEXT,
    layer_version_str=TEXT,
    collector_version_input=TEXT,
    md5_hash=TEXT,
    publish_timestamp=st.none() | st.datetimes(timezones=st.just(UTC)),
    public=st.booleans(),
    compatible_runtimes=st.lists(st.text(min_size=1, max_size=20)).map(tuple),
    code_sha256=TEXT,
    upstream_repository=TEXT,
    upstream_ref=TEXT,
    upstream_commit=TEXT,
    ocelot=TEXT,
    license_info=TEXT,
    compatible_architectures=st.lists(st.text(min_size=1, max_size=20)).map(tuple),
    shared_with=st.lists(st.text(min_size=1, max_size=20)).map(sorted).map(tuple),
    zip_size=st.integers(0, 10**9),
    unzipped_size=st.integers(0, 10**9),
    cpu_times=st.integers(0, 10_000).map(lambda hundredths: hundredths / 100),
    memory_times=st.integers(0, 10_000).map(lambda hundredths: hundredths / 100),
)
# Everything that DynamoDB can answer, and more.
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.text(max_size=9) | st.binary(max_size=9) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["S", "N", "L", "SS", "M", "BOOL", "NULL", "B"]), inner)
    ),
    max_leaves=9,
)
ATTRIBUTES = tuple(row().item())


@given(ROWS)
def test_a_row_comes_back_from_its_item(one: Row) -> None:
    assert read_row(one.item()) == one


def test_an_item_has_the_attributes_of_other_tools() -> None:
    base = dataclasses.replace(row(), base_layer_arn=str(arn("default")))
    assert base.item() == {
        "layer_arn": {
            "S": "arn:aws:lambda:eu-west-1:123456789012:layer:ocel-amd64-minimal-0_158_0-beta:7"
        },
        "distribution": {"S": "minimal"},
        "distribution_description": {"S": "an example"},
        "base_layer_arn": {
            "S": "arn:aws:lambda:eu-west-1:123456789012:layer:ocel-amd64-default-0_158_0-beta:7"
        },
        "base_name": {"S": "ocel"},
        "layer_version_str": {"S": "0_158_0"},
        "collector_version_input": {"S": "v0.158.0"},
        "md5_hash": {"S": row().md5_hash},
        "architecture": {"S": "amd64"},
        "region": {"S": "eu-west-1"},
        "version": {"N": "7"},
        "publish_timestamp": {"S": "2026-07-01T12:30:00+00:00"},
        "public": {"BOOL": True},
        "compatible_runtimes": {"L": [{"S": "nodejs22.x"}, {"S": "python3.13"}]},
        "code_sha256": {"S": row().code_sha256},
        "upstream_repository": {"S": "owner/name"},
        "upstream_ref": {"S": "main"},
        "upstream_commit": {"S": "0123456789abcdef0123456789abcdef01234567"},
        "ocelot": {"S": "0.1.0"},
    }


def test_an_item_names_who_may_use_the_layer_version_only_if_anybody_may() -> None:
    shared = dataclasses.replace(row(), shared_with=("account:210987654321", "org:o-a1b2c3d4e5"))
    assert set(shared.item()) - set(row().item()) == {"shared_with"}
    named = {"L": [{"S": "account:210987654321"}, {"S": "org:o-a1b2c3d4e5"}]}
    assert shared.item()["shared_with"] == named
    assert read_row({**row().item(), "shared_with": {"L": named["L"][::-1]}}) == shared


def test_the_key_of_an_index_is_never_written_empty() -> None:
    assert "base_layer_arn" not in row().item()


def test_empty_attributes_of_ocelot_are_left_out() -> None:
    sparse = Row(arn=arn(), distribution="minimal", architecture=Architecture.AMD64)
    item = sparse.item()
    assert {"code_sha256", "upstream_commit", "ocelot", "publish_timestamp"} & set(item) == set()
    assert item["distribution_description"] == {"S": ""}


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    local = datetime.fromisoformat("2026-07-01T14:30:00+02:00")
    assert row(published=local).item()["publish_timestamp"] == {"S": "2026-07-01T12:30:00+00:00"}


def test_an_older_tools_row_is_read() -> None:
    read = read_row(old_item(row()))
    assert read == dataclasses.replace(
        row(published=datetime(2026, 6, 1, 8, 0, 0, 123456, tzinfo=UTC)),
        distribution_description="",
        code_sha256="",
        upstream_repository="",
        upstream_ref="",
        upstream_commit="",
        ocelot="",
    )


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("public", {"BOOL": False}, False),
        ("public", {"S": "False"}, False),
        ("public", {"S": "True"}, True),
        ("public", {"N": "1"}, True),
        ("public", None, False),
        ("compatible_runtimes", {"SS": ["a", "b"]}, ("a", "b")),
        ("compatible_runtimes", {"L": [{"S": "a"}, {"NULL": True}]}, ("a",)),
        ("compatible_runtimes", {"S": '["nodejs22.x", "java21"]'}, ("nodejs22.x", "java21")),
        ("compatible_runtimes", {"S": "nodejs22.x,java21"}, ("nodejs22.x", "java21")),
        ("compatible_runtimes", {"NULL": True}, ()),
        ("publish_timestamp", {"S": "2026-07-01T12:30:00Z"}, PUBLISHED),
        ("publish_timestamp", {"S": "2026-07-01 12:30:00"}, PUBLISHED),
        ("publish_timestamp", {"S": "yesterday"}, None),
        ("publish_timestamp", {"S": "0001-01-01T00:00:00+14:00"}, None),
        ("publish_timestamp", {"N": "1"}, None),
        ("architecture", {"S": "x86_64"}, Architecture.AMD64),
        ("collector_version_input", {"N": "158"}, "158"),
        ("base_name", {"NULL": True}, ""),
    ],
)
def test_an_attribute_of_another_type_is_read(
    name: str, value: dict[str, object] | None, read: object
) -> None:
    found = read_row(old_item(row(), **{name: value}))
    assert isinstance(found, Row)
    assert getattr(found, name) == read


@pytest.mark.parametrize("version", [{"N": "7"}, {"S": "7"}, {"S": "7.0"}, None])
def test_a_version_may_have_several_types(version: dict[str, object] | None) -> None:
    assert isinstance(read_row(old_item(row(), version=version)), Row)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("layer_arn", {"S": "hello"}, "its layer_arn is no ARN of a layer version"),
        ("layer_arn", {"N": "3"}, "its layer_arn is no ARN of a layer version"),
        ("layer_arn", None, "its layer_arn is no ARN of a layer version"),
        ("architecture", {"S": "riscv64"}, "its architecture is 'riscv64'"),
        ("architecture", None, "its architecture is ''"),
        ("distribution", None, "it has no distribution"),
        ("region", {"S": "us-east-1"}, "its region is 'us-east-1', but its ARN is of eu-west-1"),
        ("version", {"N": "8"}, "its version is '8', but its ARN is of 7"),
        ("version", {"S": "x\x1b"}, r"its version is 'x\x1b', but its ARN is of 7"),
    ],
)
def test_a_row_that_cannot_be_read_has_a_reason(
    name: str, value: dict[str, object] | None, reason: str
) -> None:
    found = read_row(old_item(row(), **{name: value}))
    assert isinstance(found, ForeignRow)
    assert found.reason == reason


@given(st.dictionaries(st.sampled_from(ATTRIBUTES), ANYTHING))
def test_any_item_is_read(changed: dict[str, Any]) -> None:
    assert isinstance(read_row({**row().item(), **changed}), Row | ForeignRow)
    assert isinstance(read_row(changed), ForeignRow)


def test_rows_and_foreign_rows_are_separated() -> None:
    foreign = ForeignRow(key="", reason="its layer_arn is no ARN of a layer version")
    assert read_rows([row().item(), {}]) == Rows(rows=(row(),), foreign=(foreign,))


DERIVED = row("derived")


def test_the_base_is_the_newest_of_its_rows() -> None:
    older = row(version=9, published=PUBLISHED - timedelta(days=1))
    newer = row(version=3)
    assert base_layer_arn([older, newer], DERIVED, "minimal") == str(newer.arn)
    assert base_layer_arn([newer, older], DERIVED, "minimal") == str(newer.arn)


def test_of_two_rows_of_one_time_the_higher_version_is_the_newest() -> None:
    rows = [row(version=number) for number in (2, 10, 9)]
    assert base_layer_arn(rows, DERIVED, "minimal") == str(arn(version=10))


def test_a_row_without_a_time_is_older_than_all_others() -> None:
    rows = [row(version=9, published=None), row(version=3)]
    assert base_layer_arn(rows, DERIVED, "minimal") == str(arn(version=3))


def test_the_base_of_the_same_release_group_comes_first() -> None:
    prod = row(version=9, group="prod", published=PUBLISHED + timedelta(days=1))
    assert base_layer_arn([prod, row()], DERIVED, "minimal") == str(row().arn)
    assert base_layer_arn([prod], DERIVED, "minimal") == str(prod.arn)


@pytest.mark.parametrize(
    "other",
    [
        row("other"),
        row(region="us-east-1"),
        row(architecture=Architecture.ARM64),
        row(collector="v0.157.0"),
        dataclasses.replace(row(), arn=dataclasses.replace(row().arn, account="999999999999")),
    ],
)
def test_a_row_of_another_layer_is_no_base(other: Row) -> None:
    assert base_layer_arn([other], DERIVED, "minimal") == ""


def test_a_distribution_without_a_base_names_none() -> None:
    assert base_layer_arn([row()], DERIVED, None) == ""


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e999", "x", "", "9" * 5000, "٣"])
def test_a_number_that_makes_no_sense_is_not_known(text: str) -> None:
    item = {**row().item(), "zip_size": {"N": text}, "cpu_times": {"S": text}}
    assert read_row(item) == row()
