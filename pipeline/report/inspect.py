"""What is inside a layer, as tables for people and as JSON for programs.

A zip may come from anywhere: texts out of it are shown as they are, never as markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from pipeline.build.limits import megabytes
from pipeline.supply.inspection import Inspection, inspect_layer
from pipeline.supply.layerfile import open_layer
from pipeline.supply.sizes import Ledger

# What the sections of a Go binary hold, for people.
_MEANINGS = {
    ".rodata": "constants and types",
    ".data": "variables",
    ".noptrdata": "variables without pointers",
    ".typelink": "index of types",
    ".itablink": "index of interfaces",
    ".go.buildinfo": "versions of modules",
}
_RIGHT = frozenset({"bytes", "code", "tables", "share"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is asked for besides the summary.

    Attributes:
        modules: the list of modules.
        sizes: the size ledger.
        top: rows of the ledger that are shown, the largest; 0 for all.
    """

    modules: bool = False
    sizes: bool = False
    top: int = 20


def inspection_tables(found: Inspection, wanted: Wanted) -> Iterator[Table]:
    """A layer's tables in the order in which they are shown."""
    yield _summary(found)
    yield _files(found)
    yield _components(found)
    if wanted.modules:
        yield _modules(found)
    if wanted.sizes:
        yield _ledger(found.ledger, wanted.top)


def inspection_data(found: Inspection, wanted: Wanted) -> dict[str, Any]:
    """The same as values for JSON; the ledger is always whole."""
    layer, info = found.layer, found.info
    data: dict[str, Any] = {
        "file": layer.file,
        "sha256": layer.sha256,
        "size": layer.size,
        "unzipped_size": layer.unzipped_size,
        "architecture": found.architecture,
        "collector_version": info.collector_version,
        "go_version": info.go_version,
        "path": info.path,
        "main": asdict(info.main),
        "settings": dict(info.settings),
        "files": [
            {"name": each.name, "mode": f"{each.mode:04o}", "size": len(each.content)}
            for each in layer.entries
        ],
        "components": [asdict(each) for each in found.components],
        "module_count": len(info.modules),
    }
    if wanted.modules:
        data["modules"] = [asdict(each) for each in info.modules]
    if wanted.sizes:
        data["sizes"] = _ledger_data(found.ledger)
    return data


def _ledger_data(ledger: Ledger) -> dict[str, Any]:
    return {
        "size": ledger.size,
        "modules": [{**asdict(each), "size": each.size} for each in ledger.modules],
        "packages": [{**asdict(each), "size": each.size} for each in ledger.packages],
        "rest": [asdict(each) for each in ledger.rest],
    }


def _summary(found: Inspection) -> Table:
    layer, info = found.layer, found.info
    sizes = f"{megabytes(layer.size)}, {megabytes(layer.unzipped_size)} unzipped"
    compiled = [f"{name}={value}" for name, value in info.settings if name != "-tags"]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (
        ("layer", layer.file),
        ("sha256", layer.sha256),
        ("size", sizes),
        ("architecture", found.architecture or "unknown"),
        ("collector", info.collector_version or "unknown"),
        ("Go", info.go_version),
        ("main module", str(info.main)),
        ("modules", str(len(info.modules))),
        ("build tags", info.setting("-tags").replace(",", " ")),
        ("compiled with", " ".join(compiled)),
    ):
        table.add_row(name, _plain(value))
    return table


def _files(found: Inspection) -> Table:
    table = _table("files", ("file", "mode", "bytes"))
    for each in found.layer.entries:
        table.add_row(_plain(each.name), f"{each.mode:04o}", f"{len(each.content):,}")
    return table


def _components(found: Inspection) -> Table:
    table = _table("components", ("kind", "name", "module", "bytes"))
    for each in found.components:
        module = f"{each.module}@{each.version}" if each.version else each.module
        table.add_row(each.kind, _plain(each.name), _plain(module), f"{each.size:,}")
    return table


def _modules(found: Inspection) -> Table:
    table = _table("modules", ("module", "version", "replaced by"))
    for each in found.info.modules:
        by = str(each.replaced_by) if each.replaced_by else ""
        table.add_row(_plain(each.path), _plain(each.version), _plain(by))
    return table


def _ledger(ledger: Ledger, top: int) -> Table:
    """Modules and sections, the largest first; they add up to the binary's size."""
    modules = (_Row(each.module, each.version, each.code, each.tables) for each in ledger.modules)
    sections = (_Row(_section(each.name), other=each.size) for each in ledger.rest)
    rows = sorted((*modules, *sections), key=lambda row: (-row.size, row.name))
    shown = rows[: top or None]
    if more := rows[len(shown) :]:
        shown.append(_all_in_one(more))
    table = _table("sizes", ("module or section", "version", "code", "tables", "bytes", "share"))
    table.show_footer = True
    for row in shown:
        figures = (f"{each:,}" if each else "" for each in (row.code, row.tables, row.size))
        table.add_row(
            _plain(row.name), _plain(row.version), *figures, f"{row.size / ledger.size:.1%}"
        )
    table.columns[0].footer = "the binary"
    table.columns[4].footer = f"{ledger.size:,}"
    return table


class _Row(NamedTuple):
    """A row of the ledger as it is shown."""

    name: str
    version: str = ""
    code: int = 0
    tables: int = 0
    other: int = 0

    @property
    def size(self) -> int:
        return self.code + self.tables + self.other


def _all_in_one(rows: Sequence[_Row]) -> _Row:
    return _Row(
        name=f"{len(rows)} more",
        code=sum(row.code for row in rows),
        tables=sum(row.tables for row in rows),
        other=sum(row.other for row in rows),
    )


def _section(name: str) -> str:
    meaning = _MEANINGS.get(name, "")
    return f"{name}: {meaning}" if meaning else name


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        right = heading in _RIGHT
        table.add_column(
            heading, justify="right" if right else "left", no_wrap=right, overflow="fold"
        )
    return table


def _plain(text: str) -> Text:
    """A text out of a zip: not as markup, and without what steers a terminal."""
    return Text(text if text.isprintable() else repr(text))


def inspection_json(path: Path) -> str:
    """All there is to tell of a layer's zip, as JSON.

    Raises:
        UsageError: it is no layer.
    """
    found = inspect_layer(open_layer(path.read_bytes(), file=path.name))
    return json.dumps(inspection_data(found, Wanted(modules=True, sizes=True)), indent=2) + "\n"
