from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supply_examples import EPOCH, INFO, OTEL, Binary, build_info, layer_zip

from pipeline.audit.compare import layer_differences
from pipeline.layer.layerfile import COLLECTOR
from pipeline.layer.zip import ZipEntry, pack

CONFIG = "collector-config/config.yaml"
BINARY = Binary().content()
LAYER = layer_zip()
OTLP = "lambdacomponents.receiver.otlp"


def differences(found: bytes) -> list[str]:
    """Return the differences from the example, without the collector's name."""
    return [each.removeprefix(f"{COLLECTOR}: ") for each in layer_differences(found, LAYER)]


def with_info(old: str, new: str, *, version: str = "go1.26.6") -> bytes:
    """The example's layer with a change in its build info."""
    assert INFO.count(old) == 1
    return layer_zip(Binary(info=build_info(INFO.replace(old, new), version)).content())


def test_the_same_bytes_differ_in_nothing() -> None:
    assert layer_differences(LAYER, bytes(LAYER)) == ()


def test_another_go_is_named() -> None:
    assert differences(with_info("GOARCH", "GOARCH", version="go1.26.5")) == [
        "go1.26.5 instead of go1.26.6"
    ]


BUILD_INFO = {
    "a component less": (f",{OTLP}", "", ["component receiver/otlp missing"]),
    "a component more": (
        OTLP,
        f"{OTLP},lambdacomponents.exporter.debug",
        ["component exporter/debug not in the rebuild"],
    ),
    "another component": (
        OTLP,
        "lambdacomponents.receiver.jaeger",
        ["component receiver/otlp missing", "component receiver/jaeger not in the rebuild"],
    ),
    "all of a kind": (
        OTLP,
        "lambdacomponents.receiver.all",
        ["component receiver/all not in the rebuild"],
    ),
    "a tag that is no component": (OTLP, f"{OTLP},netgo", ["build tag netgo not in the rebuild"]),
    "upstream's default set": (
        f"build\t-tags=lambdacomponents.custom,{OTLP}\n",
        "",
        ["build tag lambdacomponents.custom missing", "component receiver/otlp missing"],
    ),
    "another architecture": ("GOARCH=amd64", "GOARCH=arm64", ["GOARCH: arm64 instead of amd64"]),
    "with cgo": ("CGO_ENABLED=0", "CGO_ENABLED=1", ["CGO_ENABLED: 1 instead of 0"]),
    "other linker flags": (
        "X main.Name=a b",
        "X main.Name=c",
        ["-ldflags: -X main.Name=c instead of -X main.Name=a b"],
    ),
    "a setting more": (
        "build\tGOARCH",
        "build\t-race=true\nbuild\tGOARCH",
        ["-race: true instead of nothing"],
    ),
    "a setting less": ("build\tCGO_ENABLED=0\n", "", ["CGO_ENABLED: nothing instead of 0"]),
    "a module at another version": (
        f"{OTEL}/otelcol\tv0.155.0\th1:otelcol=",
        f"{OTEL}/otelcol\tv0.154.0\th1:otelcol=",
        [f"module: {OTEL}/otelcol@v0.154.0 instead of {OTEL}/otelcol@v0.155.0"],
    ),
    "a module less": (
        "dep\tgopkg.in/yaml.v3\tv3.0.1\th1:yaml=\n",
        "",
        ["module gopkg.in/yaml.v3@v3.0.1 missing"],
    ),
    "a module more": (
        "dep\tgopkg.in/yaml.v3",
        "dep\tevil.example/x\tv1.0.0\th1:x=\ndep\tgopkg.in/yaml.v3",
        ["module evil.example/x@v1.0.0 not in the rebuild"],
    ),
    "the same version with other content": (
        "h1:toml=",
        "h1:fake=",
        ["content of github.com/BurntSushi/toml@v1.5.0: h1:fake= instead of h1:toml="],
    ),
    "another replacement": (
        "=>\texample.com/fork\tv0.2.0",
        "=>\tevil.example/fork\tv0.2.0",
        ["module: evil.example/fork@v0.2.0 instead of example.com/fork@v0.2.0"],
    ),
    "another main package": ("path\tgithub.com", "path\tevil.example", None),
}


@pytest.mark.parametrize(("old", "new", "sentences"), BUILD_INFO.values(), ids=BUILD_INFO.keys())
def test_another_build_info_is_named(old: str, new: str, sentences: list[str] | None) -> None:
    found = differences(with_info(old, new))
    if sentences is None:
        assert [each.partition(":")[0] for each in found] == ["main package"]
    else:
        assert sorted(found) == sorted(sentences)


def test_components_of_all_of_their_kind_are_not_missed() -> None:
    """The rebuild names two receivers, of which the other binary has all."""
    every, some = (
        with_info(OTLP, f"lambdacomponents.receiver.{name},lambdacomponents.receiver.jaeger")
        for name in ("all", "otlp")
    )
    assert layer_differences(every, some) == (
        f"{COLLECTOR}: component receiver/all not in the rebuild",
    )
    assert layer_differences(some, every) == (f"{COLLECTOR}: component receiver/all missing",)


def test_a_binary_for_another_machine_is_named() -> None:
    assert differences(layer_zip(Binary(architecture="arm64").content())) == [
        "machine: arm64 instead of amd64"
    ]


