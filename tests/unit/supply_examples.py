"""Small binaries of Go's shape, made by hand, and layers that hold them.

The formats are those named in pipeline/layer: ELF, Go's build info, Go's table of functions.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.layer.layerfile import COLLECTOR
from pipeline.layer.zip import ZipEntry, pack

MACHINES = {"amd64": 0x3E, "arm64": 0xB7}
EPOCH = 1_750_000_000
MARK = b"0123456789abcdef"

CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"
OTEL = "go.opentelemetry.io/collector"
MAIN = "github.com/open-telemetry/opentelemetry-lambda/collector"

INFO = f"""\
path\t{MAIN}
mod\t{MAIN}\t(devel)\t
dep\tgithub.com/BurntSushi/toml\tv1.5.0\th1:toml=
dep\t{CONTRIB}/connector/signaltometricsconnector\tv0.1.0
=>\texample.com/fork\tv0.2.0\th1:fork=
dep\tgo.opentelemetry.io/collector/otelcol\tv0.155.0\th1:otelcol=
dep\tgo.opentelemetry.io/collector/receiver/otlpreceiver\tv0.155.0\th1:otlp=
dep\tgopkg.in/yaml.v3\tv3.0.1\th1:yaml=
dep\tlambdacomponents\tv0.0.0
=>\t./lambdacomponents\t(devel)\t
build\t-tags=lambdacomponents.custom,lambdacomponents.receiver.otlp
build\t-ldflags="-X main.Name=a b"
build\tCGO_ENABLED=0
build\tGOARCH=amd64
"""


def varint(number: int) -> bytes:
    """A number as Go's binary.PutUvarint writes it."""
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def build_info(text: str = INFO, version: str = "go1.26.6") -> bytes:
    """The linker's blob: header, version and framed text."""
    header = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16)
    framed = MARK + text.encode() + MARK
    return header + b"".join(varint(len(each)) + each for each in (version.encode(), framed))


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function of a table.

    Attributes:
        code: bytes.
        values: offsets of its tables of values; the first three are those that all have.
        data: offsets of its data.
    """

    name: str
    code: int = 16
    values: Sequence[int] = (0, 0, 0)
    data: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """The parts of a table of functions.

    Attributes:
        inlined: names of functions that exist only inside others.
        values: bytes of the tables of values.
        data: bytes of the functions' data, before the index from address to function.
    """

    functions: Sequence[Function]
    inlined: Sequence[str] = ()
    values: int = 1
    data: int = 0
    units: bytes = bytes(8)
    files: bytes = b"main.go\0"

    def content(self) -> bytes:
        names = b"".join(f"{name}\0".encode() for name in self.names())
        rows, structs = self.rows()
        code = sum(each.code for each in self.functions)
        index = bytes(-(-code // 4096) * 4 + -(-code // 256))
        parts = (names, self.units, self.files, bytes(self.values))
        at = [72]
        for part in parts:
            at.append(at[-1] + len(part))
        header = struct.pack("<IxxBB8Q", 0xFFFFFFF1, 1, 8, len(self.functions), 1, 0, *at)
        return header + b"".join(parts) + rows + structs + bytes(self.data) + index

    def names(self) -> list[str]:
        return [*dict.fromkeys(each.name for each in self.functions), *self.inlined]

    def rows(self) -> tuple[bytes, bytes]:
        offsets: dict[str, int] = {}
        offset = 0
        for name in self.names():
            offsets[name] = offset
            offset += len(name.encode()) + 1
        rows, structs, entry = b"", b"", 0
        before = 8 * len(self.functions) + 4
        for each in self.functions:
            rows += struct.pack("<II", entry, before + len(structs))
            more = each.values[3:]
            fixed = (entry, offsets[each.name], 0, 0, *each.values[:3], len(more), 0, 1)
            structs += struct.pack("<10IBBxB", *fixed, 0, 0, len(each.data))
            structs += struct.pack(f"<{len(more)}I{len(each.data)}I", *more, *each.data)
            entry += each.code
        return rows + struct.pack("<I", entry), structs


FUNCTIONS = (
    Function(name="internal/abi.Name.Name", code=32),
    Function(name="runtime.main", code=64, values=(1, 5, 0)),
    Function(name="vendor/golang.org/x/net/idna.ToASCII", code=16),
    Function(name="memeqbody", code=16),
    Function(name=f"{OTEL}/otelcol.(*Collector).Run.func1", code=48, values=(5, 9, 0)),
    Function(name=f"{OTEL}/receiver/otlpreceiver.createTraces", code=128, values=(0, 0, 0, 13)),
    Function(name=f"{OTEL}/receiver/otlpreceiver/internal/trace.New", code=32),
    Function(name=f"{OTEL}/receiver.NewFactory", code=16),
    Function(name=f"{CONTRIB}/connector/signaltometricsconnector.NewFactory", code=80),
    Function(name="gopkg.in/yaml%2ev3.Marshal", code=96),
    Function(name="type:.eq.[2]gopkg.in/yaml%2ev3.event", code=16),
    Function(name="slices.SortFunc[...]", code=48),
    Function(name="go:struct { net/http.Flusher }.Flush", code=16),
    Function(name="main.main", code=32),
)
TABLE = Table(
    functions=FUNCTIONS,
    inlined=(f"{OTEL}/receiver/otlpreceiver.NewFactory",),
    values=20,
)


@dataclass(frozen=True, kw_only=True)
class Binary:
    """An ELF file with Go's sections."""

    architecture: str = "amd64"
    info: bytes = field(default_factory=build_info)
    table: bytes = field(default_factory=TABLE.content)
    text: int = sum(each.code for each in FUNCTIONS) + 8
    code: bytes = b""
    rodata: int = 100

    def content(self) -> bytes:
        sections = {
            ".text": self.code or bytes(self.text),
            ".rodata": bytes(self.rodata),
            ".gopclntab": self.table,
            ".go.buildinfo": self.info,
        }
        return elf({name: part for name, part in sections.items() if part}, self.architecture)


