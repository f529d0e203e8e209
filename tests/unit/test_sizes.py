from __future__ import annotations

import dataclasses
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supply_examples import (
    CONTRIB,
    FUNCTIONS,
    INFO,
    MAIN,
    OTEL,
    TABLE,
    Binary,
    Function,
    Table,
    build_info,
)

from pipeline.errors import OcelotError, UsageError
from pipeline.layer.buildinfo import parse_build_info, read_build_info
from pipeline.layer.elf import read_elf
from pipeline.layer.functions import FunctionTable, import_path, package_of, read_functions
from pipeline.layer.sizes import (
    NO_MODULE,
    STANDARD_LIBRARY,
    BinarySizes,
    SizeChange,
    read_sizes,
    size_changes,
)

STRUCT = 44 + 8  # a function without more tables, and its row


def functions(table: Table = TABLE) -> FunctionTable:
    return read_functions(read_elf(Binary(table=table.content()).content()))


def binary_sizes(binary: Binary | None = None) -> BinarySizes:
    elf = read_elf((binary or Binary()).content())
    return read_sizes(elf, read_build_info(elf), read_functions(elf))


def table_of(*each: Function, values: int = 1, data: int = 0) -> Table:
    return Table(functions=each, values=values, data=data)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("main.main", "main"),
        ("runtime.gcStart.func1", "runtime"),
        ("net/http.(*Server).Serve", "net/http"),
        ("vendor/golang.org/x/net/idna.ToASCII", "vendor/golang.org/x/net/idna"),
        ("github.com/a/b.T.Method-fm", "github.com/a/b"),
        ("github.com/a/b.(*T[...]).Method", "github.com/a/b"),
        ("github.com/a/b/v2.glob..func1", "github.com/a/b/v2"),
        ("github.com/a/b.Map[go.shape.int,github.com/c/d.T]", "github.com/a/b"),
        ("gopkg.in/yaml%2ev3.(*parser).parse", "gopkg.in/yaml.v3"),
        ("example.com/%25a.F", "example.com/%a"),
        ("type:.eq.github.com/a/b.T", "github.com/a/b"),
        ("type:.eq.[8]internal/cpu.option", "internal/cpu"),
        ("type:.eq.struct { github.com/a/b.T; F func() }", ""),
        ("go:(*struct { io.ReadCloser }).Close", ""),
        ("go:textfipsstart", ""),
        ("memeqbody", ""),
        ("", ""),
    ],
)
def test_a_functions_package_is_read_off_its_name(name: str, package: str) -> None:
    assert import_path(package_of(name.encode())) == package


def test_code_reaches_from_one_function_to_the_next() -> None:
    found = functions().packages
    assert found["runtime"].code == 64
    assert found["gopkg.in/yaml.v3"].code == 96 + 16
    assert found[""].code == 16 + 16


def test_names_of_inlined_functions_count_to_their_packages() -> None:
    before = functions(dataclasses.replace(TABLE, inlined=())).packages
    after = functions().packages
    name = f"{OTEL}/receiver/otlpreceiver"
    assert after[name].tables - before[name].tables == len(f"{name}.NewFactory") + 1


def test_a_function_costs_its_row_its_name_and_its_own_tables() -> None:
    one = Function(name="a.F", values=(1, 3, 0))
    other = Function(name="b.G", values=(0, 0, 0, 3, 9, 20))
    found = functions(table_of(one, other, values=25))
    # 0, shared, is one byte long; 1 is a's, two bytes; 3 is shared, six; 9 is b's, eleven;
    # where the last one ends is not known
    assert found.packages["a"].tables == len("a.F") + 1 + STRUCT + 2
    assert found.packages["b"].tables == len("b.G") + 1 + STRUCT + 12 + 11
    assert found.shared == 1 + 6


def test_data_that_lies_in_the_table_counts_too() -> None:
    one = Function(name="a.F", data=(0, 0xFFFFFFFF))
    other = Function(name="b.G", data=(10, 0xFFFFFFFF, 24))
    without = functions(table_of(Function(name="a.F"), Function(name="b.G")))
    found = functions(table_of(one, other, data=30))
    grown = {
        name: found.packages[name].tables - without.packages[name].tables for name in ("a", "b")
    }
    assert grown == {"a": 8 + 10, "b": 12 + 14}


def test_data_that_lies_elsewhere_does_not_count() -> None:
    one = Function(name="a.F", data=(0, 4_000))
    found = functions(table_of(one, data=16))
    assert found.packages["a"].tables == len("a.F") + 1 + STRUCT + 8


