"""Which files Go compiles, by ocelot's rules and by `go list` itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import go

from pipeline.build.gofiles import uncompiled_files
from pipeline.files import write_tree
from pipeline.naming import Architecture

MODULE = "example.com/main"
GO_MOD = f"""\
module {MODULE}

go 1.25.0

require example.com/nested v0.0.0

replace example.com/nested => ./nested
"""
MAIN = f"""\
package main

import (
	"{MODULE}/a" // a note
	_ "example.com/nested/b"
	. "fmt"
)

// import "{MODULE}/commented"

const text = `
import "{MODULE}/quoted"
`

func main() {{ Println(a.A, text) }}
"""
A = """\
/* a comment
import "example.com/main/commented"
*/

// Package a embeds files.
package a

import _ "embed"

//go:embed one.txt "some/*.txt" all:every
var A string

//go:embed folder
var _ string
"""
CONSTRAINTS = (
    *("linux", "!linux", "windows || unix", "cgo", "!cgo", "go1.20 && amd64", "go1.999", "gc"),
    *("amd64", "arm64", "chosen", "!chosen", "chosen && !(linux && arm64)", "(chosen || x) && y"),
    *("goexperiment.none", "amd64.v1", "amd64.v3", "arm64.v8.0", "ignore"),
)
NAMES = (
    *("x_linux", "x_windows", "x_amd64", "x_linux_arm64", "x_windows_amd64", "linux", "x_test"),
    *("x_linux_test", "_x", ".x", "x_y_z", "x_linux.amd64", "x_unix", "x_s390x", "amd64", "x__386"),
)


def constrained(expression: str, end: str = "\n") -> bytes:
    """A Go file with a build constraint."""
    return end.join((f"//go:build {expression}", "", "package a", "")).encode()


TREE: dict[str, bytes] = {
    "go.mod": GO_MOD.encode(),
    "main.go": MAIN.encode(),
    "a/a.go": A.encode(),
    **{f"a/constraint{at}.go": constrained(each) for at, each in enumerate(CONSTRAINTS)},
    **{f"a/crlf{at}.go": constrained(each, "\r\n") for at, each in enumerate(CONSTRAINTS)},
    **{f"a/{each}.go": b"package a\n" for each in NAMES},
    "a/old.go": b"// +build linux,!arm64 windows\n// +build chosen\n\npackage a\n",
    "a/old_not.go": b"// +build windows darwin\n\npackage a\n",
    "a/late.go": b"package a\n\n//go:build windows\n",
    "a/behind.go": b"/* first */\n//go:build windows\n\npackage a\n",
    "a/cgo.go": b'package a\n\n// #include <stdio.h>\nimport "C"\n',
    "a/no_cgo.go": b'package a\n\nvar C = []string{\n\t"C",\n}\n',
    "a/documented.go": b"package documentation\n",
    "a/notes.txt": b"",
    "a/code.s": b"",
    "a/code_windows.s": b"",
    "a/one.txt": b"",
    "a/some/one.txt": b"",
    "a/some/deep/one.txt": b"",
    "a/folder/one.txt": b"",
    "a/folder/deep/_two.txt": b"",
    "a/folder/.hidden/three.txt": b"",
    "a/every/.hidden/four.txt": b"",
    "commented/c.go": b"package commented\n",
    "quoted/c.go": b"package quoted\n",
    "nested/go.mod": b"module example.com/nested\n\ngo 1.25.0\n",
    "nested/b/b.go": f'package b\n\nimport _ "{MODULE}/c"\n'.encode(),
    "nested/other.go": b"package nested\n",
    "c/c.go": b"package c\n",
    "c/only_tests_test.go": f'package c\n\nimport _ "{MODULE}/commented"\n'.encode(),
}  # fmt: skip


def compiled(folder: Path, architecture: str) -> set[str]:
    """The files that Go compiles or embeds."""
    lists = ("GoFiles", "SFiles", "EmbedFiles")
    out = go(
        *("list", "-deps", "-tags", "chosen", "-json=Dir,Standard," + ",".join(lists), "."),
        cwd=folder,
        GOARCH=architecture,
        GOOS="linux",
        GOPROXY="off",
    )
    found: set[str] = set()
    decoder, at = json.JSONDecoder(), 0
    while at < len(out.rstrip()):
        package, at = decoder.raw_decode(out, at)
        at += 1
        if not package.get("Standard"):
            base = Path(package["Dir"])
            found |= {
                (base / name).relative_to(folder).as_posix()
                for each in lists
                for name in package.get(each, ())
            }
    return found


@pytest.mark.parametrize("architecture", list(Architecture))
def test_the_files_that_go_does_not_compile_are_known_without_go(
    tmp_path: Path, architecture: Architecture
) -> None:
    write_tree(tmp_path, TREE)
    sources = {name for name in TREE if not name.endswith("go.mod")}
    reasons = uncompiled_files(TREE, sources, {"chosen"}, [architecture])
    assert sources - set(reasons) == compiled(tmp_path, architecture)
    assert all(reasons.values())
    assert len(reasons) > len(CONSTRAINTS)
