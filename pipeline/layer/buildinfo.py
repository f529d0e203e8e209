"""What Go's linker notes in each binary: its version, the modules, how it was compiled.

The format is that of Go's debug/buildinfo (the blob) and runtime/debug, file mod.go (the text).
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
_FRAME = 16  # the linker puts so many bytes around the modules' text
_LONGEST_VARINT = 10
_QUOTES = ('"', "`")

_COLLECTOR = "go.opentelemetry.io/collector/otelcol"
DEVELOPMENT = "(devel)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A Go module in a binary.

    Attributes:
        version: empty or `(devel)` for source code that has none.
        sum: as in go.sum, `h1:` and base64; empty for a folder.
        replaced_by: what was compiled in its stead; a folder has a path and no version.
    """

    path: str
    version: str = ""
    sum: str = ""
    replaced_by: Module | None = None

    @property
    def source(self) -> Module:
        """The module whose code it is: the replacement, else itself."""
        return self.replaced_by or self

    @property
    def published(self) -> bool:
        """Whether its code is a version that others can have."""
        return self.source.version not in ("", DEVELOPMENT)

    def __str__(self) -> str:
        return f"{self.path}@{self.version}" if self.version else self.path


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildInfo:
    """How a binary was made.

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
        """The collector's version as people know it, empty for a binary that is none."""
        found = (module for module in self.modules if module.path == _COLLECTOR)
        return next((module.source.version for module in found), "")

    def setting(self, name: str) -> str:
        """One setting, empty where it is not noted."""
        return dict(self.settings).get(name, "")


def read_build_info(elf: Elf) -> BuildInfo:
    """Read what Go noted in a binary.

    Raises:
        UsageError: there is nothing, or nothing that can be read.
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
    """Parse the lines `path`, `mod`, `dep`, `=>` and `build`, with tabs between their words.

    Raises:
        UsageError: a line is none of these.
    """
    path, main = "", None
    modules: list[Module] = []
    settings: list[tuple[str, str]] = []
    for line in text.splitlines():
        word, _, rest = line.partition("\t")
        if word == "path":
            path = rest
        elif word == "mod":
            main = _module(rest)
        elif word == "dep":
            modules.append(_module(rest))
        elif word == "=>" and modules:
            modules[-1] = replace(modules[-1], replaced_by=_module(rest))
        elif word == "=>" and main:
            main = replace(main, replaced_by=_module(rest))
        elif word == "build":
            settings.append(_setting(rest))
        elif word:
            raise _refused()
    return BuildInfo(
        go_version=go_version,
        path=path,
        main=main or Module(path=path),
        modules=tuple(modules),
        settings=tuple(settings),
    )


def _module(words: str) -> Module:
    path, version, check, *_ = (*words.split("\t"), "", "")
    return Module(path=path, version=version, sum=check)


def _setting(text: str) -> tuple[str, str]:
    """Name and value; either is quoted as in Go where it has spaces or quotes in it."""
    name, _, value = text.partition("=")
    if text.startswith(_QUOTES):
        end = text.find(f"{text[0]}=", 1) + 1
        name, value = text[:end], text[end + 1 :]
    return _unquoted(name), _unquoted(value)


def _unquoted(text: str) -> str:
    if not text.startswith(_QUOTES):
        return text
    try:
        # Go's escapes are Python's
        value = text[1:-1] if text.startswith("`") else ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError) as error:
        raise _refused() from error
    return str(value)


def _text(blob: bytes, at: int) -> tuple[bytes, int]:
    """A text after its length as a varint, and where it ends."""
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