@pytest.mark.parametrize(
    "table",
    [
        b"\xfb\xff\xff\xff" + TABLE.content()[4:],
        TABLE.content()[:40],
        TABLE.content()[:200],
        TABLE.content()[:8] + (1 << 40).to_bytes(8, "little") + TABLE.content()[16:],
        b"",
    ],
)
def test_a_table_of_another_layout_is_refused(table: bytes) -> None:
    with pytest.raises(UsageError, match="table of functions cannot be read") as caught:
        read_functions(read_elf(Binary(table=table).content()))
    assert "Go 1.20" in caught.value.hint


def total(of: BinarySizes) -> int:
    return sum(each.size for each in (*of.modules, *of.rest))


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_sizes_add_up_to_the_file(architecture: str) -> None:
    binary = Binary(architecture=architecture)
    found = binary_sizes(binary)
    assert total(found) == found.size == len(binary.content())


def test_packages_go_to_the_module_with_the_longest_path() -> None:
    modules = {each.package: each.module for each in binary_sizes().packages}
    assert (
        modules[f"{OTEL}/receiver/otlpreceiver/internal/trace"] == f"{OTEL}/receiver/otlpreceiver"
    )
    assert modules["main"] == MAIN
    assert modules["vendor/golang.org/x/net/idna"] == STANDARD_LIBRARY
    assert modules["slices"] == STANDARD_LIBRARY
    assert modules[f"{OTEL}/receiver"] == NO_MODULE


def test_a_module_without_a_host_in_its_path_is_no_part_of_go() -> None:
    table = table_of(Function(name="lambdacomponents/receiver.init.0"))
    found = binary_sizes(Binary(table=table.content(), text=16))
    assert [each.module for each in found.modules] == ["lambdacomponents"]


def test_modules_have_versions_and_the_largest_is_first() -> None:
    found = binary_sizes()
    assert [each.size for each in found.modules] == sorted(
        (each.size for each in found.modules), reverse=True
    )
    versions = {each.module: each.version for each in found.modules}
    assert versions[STANDARD_LIBRARY] == "1.26.6"
    assert versions[f"{CONTRIB}/connector/signaltometricsconnector"] == "v0.2.0"
    assert versions["gopkg.in/yaml.v3"] == "v3.0.1"
    assert versions[NO_MODULE] == ""


def test_bytes_of_no_module_have_the_name_of_their_section() -> None:
    rest = {each.name: each.size for each in binary_sizes().rest}
    assert rest[".rodata"] == 100
    assert rest[".text of no package"] == 16 + 16 + 8
    assert rest[".go.buildinfo"] == len(build_info())
    assert ".bss" not in rest


def test_bytes_below_a_package_are_those_of_its_tree() -> None:
    found = binary_sizes()
    sizes = {each.package: each.size for each in found.packages}
    name = f"{OTEL}/receiver/otlpreceiver"
    assert found.below(name) == sizes[name] + sizes[f"{name}/internal/trace"]
    assert found.below(f"{OTEL}/rec") == 0


@pytest.mark.parametrize("binary", [Binary(text=8), Binary(text=0)])
def test_sections_smaller_than_their_content_are_refused(binary: Binary) -> None:
    with pytest.raises(UsageError, match="overlap or are smaller"):
        binary_sizes(binary)


@given(st.integers(0, len(Binary().content()) - 1), st.integers(1, 255))
def test_no_damage_raises_anything_else_or_loses_a_byte(at: int, change: int) -> None:
    damaged = bytearray(Binary().content())
    damaged[at] ^= change
    with suppress(OcelotError):
        elf = read_elf(bytes(damaged))
        found = read_sizes(elf, parse_build_info("go1.26.6", INFO), read_functions(elf))
        assert total(found) == len(damaged)


def test_the_largest_size_change_is_first() -> None:
    larger = (*FUNCTIONS[:-1], Function(name="main.main", code=1_032))
    without = tuple(each for each in larger if "signaltometrics" not in each.name)
    text = sum(each.code for each in without) + 8
    new = Binary(table=dataclasses.replace(TABLE, functions=without).content(), text=text)
    old_sizes, new_sizes = binary_sizes(), binary_sizes(new)
    changes = size_changes(old_sizes, new_sizes)
    assert changes[0] == SizeChange(
        module=MAIN, old=old_sizes.below("main"), new=old_sizes.below("main") + 1_000
    )
    assert changes[1].module == f"{CONTRIB}/connector/signaltometricsconnector"
    assert changes[1].new == 0
    assert sum(each.new - each.old for each in changes) == new_sizes.size - old_sizes.size


def test_equal_binaries_have_no_size_changes() -> None:
    assert size_changes(binary_sizes(), binary_sizes()) == ()
