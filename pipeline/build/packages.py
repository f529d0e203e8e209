"""The packages of a build, as `go list` gives them: their modules, and which are to be compiled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# The format of `go list` for a line a package; a module counts by the code that is compiled.
LIST_FORMAT = (
    "{{.ImportPath}}\t{{len .GoFiles}}\t{{.Stale}}\t"
    "{{with .Module}}{{with or .Replace .}}{{.Path}}\t{{.Version}}{{end}}{{end}}"
)
_FIELDS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class GoPackage:
    """A package of a build.

    Attributes:
        path: its import path.
        files: number of its Go files.
        stale: True if Go's build cache does not have it.
        module: path of its module; empty for the standard library.
        version: of its module; empty for a module in a folder, such as upstream's own.
    """

    path: str
    files: int
    stale: bool
    module: str = ""
    version: str = ""


Packages = tuple[GoPackage, ...]


def listed_packages(lines: Iterable[str]) -> Packages:
    """Return the packages that `go list` printed with `LIST_FORMAT`, among other lines."""
    rows = [(*line.split("\t"), "")[:_FIELDS] for line in lines if line.count("\t") >= _FIELDS - 2]
    return tuple(
        GoPackage(path=path, files=int(files), stale=stale == "true", module=of, version=version)
        for path, files, stale, of, version in rows
        if files.isdigit()
    )
