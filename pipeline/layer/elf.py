"""The sections of a 64-bit little-endian ELF file, which is what Go links for Lambda.

https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html and ch4.sheader.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pipeline.errors import UsageError

_FILE_HEADER = struct.Struct("<4sBB12xH4x8x8xQ4xHHHHHH")
_SECTION_HEADER = struct.Struct("<II8xQQQ24x")
_CLASS_64, _LITTLE_ENDIAN = 2, 1
_NOBITS = 8  # sections that take no bytes in the file, such as .bss
MACHINES = {0x3E: "amd64", 0xB7: "arm64"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One section.

    Attributes:
        address: in memory when the program runs.
        offset: in the file.
        size: bytes in the file.
    """

    name: str
    address: int
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Elf:
    """A binary and its sections.

    Attributes:
        architecture: by its Go name; empty for one that Lambda does not have.
        content: the whole file, as a view whose slices are no copies.
        sections: those with bytes in the file, by offset.
    """

    architecture: str
    content: memoryview
    sections: tuple[Section, ...]

    def section(self, name: str) -> Section | None:
        """Return the section of a name; None where there is none."""
        return next((each for each in self.sections if each.name == name), None)

    def bytes_of(self, section: Section) -> memoryview:
        """Return a section's content."""
        return self.content[section.offset : section.offset + section.size]


def read_elf(binary: bytes) -> Elf:
    """Find the sections of a binary.

    Raises:
        UsageError: it is no 64-bit little-endian ELF file, or is cut short.
    """
    content = memoryview(binary)
    if len(content) < _FILE_HEADER.size:
        raise _refused("it is too short")
    magic, width, order, machine, offset, *_, size, count, names = _FILE_HEADER.unpack_from(content)
    if (magic, width, order) != (b"\x7fELF", _CLASS_64, _LITTLE_ENDIAN):
        raise _refused("it is no 64-bit ELF file")
    end = offset + count * _SECTION_HEADER.size
    if size != _SECTION_HEADER.size or names >= count or end > len(content):
        raise _refused("it has no section headers")
    sections = tuple(_sections(content, content[offset:end], names))
    if any(each.offset + each.size > len(content) for each in sections):
        raise _refused("it is cut short")
    return Elf(architecture=MACHINES.get(machine, ""), content=content, sections=sections)


def _sections(content: memoryview, table: memoryview, names: int) -> list[Section]:
    """Return the sections of a table of headers; header `names` is that of their names."""
    headers = list(_SECTION_HEADER.iter_unpack(table))
    start, length = (int(each) for each in headers[names][3:])
    texts = bytes(content[start : start + length])
    found = [
        Section(name=_name(texts, at), address=address, offset=offset, size=size)
        for at, kind, address, offset, size in headers
        if kind != _NOBITS and size
    ]
    return sorted(found, key=lambda each: each.offset)


def _name(texts: bytes, at: int) -> str:
    end = texts.find(b"\0", at)
    return texts[at : max(at, end)].decode("ascii", "replace")


def _refused(why: str) -> UsageError:
    return UsageError(
        f"the collector is no binary that can be read: {why}",
        hint="give a layer whose extensions/collector was linked by Go for Linux",
    )
