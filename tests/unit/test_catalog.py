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


def test_the_tags_of_component_files_are_offered() -> None:
    assert offered_tags(upstream_tree()) == {OTLP, BATCH}


def test_tags_for_many_are_not_components() -> None:
    assert not [tag for tag in offered_tags(upstream_tree()) if tag.endswith(".all")]


def test_a_component_whose_name_begins_with_all_is_offered() -> None:
    tag = "lambdacomponents.exporter.allsorts"
    assert offered_tags(upstream_tree([tag])) == {tag}


def test_a_name_with_all_and_an_underscore_is_offered() -> None:
    tag = "lambdacomponents.exporter.all_sorts"
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


def test_a_tag_outside_the_build_constraint_offers_nothing() -> None:
    content = f"package exporter\n\n// see {OTLP}\n".encode()
    assert offered_tags({"lambdacomponents/exporter/otlp.go": content}) == frozenset()


def test_a_file_of_two_tags_offers_both() -> None:
    content = f"//go:build {OTLP} || lambdacomponents.exporter.otlphttp\n".encode()
    assert offered_tags({"lambdacomponents/exporter/both.go": content}) == {
        OTLP,
        "lambdacomponents.exporter.otlphttp",
    }


def test_a_file_that_is_not_utf8_still_offers_its_tag() -> None:
    content = component_file(OTLP) + b"// \xff\n"
    assert offered_tags({"lambdacomponents/exporter/otlp.go": content}) == {OTLP}


def test_the_default_set_is_what_its_file_imports() -> None:
    tree = upstream_tree()
    tree[DEFAULT_FILE] = default_file("go.opentelemetry.io/collector/exporter/otlpexporter")
    assert default_tags(tree) == {OTLP}


def test_without_a_default_file_nothing_is_in_the_default_set() -> None:
    assert default_tags(upstream_tree()) == frozenset()


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
