"""The table of functions, which every Go binary has for stack traces, also a stripped one.

The layout is that of Go 1.20 and later: a header, names of functions (also of inlined ones),
compilation units, names of source files, tables that map addresses to values, functions, and since
Go 1.26 the functions' data for garbage collection and inlining.
https://github.com/golang/go/blob/go1.26.6/src/runtime/symtab.go and runtime2.go (`_func`)
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import sub

from pipeline.errors import UsageError
from pipeline.layer.elf import Elf

SECTION = ".gopclntab"
TEXT = ".text"

_HEADER = struct.Struct("<IxxBB8Q")
_MAGIC = 0xFFFFFFF1
_POINTER = 8
# Fields of `_func`, by index, each of four bytes.
_NAME, _TABLES, _TABLES_END, _MORE_TABLES, _LAST = 1, 4, 7, 7, 10
_FIXED = 11
_NO_DATA = 0xFFFFFFFF
# The last part is an index from address to function: four bytes for each 4096 bytes of code, one
# byte for each 256 (cmd/link/internal/ld/pcln.go, findfunctab).
_INDEX = ((4096, 4), (256, 1))

# An import path, up to the first dot after its last slash. The linker makes `type:.eq.` functions
# for named types and arrays of them; those for unnamed types have no package.
_PACKAGE = re.compile(rb"(?:type:\.\w+\.(?:\[\d+\])*)?((?:[^/\[({ :]++/)*+[^./\[({ :]++)\.")
_ESCAPE = re.compile(r"%([0-9a-f]{2})")


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageBytes:
    """Bytes of the functions of one Go package.

    Attributes:
        code: machine code, with the padding after each function.
        tables: those in the table of functions that only this package uses.
    """

    code: int
    tables: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionTable:
    """A binary's functions.

    Attributes:
        names: of all functions, also inlined ones; package paths are escaped by the linker.
        packages: bytes by import path; the empty path stands for functions of no package.
        shared: bytes in the table of functions that several packages use.
    """

    names: tuple[bytes, ...]
    packages: Mapping[str, PackageBytes]
    shared: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionStarts:
    """Where the functions of a binary begin.

    Attributes:
        offsets: from the start of the code, ascending.
        names: of the functions in the same order, as in `FunctionTable`.
    """

    offsets: array[int]
    names: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Header:
    """The header of the table: the number of functions, and where the parts begin."""

    count: int
    names: int
    units: int
    values: int
    rows: int


@dataclass(kw_only=True, slots=True)
class _Use:
    """The parts of the table that one package uses; the sets are offsets of shareable parts."""

    code: int = 0
    tables: int = 0
    values: set[int] = field(default_factory=set[int])
    data: set[int] = field(default_factory=set[int])


def read_functions(elf: Elf) -> FunctionTable:
    """Read a binary's table of functions.

    Raises:
        UsageError: it has none, or one of a Go older than 1.20.
    """
    with _damage_reported():
        return _read(_table(elf))


def read_starts(elf: Elf) -> FunctionStarts:
    """Read where each function of a binary begins.

    Raises:
        UsageError: see `read_functions`.
    """
    with _damage_reported():
        table = _table(elf)
        header = _header(table)
        rows = numbers(table[header.rows :])
        found = [rows[(rows[row + 1] >> 2) + _NAME] for row in range(0, 2 * header.count, 2)]
        names = bytes(table[header.names : header.units])
        return FunctionStarts(
            offsets=rows[: 2 * header.count : 2],
            names=tuple(names[at : names.index(0, at)] for at in found),
        )


def package_of(name: bytes) -> bytes:
    """Return the import path in a function's name, as the linker escapes it; empty for none."""
    match = _PACKAGE.match(name)
    return match[1] if match else b""


def import_path(escaped: bytes) -> str:
    """Return an import path without the linker's escapes of dots in the last element."""
    text = escaped.decode("utf-8", "replace")
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


@contextmanager
def _damage_reported() -> Generator[None]:
    try:
        yield
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise UsageError(
            "the collector's table of functions cannot be read",
            hint="give a layer whose extensions/collector was linked by Go 1.20 or newer",
        ) from error


