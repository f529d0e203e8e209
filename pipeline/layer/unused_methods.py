"""Unused methods of a binary: could the linker drop them, and which functions prevented it.

Go's linker drops exported methods that nothing calls, unless a linked function calls methods by a
name or number that is known only at run time: then it keeps all of them. A stripped binary shows
it: the methods of `*reflect.Value`, which the compiler makes and nothing calls, are there only if
all methods were kept. The functions that prevented it are those that call `Value.Method`, or
`Value.MethodByName` with a name that is no constant. A constant name prevents it, too, if package
reflect has methods of that name that do the same. A binary does not show who calls
`reflect.Type.Method`, since that is the call of an interface.
https://github.com/golang/go/blob/go1.26.6/src/cmd/link/internal/ld/deadcode.go and, for the calls
that count, usemethod in src/cmd/compile/internal/walk/expr.go
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipeline.layer.elf import Elf
from pipeline.layer.functions import (
    SECTION,
    TEXT,
    import_path,
    numbers,
    package_of,
    read_starts,
)

_KEPT = b"\0reflect.(*Value).Method\0"
_VALUE = b"reflect.Value."
_BY_NUMBER, _BY_NAME = _VALUE + b"Method", _VALUE + b"MethodByName"
# Methods of reflect.Value that call others by number or name.
_CALLING = (b"Method", b"MethodByName", b"Methods")
_REFLECT = b"reflect"
# The types of a generic function.
_TYPES = re.compile(r"\[.*\]")

# The instruction CALL: one byte and the distance from the next instruction.
_AMD64_CALL, _AMD64_CALL_SIZE = re.compile(rb"\xe8"), 5
_NUMBER = struct.Struct("<i")
# A constant text as the fourth argument: LEAQ address, DI and MOVL length, SI. Moves between
# registers may be between and after them.
_AMD64_TEXT = re.compile(
    rb".*\x48\x8d\x3d(?P<distance>.{4}).{0,8}\xbe(?P<length>.{4}).{0,24}\Z", re.DOTALL
)
_AMD64_BEFORE = 48
# The instruction BL: the distance in instructions is in its lower 26 bits.
_ARM64_CALL, _ARM64_DISTANCES = 0x94000000, 1 << 26
_ARM64_BEFORE = 8
# A constant text as the fourth argument: ADRP page, R3; ADD offset, R3; MOVD length, R4. Each is a
# mask and the value under it. MOVD has a form for any number, and one for masks of bits.
_ARM64_PAGE = (0x9F00001F, 0x90000003)
_ARM64_OFFSET = (0xFFC003FF, 0x91000063)
_ARM64_NUMBER = (0xFFE0001F, 0xD2800004)
_ARM64_BITS = (0xFFC003FF, 0xB24003E4)
_ARM64_PAGE_SIZE = 4096
_ARM64_REGISTER = (1 << 64) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class UnusedMethods:
    """The unused methods of a binary: dropped, or kept for some functions.

    Attributes:
        dropped: True if the linker could drop them.
        kept_for: the functions that call methods by a name or number known only at run time, as far
            as the code shows; empty if they were dropped.
    """

    dropped: bool
    kept_for: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    """A call in the code.

    Attributes:
        at: offset of the instruction in the code.
        target: offset of the called function.
        text: address and length of the constant text that is its fourth argument; None for none.
    """

    at: int
    target: int
    text: tuple[int, int] | None


def are_unused_methods_dropped(elf: Elf) -> bool:
    """Return True if the linker could drop a binary's unused methods."""
    section = elf.section(SECTION)
    return section is None or _KEPT not in bytes(elf.bytes_of(section))


