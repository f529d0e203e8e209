"""Reports of a layer's contents: a summary, files, components, modules, sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.layer.inspection import Inspection
from pipeline.layer.limits import megabytes
from pipeline.layer.sizes import BinarySizes
from pipeline.layer.unused_methods import UnusedMethods
from pipeline.options import InspectOptions
from pipeline.report.rendering import Report, data

# The contents of the sections of a Go binary.
_SECTIONS = {
    ".rodata": "constants and types",
    ".data": "variables",
    ".noptrdata": "variables without pointers",
    ".typelink": "index of types",
    ".itablink": "index of interfaces",
    ".go.buildinfo": "versions of modules",
}
_FIGURES = ("bytes", "code", "tables", "share")


def inspection_reports(found: Inspection, options: InspectOptions) -> Iterator[Report]:
    """Return a layer's tables in the order in which they are shown."""
    yield Report(rows=list(_summary(found)))
    files = [
        (each.name, f"{each.mode:04o}", f"{len(each.content):,}") for each in found.layer.entries
    ]
    yield _table("files", ("file", "mode", "bytes"), files)
    components = [
        (
            *(each.kind, each.name),
            *(f"{each.module}@{each.version}" if each.version else each.module, f"{each.size:,}"),
        )
        for each in found.components
    ]
    yield _table("components", ("kind", "name", "module", "bytes"), components)
    if options.modules:
        modules = [
            (each.path, each.version, str(each.replaced_by or "")) for each in found.info.modules
        ]
        yield _table("modules", ("module", "version", "replaced by"), modules)
    if options.sizes:
        yield _size_table(found.sizes, options.top)


def _table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], footer: Sequence[str] = ()
) -> Report:
    return Report(
        title=title,
        headings=headings,
        rows=rows,
        footer=footer,
        right=_FIGURES,
        whole=_FIGURES,
    )


def _summary(found: Inspection) -> Iterator[tuple[str, str]]:
    layer, info = found.layer, found.info
    compiled = [f"{name}={value}" for name, value in info.settings if name != "-tags"]
    yield "layer", layer.file
    yield "sha256", layer.sha256
    yield "size", f"{megabytes(layer.size)}, {megabytes(layer.unzipped_size)} unzipped"
    yield "architecture", found.architecture or "unknown"
    yield "collector", info.collector_version or "unknown"
    yield "Go", info.go_version
    yield "main module", str(info.main)
    yield "modules", str(len(info.modules))
    yield "build tags", info.setting("-tags").replace(",", " ")
    yield "compiled with", " ".join(compiled)
    yield "unused methods", unused_methods_text(found.unused_methods)


def unused_methods_text(unused: UnusedMethods) -> str:
    """Return a sentence on what became of a binary's unused methods."""
    if unused.dropped:
        return "dropped by the linker"
    functions = ", ".join(unused.kept_for) or "a function that the binary does not show"
    calls = "call" if len(unused.kept_for) > 1 else "calls"
    return (
        f"all kept: {functions} {calls} methods by a name known only at run time "
        "(ocelot build --explain-size shows what needs them)"
    )


class _SizeRow(NamedTuple):
    """A row of the table of sizes."""

    name: str
    version: str = ""
    code: int = 0
    tables: int = 0
    other: int = 0

    @property
    def size(self) -> int:
        return self.code + self.tables + self.other


def _size_table(sizes: BinarySizes, top: int) -> Report:
    """Return modules and sections, the largest first; they add up to the binary's size."""
    modules = (
        _SizeRow(each.module, each.version, each.code, each.tables) for each in sizes.modules
    )
    sections = (_SizeRow(_section(each.name), other=each.size) for each in sizes.rest)
    rows = sorted((*modules, *sections), key=lambda row: (-row.size, row.name))
    shown = rows[: top or None]
    if more := rows[len(shown) :]:
        sums = (sum(column) for column in list(zip(*more, strict=True))[2:])
        shown.append(_SizeRow(f"{len(more)} more", "", *sums))
    cells = [
        (
            *(row.name, row.version),
            *(f"{each:,}" if each else "" for each in (row.code, row.tables, row.size)),
            f"{row.size / sizes.size:.1%}",
        )
        for row in shown
    ]
    headings = ("module or section", "version", "code", "tables", "bytes", "share")
    return _table("sizes", headings, cells, ("the binary", "", "", "", f"{sizes.size:,}", ""))


def _section(name: str) -> str:
    contents = _SECTIONS.get(name, "")
    return f"{name}: {contents}" if contents else name


def inspection_data(found: Inspection, options: InspectOptions) -> dict[str, Any]:
    """Return a layer's contents as values for JSON, with all rows of the sizes."""
    layer, info = found.layer, found.info
    values: dict[str, Any] = {
        "file": layer.file,
        "sha256": layer.sha256,
        "size": layer.size,
        "unzipped_size": layer.unzipped_size,
        "architecture": found.architecture,
        "collector_version": info.collector_version,
        "go_version": info.go_version,
        "path": info.path,
        "main": info.main,
        "settings": dict(info.settings),
        "files": [
            {"name": each.name, "mode": f"{each.mode:04o}", "size": len(each.content)}
            for each in layer.entries
        ],
        "components": found.components,
        "unused_methods": found.unused_methods,
        "module_count": len(info.modules),
    }
    if options.modules:
        values["modules"] = info.modules
    if options.sizes:
        sizes = found.sizes
        values["sizes"] = {
            "size": sizes.size,
            "modules": [{**data(each), "size": each.size} for each in sizes.modules],
            "packages": [{**data(each), "size": each.size} for each in sizes.packages],
            "rest": sizes.rest,
        }
    return values
