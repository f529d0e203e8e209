from __future__ import annotations

from pipeline.build.failure import error_lines
from pipeline.build.packages import GoPackage, listed_packages

LINES = (
    "go: downloading example.com/a/v2 v2.0.0",
    "internal/cpu\t12\ttrue\t",
    "example.com/a/v2/b\t1\tfalse\texample.com/a/v2\tv2.0.0",
    "example.com/main\t3\ttrue\texample.com/main\t",
)


def test_packages_are_listed_with_their_modules() -> None:
    assert listed_packages((*LINES, "", "\t./main.go:1:\texpected\t'package'")) == (
        GoPackage(path="internal/cpu", files=12, stale=True),
        GoPackage(
            path="example.com/a/v2/b",
            files=1,
            stale=False,
            module="example.com/a/v2",
            version="v2.0.0",
        ),
        GoPackage(path="example.com/main", files=3, stale=True, module="example.com/main"),
    )


def test_listed_packages_are_not_among_the_lines_of_an_error() -> None:
    assert error_lines((*LINES, "main.go:1:1: expected 'package'")) == (
        "main.go:1:1: expected 'package'",
    )