def elf(sections: Mapping[str, bytes], architecture: str = "amd64") -> bytes:
    """A 64-bit little-endian ELF file with those sections, and a .bss, which takes no bytes."""
    names = b"\0" + b"".join(f"{name}\0".encode() for name in (*sections, ".bss", ".shstrtab"))
    body, headers = bytearray(64), [bytes(64)]
    for name, content in {**sections, ".shstrtab": names}.items():
        at = names.index(f"\0{name}\0".encode()) + 1
        headers.append(_header(at, 1, 0x400000 + len(body), len(body), len(content)))
        body += content + bytes(-len(content) % 16)
    headers.append(_header(names.index(b"\0.bss\0") + 1, 8, 0x900000, len(body), 1 << 40))
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    kind = (2, MACHINES[architecture], 1)
    figures = (0, 0, len(body), 0, 64, 56, 0, 64, len(headers), len(headers) - 2)
    body[:64] = ident + struct.pack("<HHIQQQIHHHHHH", *kind, *figures)
    return bytes(body + b"".join(headers))


def _header(name: int, kind: int, address: int, offset: int, size: int) -> bytes:
    return struct.pack("<IIQQQQIIQQ", name, kind, 0, address, offset, size, 0, 0, 1, 0)


def layer_zip(
    binary: bytes | None = None, more: Mapping[str, bytes] | None = None, *, epoch: int = EPOCH
) -> bytes:
    """A layer as the packer makes it."""
    content = Binary().content() if binary is None else binary
    files = {"collector-config/config.yaml": b"receivers: {}\n"} if more is None else more
    entries = (ZipEntry(name=name, content=each) for name, each in files.items())
    return pack((ZipEntry(name=COLLECTOR, content=content, mode=0o755), *entries), epoch=epoch)


_MODULE = "example.com/one", "v1.2.3", f"h1:{'A' * 43}="
PAPER_INFO = (
    "path\texample.com/main\nmod\texample.com/main\t(devel)\t\ndep\t" + "\t".join(_MODULE) + "\n"
)


def paper(architecture: str) -> bytes:
    """A binary with nothing in it except its build info."""
    return Binary(architecture=architecture, info=build_info(PAPER_INFO)).content()
