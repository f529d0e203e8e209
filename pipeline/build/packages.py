"""The packages of a build, as `go list` gives them: modules, what is to be compiled, build tags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# The format of `go list` for a line a package; a module counts by the code that is compiled.
LIST_FORMAT = (
    "{{.ImportPath}}\t{{len .GoFiles}}\t{{.Stale}}\t{{.Dir}}\t"
    "{{with .Module}}{{with or .Replace .}}{{.Path}}\t{{.Version}}{{end}}{{end}}"
)
_FIELDS = 6

# A build constraint stands before the package clause.
# https://pkg.go.dev/cmd/go#hdr-Build_constraints
_CLAUSE = re.compile(rb"^package\s", re.MULTILINE)
_CONSTRAINT = re.compile(rb"^//go:build\s(.*)$", re.MULTILINE)
_TAG = re.compile(rb"[\w.]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class GoPackage:
    """A package of a build.

    Attributes:
        path: its import path.
        files: number of its Go files.
        stale: True if Go's build cache does not have it.
        folder: the folder of its files.
        module: path of its module; empty for the standard library.
        version: of its module; empty for a module in a folder, such as upstream's own.
    """

    path: str
    files: int
    stale: bool
    folder: str = ""
    module: str = ""
    version: str = ""


Packages = tuple[GoPackage, ...]


def listed_packages(lines: Iterable[str]) -> Packages:
    """Return the packages that `go list` printed with `LIST_FORMAT`, among other lines."""
    rows = [(*line.split("\t"), "")[:_FIELDS] for line in lines if line.count("\t") >= _FIELDS - 2]
    return tuple(
        GoPackage(
            path=path,
            files=int(files),
            stale=stale == "true",
            folder=folder,
            module=of,
            version=version,
        )
        for path, files, stale, folder, of, version in rows
        if files.isdigit()
    )


def unused_tags(packages: Packages, tags: Iterable[str]) -> tuple[str, ...]:
    """Return the build tags that no Go file of these packages names in its build constraint.

    A file that its constraint leaves out counts, too.
    """
    unused = set(tags)
    # the standard library, which comes first, has few tags
    for path in (path for each in reversed(packages) for path in Path(each.folder).glob("*.go")):
        if not unused:
            break
        content = path.read_bytes()
        clause = _CLAUSE.search(content)
        for constraint in _CONSTRAINT.finditer(content, 0, clause.start() if clause else 0):
            unused -= {each.decode() for each in _TAG.findall(constraint[1])}
    return tuple(sorted(unused))
