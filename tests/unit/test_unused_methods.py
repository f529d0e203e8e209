from __future__ import annotations

import struct

import pytest
from supply_examples import Function, Table, build_info, elf

from pipeline.errors import UsageError
from pipeline.layer.elf import Elf, read_elf
from pipeline.layer.unused_methods import (
    UnusedMethods,
    are_unused_methods_dropped,
    read_unused_methods,
)

SIZE = 64
# The functions of the binaries here, of 64 bytes each.
NAMES = (
    "gopkg.in/yaml%2ev3.Generic[go.shape.int].Get",
    "main.caller",
    "reflect.(*Value).Method",
    "reflect.Value.Method",
    "reflect.Value.MethodByName",
    "reflect.Value.Methods",
)
TEXTS = b"..MethodsMethodNameTo"
TEXT_ADDRESS = 0x400040
RODATA_ADDRESS = TEXT_ADDRESS + SIZE * len(NAMES)


def binary(code: bytes, architecture: str, *, caller: int = 1) -> Elf:
    """A binary of which one function has this code."""
    table = Table(functions=[Function(name=name, code=SIZE) for name in NAMES])
    before = bytes(SIZE * caller)
    sections = {
        ".text": before + code.ljust(SIZE * (len(NAMES) - caller), b"\0"),
        ".rodata": TEXTS,
        ".gopclntab": table.content(),
        ".go.buildinfo": build_info(),
    }
    return read_elf(elf(sections, architecture))


def amd64(target: str, name: str = "", *, caller: int = 1) -> bytes:
    """A call, of `MethodByName` with a constant name if one is given."""
    code = b"\x90"
    if name:
        address = RODATA_ADDRESS + TEXTS.index(name.encode())
        here = TEXT_ADDRESS + SIZE * caller + len(code) + 7
        code += b"\x48\x8d\x3d" + struct.pack("<i", address - here)
        code += b"\xbe" + struct.pack("<I", len(name)) + b"\x48\x89\xc8"
    distance = SIZE * NAMES.index(target) - (SIZE * caller + len(code) + 5)
    return code + b"\xe8" + struct.pack("<i", distance)


def arm64(target: str, name: str = "", *, caller: int = 1) -> bytes:
    """The same for the other architecture."""
    words = [0xD503201F]
    if name:
        address = RODATA_ADDRESS + TEXTS.index(name.encode())
        pages = address // 4096 - TEXT_ADDRESS // 4096
        words.append(0x90000003 | pages << 5)
        words.append(0x91000063 | (address % 4096) << 10)
        # a mask of bits where the assembler makes one
        words.append({6: 0xB27F07E4, 7: 0xB2400BE4}.get(len(name), 0xD2800004 | len(name) << 5))
    at = SIZE // 4 * caller + len(words)
    words.append(0x94000000 | (SIZE // 4 * NAMES.index(target) - at) % (1 << 26))
    return struct.pack(f"<{len(words)}I", *words)


CALLS = pytest.mark.parametrize("architecture", ["amd64", "arm64"])


def call(architecture: str, target: str, name: str = "", *, caller: int = 1) -> Elf:
    make = {"amd64": amd64, "arm64": arm64}[architecture]
    return binary(make(target, name, caller=caller), architecture, caller=caller)


@CALLS
@pytest.mark.parametrize("target", ["reflect.Value.Method", "reflect.Value.MethodByName"])
def test_who_calls_methods_by_reflection_is_named(architecture: str, target: str) -> None:
    found = read_unused_methods(call(architecture, target))
    assert found == UnusedMethods(dropped=False, kept_for=("main.caller",))


@CALLS
@pytest.mark.parametrize(("name", "kept"), [("NameTo", False), ("Methods", True), ("Method", True)])
def test_a_constant_name_counts_only_if_reflect_has_such_methods(
    architecture: str, name: str, *, kept: bool
) -> None:
    found = read_unused_methods(call(architecture, "reflect.Value.MethodByName", name))
    assert found.kept_for == (("main.caller",) if kept else ())


@CALLS
def test_a_call_of_another_function_is_not_named(architecture: str) -> None:
    found = read_unused_methods(call(architecture, "reflect.Value.Methods"))
    assert found == UnusedMethods(dropped=False)


@CALLS
def test_calls_within_reflect_are_not_named(architecture: str) -> None:
    found = read_unused_methods(call(architecture, "reflect.Value.MethodByName", caller=2))
    assert found.kept_for == ()


@CALLS
def test_a_generic_function_is_named_without_its_types(architecture: str) -> None:
    found = read_unused_methods(call(architecture, "reflect.Value.Method", caller=0))
    assert found.kept_for == ("gopkg.in/yaml.v3.Generic[...].Get",)


def test_without_the_methods_that_nothing_calls_all_were_dropped() -> None:
    names = [name for name in NAMES if not name.startswith("reflect.(")]
    table = Table(functions=[Function(name=name) for name in names])
    found = read_elf(elf({".text": bytes(128), ".gopclntab": table.content()}))
    assert are_unused_methods_dropped(found)
    assert read_unused_methods(found) == UnusedMethods(dropped=True)


def test_a_damaged_table_is_an_error() -> None:
    table = b"\0reflect.(*Value).Method\0"
    with pytest.raises(UsageError):
        read_unused_methods(read_elf(elf({".text": bytes(64), ".gopclntab": table})))
