"""Go modules: the texts of go.mod and go.sum (pure), and a folder that Go takes as a module proxy.

Formats: https://go.dev/ref/mod#go-mod-file, https://go.dev/ref/mod#go-sum-files and
https://go.dev/ref/mod#goproxy-protocol
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.files import output_errors

DOWNLOADS = "cache/download"
DEFAULT_PROXY = "https://proxy.golang.org,direct"

_REQUIRE = re.compile(r"^(?P<path>[^\s()]+)\s+(?P<version>v[^\s]+)$")
_REPLACED_BY_FOLDER = re.compile(
    r"^[ \t]*(?:replace[ \t]+)?(?P<path>[^\s()/][^\s()]*)(?:[ \t]+v\S+)?[ \t]+=>[ \t]+"
    r"(?P<folder>\"?\.{1,2}(?:/[^\s\"]*)?(?=[\s\"]|\Z))",
    re.MULTILINE,
)
_OWN_PATH = re.compile(rb"^module\s+(\S+)", re.MULTILINE)
_SETTING = re.compile(r"^(?P<path>go|toolchain)\s+(?P<version>\S+)$")


def requirements(go_mod: bytes) -> dict[str, str]:
    """Version by module path; the keys `go` and `toolchain` stand for those lines."""
    found: dict[str, str] = {}
    block = ""
    for raw in go_mod.decode(errors="replace").splitlines():
        line = raw.partition("//")[0].strip()
        if line.endswith("("):
            block = line.removesuffix("(").strip()
        elif line == ")":
            block = ""
        elif match := _required(line, block):
            found[match["path"]] = match["version"]
    return found


def _required(line: str, block: str) -> re.Match[str] | None:
    if block:
        return _REQUIRE.match(line) if block == "require" else None
    word, rest = (*line.split(maxsplit=1), "", "")[:2]
    return _REQUIRE.match(rest) if word == "require" else _SETTING.match(line)


def module_path(go_mod: bytes) -> str:
    """Return the path of a go.mod's own module; empty if it names none."""
    found = _OWN_PATH.search(go_mod)
    return found[1].decode(errors="replace").strip('"') if found else ""


def folder_modules(go_mod: bytes) -> dict[str, str]:
    """Return the modules that a go.mod requires and replaces by a folder, with that folder.

    The folders are relative to that of the go.mod, such as `lambdacomponents`.
    """
    required = requirements(go_mod)
    return {path: folder for path, folder in _replacements(go_mod) if path in required}


def module_folders(go_mod: bytes) -> frozenset[str]:
    """Return the folders of `folder_modules`."""
    return frozenset(folder_modules(go_mod).values())


def replaced_folders(go_mod: bytes) -> frozenset[str]:
    """Return all relative paths by which a go.mod replaces modules, required ones or not."""
    return frozenset(folder for _, folder in _replacements(go_mod))


def _replacements(go_mod: bytes) -> Iterator[tuple[str, str]]:
    """The modules that a go.mod replaces by a relative path, each with that path."""
    for found in _REPLACED_BY_FOLDER.finditer(go_mod.decode(errors="replace")):
        yield found["path"].strip('"'), posixpath.normpath(found["folder"].strip('"'))


def added_requirements(old: bytes, new: bytes) -> tuple[str, ...]:
    """Return the requirements of a new go.mod that differ from the old one's, as module@version."""
    before = requirements(old)
    return tuple(
        sorted(
            f"{path}@{version}"
            for path, version in requirements(new).items()
            if before.get(path) != version
        )
    )


def added_sums(old: bytes, new: bytes) -> tuple[str, ...]:
    """The lines of a new go.sum that the old one has not, sorted."""
    return tuple(sorted(set(_lines(new)) - set(_lines(old))))


def changed_sums(before: Iterable[str], now: Iterable[str]) -> tuple[str, ...]:
    """The modules whose sum is another now, each with both values."""
    sums = dict(line.rsplit(" ", 1) for line in before)
    return tuple(
        f"{name}: locked {sums[name]}, now {value}"
        for name, value in (line.rsplit(" ", 1) for line in now)
        if sums.get(name, value) != value
    )


def with_sums(go_sum: bytes, lines: Iterable[str]) -> bytes:
    """A go.sum with lines added that it has not yet."""
    present = _lines(go_sum)
    more = sorted(set(lines) - set(present))
    return "".join(f"{line}\n" for line in (*present, *more)).encode() if more else go_sum


def edit_arguments(required: Sequence[str]) -> tuple[str, ...]:
    """Requirements, as `module@version`, as arguments of `go mod edit`."""
    settings = {"go": "-go=", "toolchain": "-toolchain="}
    return tuple(
        f"{settings[path]}{version}" if path in settings else f"-require={path}@{version}"
        for path, _, version in (each.partition("@") for each in required)
    )


def _lines(go_sum: bytes) -> list[str]:
    return [line for line in go_sum.decode(errors="replace").splitlines() if line.strip()]


def offline_settings(proxy: str) -> dict[str, str]:
    """Return Go's settings for modules from one proxy alone; their sums are in go.sum."""
    return {"GOPROXY": proxy, "GONOPROXY": "none", "GOSUMDB": "off", "GOVCS": "*:off"}


def move_modules(downloads: Path, proxy: Path) -> None:
    """Make a proxy's folder of what a Go module cache has downloaded.

    Only sources and go.mod files are taken, which go.sum has checksums of; the rest of the protocol
    is made from their names, so that time and origin of a download do not count.

    Args:
        downloads: `cache/download` of a Go module cache; it is emptied.
        proxy: the folder to be filled.
    """
    with output_errors(proxy):
        proxy.mkdir(parents=True, exist_ok=True)
        for path in sorted(downloads.rglob("@v/*")):
            if path.suffix in (".mod", ".zip"):
                target = proxy / path.relative_to(downloads)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        for folder in sorted(proxy.rglob("@v")):
            versions = sorted({path.stem for path in folder.iterdir()})
            (folder / "list").write_text("".join(f"{_unescaped(each)}\n" for each in versions))
            for each in versions:
                info = json.dumps({"Version": _unescaped(each)})
                (folder / f"{each}.info").write_text(info)


def escaped(text: str) -> str:
    """Return a path or version as file names have it: `!x` for a capital.

    https://go.dev/ref/mod#module-cache
    """
    return re.sub("[A-Z]", lambda match: f"!{match[0].lower()}", text)


def _unescaped(text: str) -> str:
    """A version as it is: file names have `!x` for a capital."""
    first, *rest = text.split("!")
    return first + "".join(each[:1].upper() + each[1:] for each in rest)
