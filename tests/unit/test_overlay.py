from __future__ import annotations

import os
from pathlib import Path

import pytest
from unit_examples import MINE, OTLP, component_file, loaded, planned, source, upstream_tree

from pipeline.build.overlay import read_config_file, read_config_files
from pipeline.build.plan import BuildPlan
from pipeline.errors import ConfigError, UsageError
from pipeline.files import text_with_lf, write_tree
from pipeline.naming import Architecture

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\nb\n"),
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"a\r\nb\n", b"a\nb\n"),
        (b"a\r\n\x1a", b"a\n\x1a"),
        (b"\xe4\r\n", b"\xe4\n"),
        (b"a\r\r\n", b"a\r\r\n"),
        (b"\x01\r\n", b"\x01\r\n"),
        (PNG, PNG),
    ],
)
def test_text_has_lf_and_other_content_is_untouched(content: bytes, expected: bytes) -> None:
    assert text_with_lf(content) == expected


def test_the_files_of_a_folder_are_read_alike_from_every_checkout(tmp_path: Path) -> None:
    tree = {"b.go": b"package b\r\n", "a/c.png": PNG, "a/.hidden": b""}
    junk = {"a/.DS_Store": b"1", "Thumbs.db": b"2"}
    write_tree(tmp_path, {**tree, **junk})
    (tmp_path / "link.go").symlink_to("b.go")
    found = read_config_files(tmp_path)
    assert found.left_out == ()
    assert found.files == {
        "a/.hidden": b"",
        "a/c.png": PNG,
        "b.go": b"package b\n",
        "link.go": b"package b\n",
    }
    assert list(found.files) == sorted(found.files)
    assert read_config_files(tmp_path / "none").files == {}


def test_what_no_build_can_have_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "overlay"
    write_tree(folder, {"a/b.go": b"package b\n"})
    (folder / "gone.go").symlink_to("nowhere.go")
    (folder / "c").symlink_to("a")
    os.mkfifo(folder / "pipe.go")
    (folder / "back\\slash.go").touch()
    found = read_config_files(folder)
    assert list(found.files) == ["a/b.go"]
    assert [each.partition(" (")[0] for each in found.left_out] == [
        *("overlay/back\\slash.go", "overlay/c", "overlay/gone.go", "overlay/pipe.go"),
    ]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    folder = tmp_path / "overlay"
    folder.mkdir()
    (folder / "a.go").symlink_to("../secret")
    with pytest.raises(ConfigError) as caught:
        read_config_files(folder)
    assert caught.value.problems[0].file.endswith("overlay/a.go")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml"):
        read_config_file(tmp_path / "none.yaml")


MAIN = b"""package main

import _ "github.com/open-telemetry/opentelemetry-lambda/collector/lambdacomponents/exporter"
"""
CONNECTOR = "lambdacomponents/connector/mine.go"


def planned_with(
    folder: Path, overlay: dict[str, bytes], *architectures: Architecture, own: bytes | None = None
) -> BuildPlan:
    """A plan of upstream whose program imports its exporters, with an overlay."""
    tree = {**upstream_tree(), "main.go": MAIN}
    return planned(
        loaded(folder),
        source(tree),
        overlay=overlay,
        config_file=own,
        architectures=architectures or tuple(Architecture),
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ours.go", b"package main\n"),
        ("ours_arm64.go", b"package main\n"),
        ("config-ours.yaml", b"receivers: {}\n"),
        ("go.mod", upstream_tree()["go.mod"]),
        ("README.md", b"# notes\n"),
        ("lambdacomponents/exporter/ours.go", component_file(OTLP)),
    ],
)
def test_overlay_files_that_are_in_the_layer_need_no_note(
    tmp_path: Path, name: str, content: bytes
) -> None:
    assert planned_with(tmp_path, {name: content}).notes == ()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("ours.go", b'package main\n\nimport "C"\n', '"C"'),
        ("ours.go", b"//go:build windows || x\n\npackage main\n", "windows || x"),
        ("ours_windows.go", b"package main\n", "windows"),
        ("ours_arm64.go", b"package main\n", "arm64"),
        ("ours_test.go", b"package main\n", "test"),
        ("_ours.go", b"package main\n", "begins with _"),
        (".ours.go", b"package main\n", "begins with ."),
        ("ours.txt", b"", "embeds it"),
        ("go.work", b"go 1.26\n", "workspace"),
        ("internal/ours/ours.go", b"package ours\n", "imports its folder"),
        (CONNECTOR, component_file(MINE), MINE),
    ],
)
def test_an_overlay_file_that_is_not_compiled_is_named_with_the_reason(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    (note,) = planned_with(tmp_path, {name: content}, Architecture.AMD64).notes
    assert f"overlay/{name} (" in note
    assert why in note


def test_a_config_of_the_overlay_that_the_distribution_replaces_is_named(tmp_path: Path) -> None:
    (note,) = planned_with(tmp_path, {"config.yaml": b"a: {}\n"}, own=b"b: {}\n").notes
    assert "overlay/config.yaml" in note
