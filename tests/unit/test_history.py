from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_examples import PUBLISHED, row

from pipeline.naming import Architecture
from pipeline.registry.history import RowFilter, releases, selected
from pipeline.registry.row import Row

ARM64 = row(architecture=Architecture.ARM64)


def days(number: int, **changed: object) -> Row:
    """A row published that many days later."""
    return row(published=PUBLISHED + timedelta(days=number), **changed)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("selection", "is_selected"),
    [
        (RowFilter(), True),
        (RowFilter(distribution="minimal"), True),
        (RowFilter(distribution="other"), False),
        (RowFilter(region="eu-west-1"), True),
        (RowFilter(region="eu-west-2"), False),
        (RowFilter(architecture=Architecture.AMD64), True),
        (RowFilter(architecture=Architecture.ARM64), False),
        (RowFilter(version="v0.158.0"), True),
        (RowFilter(version="0.158.0"), True),
        (RowFilter(version="0_158_0"), True),
        (RowFilter(version="0.158"), False),
        (RowFilter(public=True), True),
        (RowFilter(public=False), False),
        (RowFilter(distribution="minimal", region="eu-west-2"), False),
    ],
)
def test_a_row_is_selected_by_every_given_field(selection: RowFilter, is_selected: bool) -> None:  # noqa: FBT001
    assert selected([row()], selection) == ((row(),) if is_selected else ())


def test_a_row_is_selected_by_its_collector_version_alone() -> None:
    only = dataclasses.replace(row(), layer_version_str="")
    assert selected([only], RowFilter(version="0_158_0")) == (only,)


def test_the_newest_comes_first_and_rows_without_a_time_last() -> None:
    unknown = row(published=None)
    rows = [unknown, days(1), days(3), days(2)]
    assert selected(rows, RowFilter()) == (days(3), days(2), days(1), unknown)


@given(st.permutations([row(), ARM64, row(region="us-east-1"), row("other"), row(version=8)]))
def test_the_order_does_not_depend_on_the_tables_order(rows: list[Row]) -> None:
    assert selected(rows, RowFilter()) == selected(sorted(rows, key=repr), RowFilter())
    assert releases(rows) == releases(sorted(rows, key=repr))


def test_one_content_in_many_regions_is_one_release() -> None:
    rows = [row(region=region) for region in ("us-east-1", "eu-west-1", "eu-north-1")]
    (release,) = releases([*rows, row(version=8)])
    assert release.regions == ("eu-north-1", "eu-west-1", "us-east-1")
    assert (release.name, release.changes) == ("ocel-amd64-minimal-0_158_0-beta", ())


def test_a_release_has_the_time_of_its_first_row() -> None:
    (release,) = releases([days(2), days(0, region="us-east-1"), days(1, region="us-east-2")])
    assert release.published == PUBLISHED
    assert release.first.region == "us-east-1"


def test_grantees_are_named_with_the_number_of_their_regions() -> None:
    dev, org = "account:210987654321", "org:o-a1b2c3d4e5"
    rows = [row(region="us-east-1"), row(), row(version=8)]
    shares: list[tuple[str, ...]] = [(org,), (dev, org), (dev,)]
    shared = [
        dataclasses.replace(one, shared_with=share) for one, share in zip(rows, shares, strict=True)
    ]
    (release,) = releases(shared)
    assert list(release.shared_with.items()) == [(dev, 1), (org, 2)]
    assert releases(rows)[0].shared_with == {}


def test_the_public_regions_are_those_with_a_public_row() -> None:
    (release,) = releases([row(public=False), row(region="us-east-1", public=True)])
    assert release.public == ("us-east-1",)


def test_each_architecture_has_its_own_changes() -> None:
    found = releases([row(), days(1, architecture=Architecture.ARM64, content=b"arm64")])
    assert [(each.first.architecture, each.changes) for each in found] == [
        (Architecture.ARM64, ()),
        (Architecture.AMD64, ()),
    ]


def test_a_new_collector_is_a_change_of_version_and_content() -> None:
    new, old = releases([row(), days(1, collector="v0.159.0", content=b"new")])
    assert old.changes == ()
    assert [each.partition(" ")[0] for each in new.changes] == ["collector", "sha256"]
    assert new.changes[0] == "collector v0.158.0 -> v0.159.0"


def test_the_same_version_with_other_content_is_another_release() -> None:
    new, old = releases([row(), days(1, content=b"new", version=8)])
    assert new.changes == (f"sha256 {old.first.code_sha256[:12]} -> {new.first.code_sha256[:12]}",)


def test_another_commit_is_a_change() -> None:
    other = dataclasses.replace(days(1, content=b"new"), upstream_commit="f" * 40)
    new, _ = releases([row(), other])
    assert new.changes[0] == "commit 0123456789ab -> ffffffffffff"


def test_changes_are_within_a_release_group() -> None:
    beta, prod = days(1, group="beta", content=b"new"), days(2, group="prod", content=b"new")
    last, middle, _ = releases([row(), beta, prod])
    assert (last.name.rpartition("-")[2], last.changes) == ("prod", ())
    assert middle.changes


def test_rows_of_older_tools_are_compared_by_md5() -> None:
    rows = [dataclasses.replace(each, code_sha256="") for each in (row(), days(1, content=b"new"))]
    new, _ = releases(rows)
    assert new.changes == (f"md5 {rows[0].md5_hash[:12]} -> {rows[1].md5_hash[:12]}",)


def test_a_row_of_an_older_tool_and_a_new_row_are_compared_by_md5() -> None:
    old = dataclasses.replace(row(), code_sha256="")
    assert releases([old, days(1, version=8)])[0].changes == ()
    assert releases([old, days(1, content=b"new")])[0].changes[0].startswith("md5 ")


def test_without_rows_there_are_no_releases() -> None:
    assert releases([]) == ()
