"""Go's build info, which the linker puts in each binary: Go version, modules, build settings.

The formats are those of Go's debug/buildinfo (the blob) and runtime/debug, mod.go (the text).
https://github.com/golang/go/blob/go1.26.6/src/debug/buildinfo/buildinfo.go
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from pipeline.errors import UsageError
from pipeline.layer.elf import Elf

_SECTION = ".go.buildinfo"
_MAGIC = b"\xff Go buildinf:"
_HEADER = 32
_FLAGS = 15
_INLINE = 0x2  # since Go 1.18 the texts follow the header
_FRAME = 16  # bytes that the linker puts before and after the modules' text
_LONGEST_VARINT = 10
_QUOTES = ('"', "`")

_COLLECTOR = "go.opentelemetry.io/collector/otelcol"
DEVELOPMENT = "(devel)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A Go module in a binary.

    Attributes:
        version: empty or `(devel)` for code without a version.
        sum: as in go.sum, `h1:` and base64; empty for a folder.
        replaced_by: the module or folder that was compiled instead; a folder has no version.
    """

    path: str
    version: str = ""
    sum: str = ""
    replaced_by: Module | None = None

    @property
    def source(self) -> Module:
        """The module that was compiled: the replacement, else this one."""
        return self.replaced_by or self

    @property
    def published(self) -> bool:
        """True if the compiled code has a version."""
        return self.source.version not in ("", DEVELOPMENT)

    def __str__(self) -> str:
        return f"{self.path}@{self.version}" if self.version else self.path


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildInfo:
    """The build info of a binary.

    Attributes:
        go_version: such as `go1.26.6`.
        path: import path of the main package.
        main: the module of the main package.
        modules: all others, in Go's order.
        settings: names and values, such as `-tags` and `GOARCH`, in Go's order.
    """

    go_version: str
    path: str
    main: Module
    modules: tuple[Module, ...]
    settings: tuple[tuple[str, str], ...]

    @property
    def go(self) -> str:
        """Go's version as a number: `1.26.6`, without experiments."""
        return self.go_version.removeprefix("go").partition(" ")[0]

    @property
    def collector_version(self) -> str:
        """The collector's version, such as v0.155.0; empty for a binary without otelcol."""
        found = (module for module in self.modules if module.path == _COLLECTOR)
        return next((module.source.version for module in found), "")

    def setting(self, name: str) -> str:
        """Return a setting's value; empty where there is none."""
        return dict(self.settings).get(name, "")


def read_build_info(elf: Elf) -> BuildInfo:
    """Read a binary's build info.

    Raises:
        UsageError: it has none, or none that can be read.
    """
    section = elf.section(_SECTION)
    blob = bytes(elf.bytes_of(section)) if section else b""
    start = blob.find(_MAGIC)
    header = blob[start : start + _HEADER] if start >= 0 else b""
    if len(header) < _HEADER or not header[_FLAGS] & _INLINE:
        raise _refused()
    version, end = _text(blob, start + _HEADER)
    framed, _ = _text(blob, end)
    if not version:
        raise _refused()
    try:
        return parse_build_info(version.decode(), framed[_FRAME:-_FRAME].decode())
    except UnicodeDecodeError as error:
        raise _refused() from error


def parse_build_info(go_version: str, text: str) -> BuildInfo:
    """Parse the lines `path`, `mod`, `dep`, `=>` and `build`, whose fields are separated by tabs.

    Raises:
        UsageError: a line is none of these.
    """
    path, main = "", None
    modules: list[Module] = []
    settings: list[tuple[str, str]] = []
    for line in text.splitlines():
        key, _, value = line.partition("\t")
        if key == "path":
            path = value
        elif key == "mod":
            main = _module(value)
        elif key == "dep":
            modules.append(_module(value))
        elif key == "=>" and modules:
            modules[-1] = replace(modules[-1], replaced_by=_module(value))
        elif key == "=>" and main:
            main = replace(main, replaced_by=_module(value))
        elif key == "build":
            settings.append(_setting(value))
        elif key:
            raise _refused()
    return BuildInfo(
        go_version=go_version,
        path=path,
        main=main or Module(path=path),
        modules=tuple(modules),
        settings=tuple(settings),
    )


def _module(fields: str) -> Module:
    path, version, go_sum, *_ = (*fields.split("\t"), "", "")
    return Module(path=path, version=version, sum=go_sum)


def _setting(text: str) -> tuple[str, str]:
    """Return name and value; Go quotes either where it contains spaces or quotes."""
    name, _, value = text.partition("=")
    if text.startswith(_QUOTES):
        end = text.find(f"{text[0]}=", 1) + 1
        name, value = text[:end], text[end + 1 :]
    return _unquoted(name), _unquoted(value)


def _unquoted(text: str) -> str:
    if not text.startswith(_QUOTES):
        return text
    try:
        # Go and Python have the same escapes
        value = text[1:-1] if text.startswith("`") else ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError) as error:
        raise _refused() from error
    return str(value)


def _text(blob: bytes, at: int) -> tuple[bytes, int]:
    """Return a text that follows its length (a varint), and the offset of its end."""
    length = 0
    for index, byte in enumerate(blob[at : at + _LONGEST_VARINT]):
        length |= (byte & 0x7F) << 7 * index
        if byte < 0x80:  # noqa: PLR2004  a varint's last byte
            start = at + index + 1
            if start + length <= len(blob):
                return blob[start : start + length], start + length
            break
    raise _refused()


def _refused() -> UsageError:
    return UsageError(
        "the collector has no Go build info",
        hint="give a layer whose extensions/collector was linked by Go 1.18 or newer",
    )
