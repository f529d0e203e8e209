"""ARNs by region and architecture: the table, its Markdown and layers.json are of the same rows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_reader import tables
from registry_examples import PUBLISHED, row

from pipeline.aws.session import lambda_regions, region_names
from pipeline.naming import PARTITIONS, Architecture
from pipeline.notes.layers_file import layers_file
from pipeline.registry.arns import arn_table
from pipeline.registry.history import newest_releases
from pipeline.registry.row import Row
from pipeline.report.arns import REGIONS_SHOWN, arns_markdown, releases_markdown

NAMES = {"eu-west-1": "Europe (Ireland)"}
ARM64 = Architecture.ARM64
ROWS = (
    row(region="us-east-1", version=3),
    row(version=7),
    row(architecture=ARM64, version=5),
)


def days(number: int, **changed: Any) -> Row:  # noqa: ANN401
    """A row published that many days later."""
    return row(published=PUBLISHED + timedelta(days=number), **changed)


def cells(table: str) -> list[list[str]]:
    (found,) = tables(table)
    return found


@given(st.permutations(ROWS))
def test_regions_are_rows_and_architectures_columns_in_any_order(rows: list[Row]) -> None:
    table = arn_table(rows, NAMES)
    assert table.architectures == (Architecture.AMD64, ARM64)
    assert [(each.label, each.arns) for each in table.regions] == [
        ("eu-west-1 · Europe (Ireland)", (str(ROWS[1].arn), str(ROWS[2].arn))),
        ("us-east-1", (str(ROWS[0].arn), "")),
    ]


def test_of_two_rows_of_a_region_the_newer_is_in_the_table() -> None:
    table = arn_table([days(2, version=8), days(1, version=7)], NAMES)
    assert table.regions[0].arns == (str(days(2, version=8).arn),)


def test_every_region_with_lambda_has_a_display_name() -> None:
    names = region_names()
    regions = [region for partition in PARTITIONS for region in lambda_regions(partition)]
    assert len(regions) > 30
    assert [each for each in regions if not names.get(each)] == []
    assert names["eu-west-1"] == "Europe (Ireland)"


def test_the_markdown_has_the_tables_cells() -> None:
    table = arn_table(ROWS, NAMES)
    assert cells(arns_markdown(table)) == [
        ["region", "x86_64", "arm64"],
        *([each.label, *each.arns] for each in table.regions),
    ]


@pytest.mark.parametrize("more", [0, 1])
def test_a_long_table_is_folded(more: int) -> None:
    regions = [f"xx-west-{at}" for at in range(REGIONS_SHOWN + more)]
    markdown = arns_markdown(arn_table([row(region=each) for each in regions], {}))
    assert ("<details>" in markdown) == bool(more)
    assert [each[0] for each in cells(markdown)[1:]] == regions


def test_layers_json_has_a_layer_for_each_cell() -> None:
    shared = [replace(each, shared_with=("org:o-a1b2c3d4e5",)) for each in ROWS]
    document = json.loads(layers_file(shared, NAMES).text())
    table = arn_table(ROWS, NAMES)
    assert [each["arn"] for each in document["layers"]] == [
        arn for region in table.regions for arn in region.arns if arn
    ]
    assert document["layers"][0] == {
        "region": "eu-west-1",
        "region_name": "Europe (Ireland)",
        "architecture": "amd64",
        "arn": str(ROWS[1].arn),
        "public": True,
        "shared_with": ["org:o-a1b2c3d4e5"],
        "sha256": ROWS[1].code_sha256,
    }
    del document["layers"]
    assert document == {
        "version": 1,
        "distribution": "minimal",
        "collector_version": "v0.158.0",
        "release_group": "beta",
        "upstream": {"repository": "owner/name", "commit": ROWS[1].upstream_commit},
    }


def test_the_newest_release_is_of_the_newest_version_and_content_of_each_architecture() -> None:
    old = days(0, collector="v0.157.0", architecture=ARM64, content=b"old")
    earlier = days(1, content=b"earlier", region="us-east-1")
    newest = (days(2, content=b"new"), days(3, content=b"arm", architecture=ARM64))
    prod = days(0, group="prod")
    other = row("other")
    found = newest_releases([old, earlier, *newest, prod, other])
    assert found == (newest, (prod,), (other,))


def test_the_list_has_a_section_for_each_distribution_and_group() -> None:
    rows = (*ROWS, row(group="prod"), row("other"))
    releases = newest_releases(rows)
    markdown = releases_markdown(releases, NAMES)
    assert [line for line in markdown.splitlines() if line.startswith("#")] == [
        "### minimal v0.158.0 (beta)",
        "### minimal v0.158.0 (prod)",
        "### other v0.158.0 (beta)",
    ]
    for each in releases:
        assert arns_markdown(arn_table(each, NAMES)) in markdown


def test_without_layers_the_list_says_so() -> None:
    assert releases_markdown((), NAMES) == "No layers.\n"
