from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supply_examples import CONTRIB, INFO, MAIN, Binary, build_info, elf

from pipeline.errors import OcelotError, UsageError
from pipeline.layer.buildinfo import BuildInfo, Module, parse_build_info, read_build_info
from pipeline.layer.elf import read_elf

BINARY = Binary().content()


def read(binary: bytes = BINARY) -> BuildInfo:
    return read_build_info(read_elf(binary))


def refused(binary: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read(binary)
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_build_info_is_read_of_both_architectures(architecture: str) -> None:
    binary = Binary(architecture=architecture).content()
    assert read_elf(binary).architecture == architecture
    assert read(binary) == parse_build_info("go1.26.6", INFO)


def test_the_main_module_is_known() -> None:
    assert (read().path, read().main) == (MAIN, Module(path=MAIN, version="(devel)"))


def test_a_module_has_version_and_sum() -> None:
    toml = Module(path="github.com/BurntSushi/toml", version="v1.5.0", sum="h1:toml=")
    assert read().modules[0] == toml
    assert toml.source is toml


def test_a_module_is_replaced_by_another() -> None:
    fork = Module(path="example.com/fork", version="v0.2.0", sum="h1:fork=")
    replaced = read().modules[1]
    assert (replaced.path, replaced.version) == (
        f"{CONTRIB}/connector/signaltometricsconnector",
        "v0.1.0",
    )
    assert replaced.source == fork
    assert replaced.published


def test_a_module_is_replaced_by_a_folder() -> None:
    local = read().modules[-1]
    assert str(local.source) == "./lambdacomponents@(devel)"
    assert not local.published


def test_the_main_module_can_be_replaced_too() -> None:
    info = parse_build_info("go1.26.6", "mod\ta\tv1\n=>\tb\tv2\th1:b=\n")
    assert info.main.source == Module(path="b", version="v2", sum="h1:b=")


def test_a_binary_without_a_main_module_has_its_path() -> None:
    info = parse_build_info("go1.26.6", "path\tcommand-line-arguments\n")
    assert info.main == Module(path="command-line-arguments")


def test_settings_are_unquoted() -> None:
    info = read()
    assert info.setting("-tags") == "lambdacomponents.custom,lambdacomponents.receiver.otlp"
    assert info.setting("-ldflags") == "-X main.Name=a b"
    assert info.setting("GOAMD64") == ""


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("CGO_ENABLED=0", "CGO_ENABLED", "0"),
        ("-ldflags=", "-ldflags", ""),
        (r'a="b\n\x41\u00e4 \"c\""', "a", 'b\nAä "c"'),
        ("a=`b c`", "a", "b c"),
        ('"a=b"=c', "a=b", "c"),
    ],
)
def test_a_setting_is_read_as_go_writes_it(line: str, name: str, value: str) -> None:
    assert parse_build_info("go1.26.6", f"build\t{line}\n").settings == ((name, value),)


def test_the_collectors_version_is_that_of_its_core() -> None:
    assert read().collector_version == "v0.155.0"
    assert parse_build_info("go1.26.6", "").collector_version == ""


@pytest.mark.parametrize(
    ("version", "go"), [("go1.26.6", "1.26.6"), ("go1.27.0 X:greenteagc", "1.27.0")]
)
def test_gos_version_is_a_number(version: str, go: str) -> None:
    assert read(Binary(info=build_info(version=version)).content()).go == go


def test_long_texts_have_long_lengths() -> None:
    text = "".join(f"dep\texample.com/m{number}\tv1.0.0\n" for number in range(2_000))
    assert len(read(Binary(info=build_info(text)).content()).modules) == 2_000


NO_INFO = "the collector has no Go build info"


@pytest.mark.parametrize(
    "info",
    [
        b"",
        b"\xff Go buildinf:",
        build_info()[:-40],
        build_info()[:40],
        build_info().replace(bytes([8, 2]), bytes([8, 0]), 1),
        build_info("nonsense\n"),
        build_info("=>\tno module\n"),
        build_info('build\ta="\\q\n'),
        build_info()[:32] + b"\2\xff\xfe\0",
        build_info()[:32] + b"\xff" * 20,
        build_info(version=""),
    ],
)
def test_a_missing_or_broken_build_info_is_an_error(info: bytes) -> None:
    assert refused(Binary(info=info).content()) == NO_INFO


@pytest.mark.parametrize(
    ("binary", "why"),
    [
        (b"", "it is too short"),
        (b"#!/bin/sh\n" * 10, "it is no 64-bit ELF file"),
        (BINARY[:4] + b"\1" + BINARY[5:], "it is no 64-bit ELF file"),
        (BINARY[:-1], "it has no section headers"),
        (BINARY[:60] + bytes(4) + BINARY[64:], "it has no section headers"),
    ],
)
def test_a_file_that_is_no_elf_file_is_an_error(binary: bytes, why: str) -> None:
    assert refused(binary) == f"the collector is no binary that can be read: {why}"


def test_a_section_beyond_the_end_is_an_error() -> None:
    binary = bytearray(elf({".text": b"code"}))
    size = int.from_bytes(binary[40:48], "little") + 64 + 32  # the first section's sh_size
    binary[size : size + 8] = (1 << 40).to_bytes(8, "little")
    assert refused(bytes(binary)).endswith("it is cut short")


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    with pytest.raises(OcelotError):
        read(content)


@given(st.binary(max_size=120))
def test_no_build_info_raises_anything_else(content: bytes) -> None:
    with suppress(OcelotError):
        read(Binary(info=build_info()[:32] + content).content())


@given(st.integers(0, len(BINARY) - 1), st.integers(1, 255))
def test_no_damage_raises_anything_else(at: int, change: int) -> None:
    damaged = bytearray(BINARY)
    damaged[at] ^= change
    with suppress(OcelotError):
        read(bytes(damaged))
