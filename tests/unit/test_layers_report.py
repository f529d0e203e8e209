"""Reports of the registry's rows and releases, and the same as JSON and CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_examples import arn, row, tombstone

from pipeline.naming import Architecture
from pipeline.registry.history import releases
from pipeline.registry.row import COLUMNS, Row
from pipeline.report import layers as report
from pipeline.report.rendering import Report

RELEASE = releases([row(), row(region="us-east-1", public=False)])[0]


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def first_row(made: Report) -> dict[str, str]:
    return dict(zip(made.headings, made.rows[0], strict=True))


def test_a_layers_cells_are_in_the_order_of_the_headings() -> None:
    assert first_row(report.layers_report([row()])) == {
        "published": "2026-07-01 12:30",
        "distribution": "minimal",
        "architecture": "amd64",
        "collector": "v0.158.0",
        "public": "yes",
        "layer version": str(row().arn),
    }


def test_a_missing_time_is_shown_as_not_known() -> None:
    old = Row(
        arn=row().arn,
        distribution="minimal",
        architecture=Architecture.AMD64,
        layer_version_str="0_158_0",
    )
    shown = report.layers_report([old]).rows[0]
    assert list(shown[:5]) == ["not known", "minimal", "amd64", "0_158_0", "no"]


def test_a_tombstones_cells_are_in_the_order_of_the_headings() -> None:
    full = tombstone(forced=("lock", "used"), restored_as=str(arn(version=9)))
    shown = {
        "deleted": "2026-11-01 03:00",
        "distribution": "minimal",
        "architecture": "amd64",
        "collector": "v0.158.0",
        "plan": "0123456789abcdef",
        "in spite of": "lock, used",
        "layer version": str(arn()),
        "restored as": str(arn(version=9)),
    }
    assert first_row(report.tombstones_report([full])) == shown
    del shown["in spite of"], shown["restored as"]
    assert first_row(report.tombstones_report([tombstone()])) == shown


def test_a_releases_cells_are_in_the_order_of_the_headings() -> None:
    assert first_row(report.history_report([RELEASE])) == {
        "published": "2026-07-01 12:30",
        "layer": "ocel-amd64-minimal-0_158_0-beta",
        "architecture": "amd64",
        "sha256": row().code_sha256[:12],
        "regions": "2",
        "public": "in 1",
        "changed": "",
    }


def test_grantees_have_a_column_only_if_there_are_any() -> None:
    dev, org = "account:210987654321", "org:o-a1b2c3d4e5"
    rows = [
        replace(row(), shared_with=(dev, org)),
        replace(row(region="us-east-1"), shared_with=(org,)),
    ]
    listed = report.layers_report([*rows, row("other")])
    assert listed.headings[-3:] == ("public", "shared with", "layer version")
    assert [each[-2] for each in listed.rows] == [f"{dev}, {org}", org, ""]
    release = releases(rows)[0]
    assert first_row(report.history_report([release]))["shared with"] == f"{dev} in 1, {org}"
    assert report.release_data(release)["shared_with"] == [dev, org]
    assert "shared with" not in report.history_report([RELEASE]).headings


@pytest.mark.parametrize(("public", "word"), [(True, "yes"), (False, "no")])
def test_public_everywhere_or_nowhere_is_a_word(public: bool, word: str) -> None:  # noqa: FBT001
    rows = [row(public=public), row(region="us-east-1", public=public)]
    assert first_row(report.history_report(releases(rows)))["public"] == word


def test_one_layer_version_has_all_its_attributes() -> None:
    shown = {name: value for name, value in report.row_report(row().data()).rows}  # noqa: C416
    assert set(shown) == set(COLUMNS) == set(row().data())
    assert shown["layer_arn"] == str(row().arn)
    assert shown["compatible_runtimes"] == "nodejs22.x; python3.13"
    assert shown["public"] == "true"


def test_a_release_as_json_names_its_regions_and_layer_versions() -> None:
    data = report.release_data(RELEASE)
    assert set(data) == set(report.RELEASE_COLUMNS)
    assert data["regions"] == ["eu-west-1", "us-east-1"]
    assert data["public_regions"] == ["eu-west-1"]
    assert len(data["layer_arns"]) == 2


def test_csv_has_a_heading_and_a_line_a_row() -> None:
    text = report.as_csv([row().data()], COLUMNS)
    heading, line = cells(text)
    assert heading == list(COLUMNS)
    assert dict(zip(heading, line, strict=True))["compatible_runtimes"] == "nodejs22.x; python3.13"
    assert text.count("\n") == 2
    assert "\r" not in text


def test_csv_of_nothing_is_its_heading() -> None:
    assert cells(report.as_csv([], COLUMNS)) == [list(COLUMNS)]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", " =1", '=HYPERLINK("x")']
)
def test_no_cell_is_a_formula(text: str) -> None:
    assert cells(report.as_csv([{"a": text}], ("a",)))[1] == [f"'{text}"]


def test_a_carriage_return_is_a_space_in_csv() -> None:
    assert report.as_csv([{"a": "x\ry"}, {"a": "\r=1"}], ("a",)) == "a\nx y\n' =1\n"


NO_RETURN = st.text(st.characters(exclude_characters="\r"))


@given(st.lists(st.tuples(NO_RETURN, NO_RETURN), max_size=5))
def test_csv_keeps_every_text(rows: list[tuple[str, str]]) -> None:
    records: list[dict[str, Any]] = [{"a": one, "b": two} for one, two in rows]
    reader = csv.reader(io.StringIO(report.as_csv(records, ("a", "b")), newline=""))
    read = list(reader)[1:]
    assert len(read) == len(rows)
    for line, texts in zip(read, rows, strict=True):
        assert [cell.removeprefix("'") for cell in line] == [
            text.removeprefix("'") for text in texts
        ]
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in line)