def _table(elf: Elf) -> memoryview:
    section = elf.section(SECTION)
    return elf.bytes_of(section) if section else memoryview(b"")


def _header(table: memoryview) -> _Header:
    magic, _, pointer, *figures = _HEADER.unpack_from(table)
    count, _, _, names, units, _, values, rows = (int(each) for each in figures)
    ordered = _HEADER.size <= names <= units <= values <= rows <= len(table)
    if magic != _MAGIC or pointer != _POINTER or not ordered:
        raise ValueError(magic)
    return _Header(count=count, names=names, units=units, values=values, rows=rows)


def _read(table: memoryview) -> FunctionTable:
    header = _header(table)
    names = bytes(table[header.names : header.units]).split(b"\0")
    packages, uses = _names_by_package(names)
    rows = numbers(table[header.rows :])
    end = _count_functions(rows, header.count, packages, uses)
    code = rows[2 * header.count] - rows[0]
    index = sum(-(-code // step) * size for step, size in _INDEX)
    used = list(uses.values())
    values_size = header.rows - header.values
    values_own, values_shared = _own_and_shared([use.values for use in used], values_size)
    data_size = len(table) - header.rows - 4 * end - index
    data_own, data_shared = _own_and_shared([use.data for use in used], data_size)
    found = {
        import_path(package): PackageBytes(code=use.code, tables=use.tables + own + data)
        for (package, use), own, data in zip(uses.items(), values_own, data_own, strict=True)
    }
    return FunctionTable(names=tuple(names), packages=found, shared=values_shared + data_shared)


def _names_by_package(names: list[bytes]) -> tuple[dict[int, bytes], dict[bytes, _Use]]:
    """Return the package of each name by the name's offset; names count as their package's."""
    packages: dict[int, bytes] = {}
    uses: dict[bytes, _Use] = defaultdict(_Use)
    offset = 0
    match = _PACKAGE.match
    for name in names:
        found = match(name)
        packages[offset] = package = found[1] if found else b""
        size = len(name) + 1
        if name:
            uses[package].tables += size
        offset += size
    return packages, uses


def numbers(table: memoryview) -> array[int]:
    """Return a table as unsigned numbers of four bytes."""
    found = array("I", bytes(table[: len(table) // 4 * 4]))
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _count_functions(
    rows: array[int], count: int, packages: dict[int, bytes], uses: dict[bytes, _Use]
) -> int:
    """Add each function to its package's use; return the index after the last function."""
    end = 2 * count + 1
    if end > len(rows):
        raise ValueError(count)
    for row in range(0, 2 * count, 2):
        at = rows[row + 1] >> 2
        tables = at + _FIXED + rows[at + _MORE_TABLES]
        after = tables + (rows[at + _LAST] >> 24)
        size = rows[row + 2] - rows[row]
        if size < 0 or at < end or after > len(rows):  # functions must not overlap
            raise ValueError(row)
        use = uses[packages[rows[at + _NAME]]]
        use.code += size
        use.tables += 8 + 4 * (after - at)
        use.values.update(rows[at + _TABLES : at + _TABLES_END], rows[at + _FIXED : tables])
        use.data.update(rows[tables:after])
        end = after
    return end


def _own_and_shared(sets: list[set[int]], size: int) -> tuple[list[int], int]:
    """Return the bytes that only one set refers to, for each set, and those of several sets.

    Args:
        sets: offsets of items; an item ends where the next begins, and the last is not counted.
        size: of the area that the items are in.
    """
    seen: set[int] = set()
    several: set[int] = set()
    for each in sets:
        several |= seen & each
        seen |= each
    seen.discard(_NO_DATA)
    ordered = sorted(seen)
    if not ordered or ordered[-1] >= size:
        return [0] * len(sets), 0  # before Go 1.26 the functions' data is elsewhere
    lengths = dict(zip(ordered, map(sub, ordered[1:], ordered), strict=False))
    lengths |= {ordered[-1]: 0, _NO_DATA: 0}
    sole = [sum(map(lengths.__getitem__, each - several)) for each in sets]
    return sole, sum(map(lengths.__getitem__, several))
