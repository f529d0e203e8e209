"""The packages of a build, as `go list` gives them: their modules, and which are to be compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# The format of `go list` for a line a package; a module counts by the code that is compiled.
LIST_FORMAT = (
    "{{.ImportPath}}\t{{len .GoFiles}}\t{{.Stale}}\t{{.Dir}}\t"
    "{{with .Module}}{{with or .Replace .}}{{.Path}}\t{{.Version}}{{end}}{{end}}"
)
_FIELDS = 6
# Of a line a package: its path, the path of its module, the packages that it imports.
IMPORTS_FORMAT = '{{.ImportPath}}\t{{with .Module}}{{.Path}}{{end}}\t{{join .Imports " "}}'
_IMPORTS_TABS = 2


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Imports:
    """The imports among the packages of a build.

    Attributes:
        main: path of the main package.
        modules: the module of each package that is in one.
        imported: the packages that each package imports.
    """

    main: str
    modules: Mapping[str, str]
    imported: Mapping[str, Sequence[str]]

    def chain(self, package: str) -> tuple[str, ...]:
        """Return a shortest chain of imports from the main package to a package, with both.

        It is empty where there is none.
        """
        found: dict[str, str] = {self.main: ""}
        for each in (queue := [self.main]):
            for imported in self.imported.get(each, ()):
                if imported not in found:
                    found[imported] = each
                    queue.append(imported)
        chain = [package] if package in found else []
        while chain and (above := found[chain[-1]]):
            chain.append(above)
        return tuple(reversed(chain))


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


def listed_imports(lines: Iterable[str]) -> Imports:
    """Return the imports that `go list -deps` printed with `IMPORTS_FORMAT`, main package last."""
    rows = [line.split("\t") for line in lines if line.count("\t") == _IMPORTS_TABS]
    return Imports(
        main=rows[-1][0] if rows else "",
        modules={path: module for path, module, _ in rows if module},
        imported={path: imported.split() for path, _, imported in rows},
    )
