"""The sizes of a binary's Go packages and modules; with the other bytes they add up to the file.

Machine code and the table of functions, about four fifths of a collector, are counted by package:
the table of functions, which is also in a stripped binary, gives them exactly. Constants, types
and variables have no names in a stripped binary and are counted by section. Code of a generic or
inlined function counts to the package that the linker named it after.
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
NO_MODULE = "of no listed module"  # its package is in none of the modules of the build info


class _CodeAndTables:
    """Adds the size of code and tables together."""

    __slots__ = ()
    code: int
    tables: int

    @property
    def size(self) -> int:
        """Bytes of code and tables."""
        return self.code + self.tables


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageSize(_CodeAndTables):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleSize(_CodeAndTables):
    """Bytes of one module: the sum over its packages in the binary."""

    module: str
    version: str
    code: int
    tables: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherBytes:
    """Bytes that belong to no single module, such as those of a section."""

    name: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BinarySizes:
    """The bytes of a binary. Those of `modules` and `rest` add up to `size`.

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
        """Return the bytes of a package and of the packages below it."""
        return sum(
            each.size
            for each in self.packages
            if each.package == package or each.package.startswith(f"{package}/")
        )


class SizeChange(NamedTuple):
    """A module or section whose size differs between two binaries."""

    module: str
    old: int
    new: int


def read_sizes(elf: Elf, info: BuildInfo, table: FunctionTable) -> BinarySizes:
    """Count a binary's bytes by package and module.

    Raises:
        UsageError: its sections do not fit its table of functions.
    """
    lookup = ModuleLookup(info)
    packages = tuple(
        PackageSize(package=name, module=lookup.name_of(name), code=own.code, tables=own.tables)
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
        modules=_modules(packages, lookup),
        rest=tuple(each for each in rest if each.size),
    )


def size_changes(old: BinarySizes, new: BinarySizes) -> tuple[SizeChange, ...]:
    """Return the modules and sections whose size changed, the largest change first."""
    before, after = _by_name(old), _by_name(new)
    pairs = [SizeChange(name, before.get(name, 0), after.get(name, 0)) for name in before | after]
    changes = [each for each in pairs if each.old != each.new]
    return tuple(sorted(changes, key=lambda each: (-abs(each.new - each.old), each.module)))


class ModuleLookup:
    """Finds the module that a package belongs to."""

    def __init__(self, info: BuildInfo) -> None:
        self.main = info.main.path
        self.go = info.go
        self.modules: Mapping[str, Module] = {
            module.path: module for module in (*info.modules, info.main) if module.path
        }

    def module_of(self, package: str) -> Module | None:
        """Return the module with the longest path that contains the package; None for none."""
        path = self.main if package == "main" else package
        while path and path not in self.modules:
            path = path.rpartition("/")[0]
        return self.modules.get(path)

    def name_of(self, package: str) -> str:
        """Return the module's path, else `STANDARD_LIBRARY` or `NO_MODULE`."""
        module = self.module_of(package)
        if module:
            return module.path
        # the first element of a module's path is a host name; Go's packages have no dot in it
        return NO_MODULE if "." in package.partition("/")[0] else STANDARD_LIBRARY

    def version_of(self, name: str) -> str:
        """Return the version of a module's compiled code; Go's for the standard library."""
        module = self.modules.get(name)
        if module:
            return module.source.version
        return self.go if name == STANDARD_LIBRARY else ""


def _modules(packages: tuple[PackageSize, ...], lookup: ModuleLookup) -> tuple[ModuleSize, ...]:
    code: dict[str, int] = defaultdict(int)
    tables: dict[str, int] = defaultdict(int)
    for each in packages:
        code[each.module] += each.code
        tables[each.module] += each.tables
    sizes = [
        ModuleSize(
            module=name, version=lookup.version_of(name), code=code[name], tables=tables[name]
        )
        for name in code
    ]
    return tuple(sorted(sizes, key=lambda each: (-each.size, each.module)))


def _rest(
    elf: Elf, packages: tuple[PackageSize, ...], table: FunctionTable
) -> Iterator[OtherBytes]:
    """Return all bytes of no package; those of the packages and these add up to the file."""
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


def _by_name(sizes: BinarySizes) -> dict[str, int]:
    sections = {each.name: each.size for each in sizes.rest}
    return sections | {each.module: each.size for each in sizes.modules}