@pytest.mark.parametrize(
    ("at", "section"),
    [(64, ".text"), (64 + 700, ".rodata"), (len(BINARY) - 1, "none")],
)
def test_a_flipped_byte_is_reported_with_its_offset_and_section(at: int, section: str) -> None:
    flipped = BINARY[:at] + bytes([BINARY[at] ^ 0xFF]) + BINARY[at + 1 :]
    (sentence,) = differences(layer_zip(flipped))
    assert sentence == (
        f"1 byte differs of {len(BINARY):,}, the first at offset {at:#x} in section {section}: "
        f"{flipped[at]:#04x} instead of {BINARY[at]:#04x}"
    )


def test_a_longer_binary_is_reported_by_its_length() -> None:
    (sentence,) = differences(layer_zip(BINARY + b"more"))
    assert sentence == f"{len(BINARY) + 4:,} bytes instead of {len(BINARY):,}"


@pytest.mark.parametrize(
    ("binary", "reason"),
    [
        (b"#!/bin/sh\n" + bytes(100), "no 64-bit ELF file"),
        (b"", "too short"),
        (BINARY[:-100], "no section headers"),
        (Binary(info=b"").content(), "no Go build info"),
        (Binary(info=build_info()[:40]).content(), "no Go build info"),
    ],
)
def test_a_file_that_is_no_go_binary_is_reported(binary: bytes, reason: str) -> None:
    (found,) = differences(layer_zip(binary))
    assert reason in found


def test_other_files_are_named() -> None:
    found = layer_zip(more={CONFIG: b"receivers: {}\nexporters: {}\n", "extensions/more": b"x"})
    assert layer_differences(found, LAYER) == (
        f"{CONFIG}: 28 bytes instead of 14",
        "extensions/more: not in the rebuild",
    )
    assert layer_differences(layer_zip(more={}), LAYER) == (f"{CONFIG}: missing",)


def test_another_time_is_reported_for_every_file() -> None:
    assert layer_differences(layer_zip(epoch=EPOCH + 60), LAYER) == (
        f"{CONFIG}: time 2025-06-15 15:07:40 instead of 2025-06-15 15:06:40",
        f"{COLLECTOR}: time 2025-06-15 15:07:40 instead of 2025-06-15 15:06:40",
    )


def test_another_mode_is_reported() -> None:
    entries = (
        ZipEntry(name=COLLECTOR, content=BINARY, mode=0o777),
        ZipEntry(name=CONFIG, content=b"receivers: {}\n"),
    )
    assert layer_differences(pack(entries, epoch=EPOCH), LAYER) == (
        f"{COLLECTOR}: mode: -rwxrwxrwx instead of -rwxr-xr-x",
    )


def rezipped(
    attributes: int | None = None,
    *,
    names: Sequence[str] = (CONFIG, COLLECTOR),
    method: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """The example's files packed by Python's zipfile, the config's mode and type as given."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(LAYER)) as layer,
        zipfile.ZipFile(buffer, "w", method) as other,
    ):
        for name in names:
            info = layer.getinfo(name)
            if attributes is not None and name == CONFIG:
                info.external_attr = attributes << 16
            other.writestr(info, layer.read(name), method)
    return buffer.getvalue()


def test_a_link_in_place_of_a_file_is_reported() -> None:
    assert layer_differences(rezipped(0o120644), LAYER) == (
        f"{CONFIG}: missing",
        f"{CONFIG}: mode: lrw-r--r-- instead of -rw-r--r--",
    )


PACKERS = {"zipfile, stored": zipfile.ZIP_STORED, "zipfile": zipfile.ZIP_DEFLATED}


@pytest.mark.parametrize("method", PACKERS.values(), ids=PACKERS.keys())
def test_the_same_files_by_another_packer_are_reported(method: int) -> None:
    assert layer_differences(rezipped(method=method), LAYER) == (
        "the same files, packed to other bytes: another packer",
    )


def test_another_order_is_reported() -> None:
    assert "its files are in another order" in layer_differences(
        rezipped(names=(COLLECTOR, CONFIG)), LAYER
    )


@pytest.mark.parametrize(
    "found", [b"", b"not a zip", LAYER[:-1], LAYER[100:], pack((), epoch=EPOCH), bytes(100_000)]
)
def test_a_file_that_is_no_layer_is_reported(found: bytes) -> None:
    (sentence,) = layer_differences(found, LAYER)
    assert sentence.startswith(("the zip ", "the zip: "))


@given(st.data())
def test_a_zip_damaged_anywhere_differs_and_never_fails(data: st.DataObject) -> None:
    content = bytearray(LAYER)
    ends = st.integers(0, 200) | st.integers(len(LAYER) - 200, len(LAYER) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(ends | st.integers(0, len(LAYER) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
    if (found := bytes(content)) != LAYER:
        assert layer_differences(found, LAYER)


def test_a_name_cannot_forge_a_line_of_the_report() -> None:
    evil = "x\n- same bytes: collector.zip\x1b[2K\r::error::\u202e"
    (sentence,) = layer_differences(layer_zip(more={CONFIG: b"receivers: {}\n", evil: b""}), LAYER)
    shown = "x\\n- same bytes: collector.zip\\x1b[2K\\r::error::\\u202e"
    assert sentence == f"{shown}: not in the rebuild"


def test_a_long_name_does_not_fill_the_screen() -> None:
    (sentence,) = layer_differences(
        layer_zip(more={CONFIG: b"receivers: {}\n", "x" * 60_000: b""}), LAYER
    )
    assert len(sentence) < 1100
