from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.build.apply import unused_tags
from pipeline.build.failure import error_lines
from pipeline.build.packages import GoPackage, listed_packages

LINES = (
    "go: downloading example.com/a/v2 v2.0.0",
    "internal/cpu\t12\ttrue\t/go/cpu\t",
    "example.com/a/v2/b\t1\tfalse\t/modules/a b/b\texample.com/a/v2\tv2.0.0",
    "example.com/main\t3\ttrue\t/main\texample.com/main\t",
)


def test_packages_are_listed_with_their_modules() -> None:
    assert listed_packages((*LINES, "", "\t./main.go:1:\texpected\t'package'")) == (
        GoPackage(path="internal/cpu", files=12, stale=True, folder="/go/cpu"),
        GoPackage(
            path="example.com/a/v2/b",
            files=1,
            stale=False,
            folder="/modules/a b/b",
            module="example.com/a/v2",
            version="v2.0.0",
        ),
        GoPackage(
            path="example.com/main",
            files=3,
            stale=True,
            folder="/main",
            module="example.com/main",
        ),
    )


def test_listed_packages_are_not_among_the_lines_of_an_error() -> None:
    assert error_lines((*LINES, "main.go:1:1: expected 'package'")) == (
        "main.go:1:1: expected 'package'",
    )


def package(folder: Path, *sources: str) -> GoPackage:
    """A package of these Go files."""
    folder.mkdir()
    for number, source in enumerate(sources):
        (folder / f"file{number}.go").write_text(source)
    return GoPackage(path=folder.name, files=1, stale=True, folder=str(folder))


@pytest.mark.parametrize(
    "source",
    [
        "//go:build quiet\n\npackage a\n",
        "// A licence.\n\n//go:build linux && !(quiet || other.tag)\n\n// Package a.\npackage a\n",
    ],
)
def test_a_build_tag_of_a_constraint_is_used(tmp_path: Path, source: str) -> None:
    packages = (package(tmp_path / "a", "package a\n", source), package(tmp_path / "b"))
    assert unused_tags(packages, ["quiet", "gone"]) == ("gone",)


@pytest.mark.parametrize(
    "source",
    [
        "//go:build quieter || un.quiet\n\npackage a\n",
        "// quiet\n\npackage a\n\nvar quiet = 1\n",
        "package a\n\nvar text = `\n//go:build quiet\n`\n",
        "",
    ],
)
def test_a_build_tag_elsewhere_is_not_used(tmp_path: Path, source: str) -> None:
    assert unused_tags((package(tmp_path / "a", source),), ["quiet"]) == ("quiet",)