def read_unused_methods(elf: Elf) -> UnusedMethods:
    """Find out what became of a binary's unused methods.

    Raises:
        UsageError: its table of functions cannot be read.
    """
    if are_unused_methods_dropped(elf):
        return UnusedMethods(dropped=True)
    starts = read_starts(elf)
    code = elf.section(TEXT)
    calls = {"amd64": _amd64_calls, "arm64": _arm64_calls}.get(elf.architecture)
    if not code or not calls:
        return UnusedMethods(dropped=False)
    offsets = dict(zip(starts.names, starts.offsets, strict=True))
    by_number, by_name = offsets.get(_BY_NUMBER, -1), offsets.get(_BY_NAME, -1)
    names = tuple(each for each in _CALLING if _VALUE + each in offsets)
    callers = {
        starts.names[bisect_right(starts.offsets, call.at) - 1]
        for call in calls(elf.bytes_of(code), code.address, {by_number, by_name})
        if call.target == by_number or not call.text or _bytes_at(elf, *call.text) in names
    }
    found = {import_path(each) for each in callers if package_of(each) != _REFLECT}
    return UnusedMethods(
        dropped=False, kept_for=tuple(sorted({_TYPES.sub("[...]", each) for each in found}))
    )


def _bytes_at(elf: Elf, address: int, length: int) -> bytes:
    """Return the bytes at an address; none outside all sections."""
    for each in elf.sections:
        if 0 <= (at := address - each.address) < each.size:
            return bytes(elf.bytes_of(each)[at : at + length])
    return b""


def _amd64_calls(code: memoryview, address: int, targets: Collection[int]) -> Iterator[_Call]:
    """Return the calls of functions that begin at these offsets of the code at an address."""
    for found in _AMD64_CALL.finditer(code[: 1 - _AMD64_CALL_SIZE]):
        at = found.start()
        (distance,) = _NUMBER.unpack_from(code, at + 1)
        target = at + _AMD64_CALL_SIZE + distance
        if target in targets:
            start = max(at - _AMD64_BEFORE, 0)
            text = _amd64_text(code[start:at], address + start)
            yield _Call(at=at, target=target, text=text)


def _amd64_text(before: memoryview, address: int) -> tuple[int, int] | None:
    """Return address and length of the text that the code before a call passes on."""
    if not (found := _AMD64_TEXT.match(before)):
        return None
    (distance,), (length,) = map(_NUMBER.unpack, found.groups())
    return address + found.end("distance") + distance, length


def _arm64_calls(code: memoryview, address: int, targets: Collection[int]) -> Iterator[_Call]:
    """Return the calls of functions that begin at these offsets of the code at an address."""
    words = numbers(code)
    # word = call + (target - at) modulo the distances; so word + at is one of two numbers
    sums = {
        _ARM64_CALL + target // 4 + wrapped: target
        for target in targets
        for wrapped in (0, _ARM64_DISTANCES)
    }
    for at in [at for at, word in enumerate(words) if word + at in sums]:
        start = max(at - _ARM64_BEFORE, 0)
        text = _arm64_text(words[start:at], address + 4 * start)
        yield _Call(at=4 * at, target=sums[words[at] + at], text=text)


def _arm64_text(before: Sequence[int], address: int) -> tuple[int, int] | None:
    """Return address and length of the text that the code before a call passes on."""
    pages = [at for at, word in enumerate(before) if _is(word, _ARM64_PAGE)]
    offsets = [word >> 10 & 0xFFF for word in before if _is(word, _ARM64_OFFSET)]
    lengths = [length for word in before if (length := _arm64_number(word)) is not None]
    if not pages or not offsets or not lengths:
        return None
    word = before[pages[-1]]
    page = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3  # 21 bits with a sign
    page -= (page & 1 << 20) << 1
    here = (address + 4 * pages[-1]) // _ARM64_PAGE_SIZE
    return (here + page) * _ARM64_PAGE_SIZE + offsets[-1], lengths[-1]


def _arm64_number(word: int) -> int | None:
    """Return the constant that an instruction moves into R4; None for any other instruction."""
    if _is(word, _ARM64_NUMBER):
        return word >> 5 & 0xFFFF
    if not _is(word, _ARM64_BITS):
        return None
    turned, ones = word >> 16 & 63, (2 << (word >> 10 & 63)) - 1
    return (ones >> turned | ones << 64 - turned) & _ARM64_REGISTER


def _is(word: int, instruction: tuple[int, int]) -> bool:
    mask, value = instruction
    return word & mask == value
