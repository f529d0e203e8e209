from __future__ import annotations

from pathlib import Path

import pytest
from unit_examples import BATCH, MINE, OTLP, component_file, loaded, upstream_tree

from pipeline.build.catalog import component_rows, default_tags, offered_tags

DEFAULT_FILE = "lambdacomponents/default.go"


def default_file(*packages: str) -> bytes:
    lines = "".join(f'\t"{package}"\n' for package in packages)
    return (
        "//go:build !lambdacomponents.custom\n\npackage lambdacomponents\n\n"
        f'import (\n{lines}\t"go.opentelemetry.io/collector/exporter"\n)\n'
    ).encode()


def test_the_tags_of_component_files_are_offered_and_none_for_many() -> None:
    assert offered_tags(upstream_tree()) == {OTLP, BATCH}


@pytest.mark.parametrize("name", ["allsorts", "all_sorts"])
def test_a_component_whose_name_begins_with_all_is_offered(name: str) -> None:
    tag = f"lambdacomponents.exporter.{name}"
    assert offered_tags(upstream_tree([tag])) == {tag}


@pytest.mark.parametrize(
    "path",
    [
        "lambdacomponents/exporter/otlp_test.go",
        "lambdacomponents/exporter/otlp.txt",
        "lambdacomponents/exporter/deep/otlp.go",
        "lambdacomponents/otlp.go",
        "lambdacomponents/exporters/otlp.go",
        "other/lambdacomponents/exporter/otlp.go",
    ],
)
def test_a_file_in_another_place_offers_nothing(path: str) -> None:
    assert offered_tags({path: component_file(OTLP)}) == frozenset()


@pytest.mark.parametrize(
    ("content", "tags"),
    [
        (f"package exporter\n\n// see {OTLP}\n".encode(), set[str]()),
        (f"//go:build {OTLP} || {OTLP}http\n".encode(), {OTLP, f"{OTLP}http"}),
        (component_file(OTLP) + b"// \xff\n", {OTLP}),
    ],
    ids=["a comment", "two tags", "not UTF-8"],
)
def test_a_file_offers_the_tags_of_its_build_constraint(content: bytes, tags: set[str]) -> None:
    assert offered_tags({"lambdacomponents/exporter/a.go": content}) == tags


def test_the_default_set_is_what_its_file_imports() -> None:
    tree = upstream_tree()
    assert default_tags(tree) == frozenset()
    tree[DEFAULT_FILE] = default_file("go.opentelemetry.io/collector/exporter/otlpexporter")
    assert default_tags(tree) == {OTLP}


def test_a_component_that_imports_no_package_of_its_own_is_not_taken_for_a_default() -> None:
    alone = component_file(OTLP, package="go.opentelemetry.io/collector/component")
    assert default_tags({"lambdacomponents/exporter/otlp.go": alone}) == frozenset()


def test_a_row_tells_kind_name_and_origin(tmp_path: Path) -> None:
    config = loaded(tmp_path, components=f"{MINE}: example.com/mine\n")
    rows = component_rows(config, upstream_tree())
    assert [(row.kind, row.name, row.origin) for row in rows] == [
        ("connector", "mine", "custom"),
        ("exporter", "otlp", "upstream"),
        ("processor", "batch", "upstream"),
    ]


def test_a_custom_component_that_upstream_has_by_now_is_upstreams(tmp_path: Path) -> None:
    config = loaded(tmp_path, components=f"{OTLP}: example.com/mine\n")
    assert [row.origin for row in component_rows(config, upstream_tree([OTLP]))] == ["upstream"]


def test_a_row_names_the_distributions_that_hold_the_component(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        f"""\
        default: {{}}
        full: {{buildtags: [lambdacomponents.all]}}
        exporters: {{buildtags: [lambdacomponents.exporter.all]}}
        one: {{buildtags: [{OTLP}]}}
        child: {{base: one, buildtags: [{BATCH}]}}
        """,
    )
    tree = upstream_tree()
    tree[DEFAULT_FILE] = default_file("go.opentelemetry.io/collector/processor/batchprocessor")
    assert {row.tag: row.distributions for row in component_rows(config, tree)} == {
        OTLP: ("full", "exporters", "one", "child"),
        BATCH: ("default", "full", "child"),
    }
