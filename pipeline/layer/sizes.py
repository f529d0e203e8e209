"""The size ledger: which Go module takes which bytes of the binary, to the last byte.

Machine code and the tables of functions are attributed, about four fifths of a collector; both are
known exactly from the table of functions, which no strip removes. Constants, types and variables
bear no names in a stripped binary: they are told as the sections they are, not guessed at. Code
that the compiler makes of a generic or inlined function counts to the package it is compiled into
or written in, as the linker named it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.layer import functions
from pipeline.layer.buildinfo import BuildInfo, Module
from pipeline.layer.elf import Elf
from pipeline.layer.functions import FunctionTable

STANDARD_LIBRARY = "standard library"
NO_MODULE = "of no listed module"


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageSize:
    """Bytes of one package.

    Attributes:
        module: path of its module, `STANDARD_LIBRARY` or `NO_MODULE`.
        code: machine code.
        tables: its part of the table of functions.
    """

    package: str
    module: str
    code: int
    tables: int

    @property
    def size(self) -> int:
        """Both together."""
        return self.code + self.tables


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleSize:
    """Bytes of one module: of all its packages in the binary."""

    module: str
    version: str
    code: int
    tables: int

    @property
    def size(self) -> int:
        """Both together."""
        return self.code + self.tables


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherBytes:
    """Bytes of no module in particular."""

    name: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BinarySizes:
    """A binary's bytes. The modules and the rest together are its size.

    Attributes:
        size: bytes of the binary.
        packages: sorted by import path.
        modules: largest first.
        rest: in the order of the file.
    """

    size: int
    packages: tuple[PackageSize, ...]
    modules: tuple[ModuleSize, ...]
    rest: tuple[OtherBytes, ...]

    def below(self, package: str) -> int:
        """Bytes of a package and of the packages below it."""
        return sum(
            each.size
            for each in self.packages
            if each.package == package or each.package.startswith(f"{package}/")
        )


class SizeChange(NamedTuple):
    """A module, or a section, whose size differs between two binaries."""

    module: str
    old: int
    new: int


def read_sizes(elf: Elf, info: BuildInfo, table: FunctionTable) -> BinarySizes:
    """Attribute a binary's bytes.

    Raises:
        UsageError: its sections do not go together with its table of functions.
    """
    owners = ModuleLookup(info)
    packages = tuple(
        PackageSize(package=name, module=owners.name_of(name), code=own.code, tables=own.tables)
        for name, own in sorted(table.packages.items())
        if name
    )
    rest = tuple(_rest(elf, packages, table))
    size = sum(each.size for each in (*packages, *rest))
    if size != len(elf.content) or any(each.size < 0 for each in rest):
        raise UsageError(
            "the collector's sections overlap or are smaller than their content",
            hint="give a layer whose extensions/collector was linked by Go",
        )
    return BinarySizes(
        size=size,
        packages=packages,
        modules=_modules(packages, owners),
        rest=tuple(each for each in rest if each.size),
    )


def size_changes(old: BinarySizes, new: BinarySizes) -> tuple[SizeChange, ...]:
    """What grew or shrank from one binary to another, the largest change first."""
    before, after = _by_name(old), _by_name(new)
    moved = [SizeChange(name, before.get(name, 0), after.get(name, 0)) for name in before | after]
    moved = [each for each in moved if each.old != each.new]
    return tuple(sorted(moved, key=lambda each: (-abs(each.new - each.old), each.module)))


class ModuleLookup:
    """Finds the module that a package is of."""

    def __init__(self, info: BuildInfo) -> None:
        self.main = info.main.path
        self.go = info.go
        self.modules: Mapping[str, Module] = {
            module.path: module for module in (*info.modules, info.main) if module.path
        }

    def module_of(self, package: str) -> Module | None:
        """The module with the longest path that the package is in; None for Go's own packages."""
        path = self.main if package == "main" else package
        while path and path not in self.modules:
            path = path.rpartition("/")[0]
        return self.modules.get(path)

    def name_of(self, package: str) -> str:
        """The module's path, or what else the package belongs to."""
        module = self.module_of(package)
        if module:
            return module.path
        # the first element of any other module's path is a host name
        return NO_MODULE if "." in package.partition("/")[0] else STANDARD_LIBRARY

    def version_of(self, name: str) -> str:
        """The version of the code that was compiled; Go's own for the standard library."""
        module = self.modules.get(name)
        if module:
            return module.source.version
        return self.go if name == STANDARD_LIBRARY else ""


def _modules(packages: tuple[PackageSize, ...], owners: ModuleLookup) -> tuple[ModuleSize, ...]:
    code: dict[str, int] = defaultdict(int)
    tables: dict[str, int] = defaultdict(int)
    for each in packages:
        code[each.module] += each.code
        tables[each.module] += each.tables
    sizes = [
        ModuleSize(
            module=name, version=owners.version_of(name), code=code[name], tables=tables[name]
        )
        for name in code
    ]
    return tuple(sorted(sizes, key=lambda each: (-each.size, each.module)))


def _rest(
    elf: Elf, packages: tuple[PackageSize, ...], table: FunctionTable
) -> Iterator[OtherBytes]:
    """All bytes that are of no package; together with the packages' they are the file's."""
    code = sum(each.code for each in packages)
    tables = sum(each.tables for each in packages)
    outside = len(elf.content) - sum(section.size for section in elf.sections)
    yield OtherBytes(name="headers and padding", size=outside)
    for section in elf.sections:
        if section.name == functions.TEXT:
            yield OtherBytes(name=f"{section.name} of no package", size=section.size - code)
        elif section.name == functions.SECTION:
            yield OtherBytes(name=f"{section.name} of several packages", size=table.shared)
            other = section.size - tables - table.shared
            yield OtherBytes(name=f"{section.name}, the rest", size=other)
        else:
            yield OtherBytes(name=section.name, size=section.size)


def _by_name(ledger: BinarySizes) -> dict[str, int]:
    sizes = {each.name: each.size for each in ledger.rest}
    return sizes | {each.module: each.size for each in ledger.modules}
