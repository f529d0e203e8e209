"""The files of a source tree that Go compiles, and the reason for each that it does not. Pure.

The rules are those of go/build, of which `matchFile`, `goodOSArchFile` and `shouldBuild` are the
parts: https://pkg.go.dev/cmd/go#hdr-Build_constraints, https://pkg.go.dev/embed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from pipeline.build.modules import folder_modules, module_path
from pipeline.build.recipe import GO_VERSION
from pipeline.files import Tree
from pipeline.naming import Architecture

# Values of GOOS and GOARCH that restrict a file by its name: internal/syslist of Go.
_SYSTEMS = frozenset(
    (
        *("aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js"),
        *("linux", "nacl", "netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows", "zos"),
    )
)
_PROCESSORS = frozenset(
    (
        *("386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "loong64", "mips"),
        *("mipsle", "mips64", "mips64le", "mips64p32", "mips64p32le", "ppc", "ppc64", "ppc64le"),
        *("riscv", "riscv64", "s390", "s390x", "sparc", "sparc64", "wasm"),
    )
)
# Tags of each target: the system, the compiler, the least processor, every Go so far.
_TAGS_OF = {
    Architecture.AMD64: frozenset({"amd64", "amd64.v1"}),
    Architecture.ARM64: frozenset({"arm64", "arm64.v8.0"}),
}
_MINOR = int(GO_VERSION.split(".")[1])
_TAGS = frozenset({"linux", "unix", "gc", *(f"go1.{each}" for each in range(1, _MINOR + 1))})

# What Go takes from a package's folder besides Go files, where cgo is off.
_ASSEMBLED = (".s", ".S", ".sx", ".h", ".hh", ".hpp", ".hxx", ".syso")
_MODULE_FILES = ("go.mod", "go.sum")

_COMMENTS = re.compile(
    rb"""//[^\n]*|/\*.*?\*/|(?P<text>"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])*')""", re.DOTALL
)
_HEADER = re.compile(rb"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_CONSTRAINT = re.compile(rb"^//go:build[ \t]+(.+?)\s*$", re.MULTILINE)
_OLD_CONSTRAINT = re.compile(rb"^//[ \t]*\+build[ \t]+(.+?)\s*$", re.MULTILINE)
_DECLARATION = re.compile(rb"^(?:func|type|var|const)\b", re.MULTILINE)
_IMPORT = re.compile(rb"""^\s*(?:import\s+)?(?:[\w.]+\s+)?["`]([^"`\n]+)["`]\s*$""", re.MULTILINE)
_EMBED = re.compile(rb"^//go:embed[ \t]+(.+?)\s*$", re.MULTILINE)
_TOKEN = re.compile(r"\s*(\|\||&&|[!()]|[\w.]+)")


def imports(content: bytes) -> frozenset[str]:
    """Return the packages that a Go file imports."""
    code = _COMMENTS.sub(lambda found: found["text"] or b"", content)
    head = _DECLARATION.split(code, maxsplit=1)[0]
    return frozenset(each.decode(errors="replace") for each in _IMPORT.findall(head))


def constraint(content: bytes) -> str:
    """Return the build constraint of a Go file as an expression; empty where it has none."""
    found = _HEADER.match(content)
    header = found[0] if found else b""
    if lines := _CONSTRAINT.findall(header):
        return lines[0].decode(errors="replace")
    alternatives = [
        line.decode(errors="replace").split() for line in _OLD_CONSTRAINT.findall(header)
    ]
    return " && ".join(
        f"({' || '.join(each.replace(',', ' && ') for each in words)})" for words in alternatives
    )


def is_met(expression: str, tags: Collection[str]) -> bool:
    """Return True if tags meet a build constraint.

    Raises:
        ValueError: it is no constraint.
    """
    words = _TOKEN.findall(expression)
    if "".join(words) != "".join(expression.split()):
        raise ValueError(f"{expression!r} is no build constraint")
    met, rest = _either(words, tags)
    if rest:
        raise ValueError(f"{expression!r} is no build constraint")
    return met


def _either(words: list[str], tags: Collection[str]) -> tuple[bool, list[str]]:
    met, words = _both(words, tags)
    while words[:1] == ["||"]:
        other, words = _both(words[1:], tags)
        met = met or other
    return met, words


def _both(words: list[str], tags: Collection[str]) -> tuple[bool, list[str]]:
    met, words = _single(words, tags)
    while words[:1] == ["&&"]:
        other, words = _single(words[1:], tags)
        met = met and other
    return met, words


def _single(words: list[str], tags: Collection[str]) -> tuple[bool, list[str]]:
    first, rest = (words[0], words[1:]) if words else ("", [])
    if first == "!":
        met, rest = _single(rest, tags)
        return not met, rest
    if first == "(":
        met, rest = _either(rest, tags)
        if rest[:1] != [")"]:
            raise ValueError("a bracket is not closed")
        return met, rest[1:]
    if first in ("", ")", "&&", "||"):
        raise ValueError("a tag is missing")
    return first in tags, rest


def uncompiled_files(
    tree: Tree, names: Iterable[str], tags: Collection[str], architectures: Iterable[Architecture]
) -> dict[str, str]:
    """Return the reason for each of some files of a tree that is compiled for no architecture.

    Args:
        tree: the sources, with go.mod.
        names: the files in question.
        tags: Go build tags.
        architectures: what is compiled for.
    """
    targets = [
        _Target(tree=tree, tags=frozenset(tags) | _TAGS | _TAGS_OF[each]) for each in architectures
    ]
    reasons: dict[str, str] = {}
    for name in names:
        found = [target.problem(name) for target in targets]
        if all(found):
            reasons[name] = found[0]
    return reasons


@dataclass(frozen=True, kw_only=True)
class _Target:
    """A source tree, and the tags with which it is compiled."""

    tree: Tree = field(repr=False)
    tags: frozenset[str]

    def problem(self, name: str) -> str:
        """Return why a file is not compiled; empty if it is, or is embedded in what is compiled."""
        folder, base = posixpath.split(name)
        if base in _MODULE_FILES:
            return "" if folder in self.modules.values() else "go.mod names no module in its folder"
        if base == "go.work":
            return "builds use no workspace"
        if name in self.embedded:
            return ""
        if problem := self.own_problem(name):
            return problem
        return "" if folder in self.compiled else "no compiled package imports its folder"

    def own_problem(self, name: str) -> str:
        """Return why a file is not compiled wherever it is; empty if it may be."""
        base = posixpath.basename(name)
        stem, _, extension = base.rpartition(".")
        if base.startswith(("_", ".")):
            return f"its name begins with {base[0]}"
        if not stem or f".{extension}" not in (".go", *_ASSEMBLED):
            return "no Go file, and no compiled file embeds it"
        if base.endswith("_test.go"):
            return "a test"
        if others := _platform(base) - self.tags:
            return f"its name is for {' and '.join(sorted(others))}"
        return self.content_problem(name) if extension == "go" else ""

    def content_problem(self, name: str) -> str:
        """Return why a Go file is not compiled by what is in it; empty if it may be."""
        content = self.tree[name]
        try:
            if (wanted := constraint(content)) and not is_met(wanted, self.tags):
                return f"build constraint: {wanted}"
        except ValueError:
            return ""  # the compiler says so
        if "C" in imports(content):
            return 'imports "C", but cgo is off'
        if re.search(rb"^package[ \t]+documentation\b", content, re.MULTILINE):
            return "Go ignores a package of the name documentation"
        return ""

    @cached_property
    def modules(self) -> Mapping[str, str]:
        """Folders of the modules of the tree, by the paths of the modules."""
        go_mod = self.tree.get("go.mod", b"")
        return {**folder_modules(go_mod), module_path(go_mod): ""}

    @cached_property
    def files(self) -> Mapping[str, tuple[str, ...]]:
        """The Go files of each folder that may be compiled."""
        found: dict[str, list[str]] = {}
        for name in self.tree:
            if name.endswith(".go") and not self.own_problem(name):
                found.setdefault(posixpath.dirname(name), []).append(name)
        return {folder: tuple(names) for folder, names in found.items()}

    @cached_property
    def compiled(self) -> frozenset[str]:
        """The folders of the packages that the program is made of."""
        found: set[str] = set()
        left: set[str] = {""}
        while left:
            folder = left.pop()
            found.add(folder)
            for name in self.files.get(folder, ()):
                packages = map(self.folder, imports(self.tree[name]))
                left |= {each for each in packages if each is not None} - found
        return frozenset(found)

    def folder(self, package: str) -> str | None:
        """Return the folder of a package; None for one of another module."""
        for module in sorted(self.modules, key=len, reverse=True):
            if f"{package}/".startswith(f"{module}/"):
                path = posixpath.join(self.modules[module], package[len(module) + 1 :])
                return "" if path in ("", ".") else posixpath.normpath(path)
        return None

    @cached_property
    def embedded(self) -> frozenset[str]:
        """The files that compiled packages embed."""
        patterns = [
            (folder, pattern.decode(errors="replace").strip('"`'))
            for folder in self.compiled
            for name in self.files.get(folder, ())
            for line in _EMBED.findall(self.tree[name])
            for pattern in line.split()
        ]
        return frozenset(
            name for name in self.tree if any(_embeds(*each, name) for each in patterns)
        )


def _platform(base: str) -> frozenset[str]:
    """Return system and processor that a file's name is for, as in `x_linux_arm64.go`."""
    words = base.partition(".")[0].split("_")[1:]
    words = words[:-1] if words[-1:] == ["test"] else words
    if len(words) > 1 and words[-2] in _SYSTEMS and words[-1] in _PROCESSORS:
        return frozenset(words[-2:])
    return frozenset(words[-1:]) & (_SYSTEMS | _PROCESSORS)


def _embeds(folder: str, pattern: str, name: str) -> bool:
    """Return True if a pattern of a package's folder embeds a file."""
    hidden, pattern = pattern.startswith("all:"), pattern.removeprefix("all:")
    if folder and not name.startswith(f"{folder}/"):
        return False
    parts = name.removeprefix(f"{folder}/" if folder else "").split("/")
    wanted = posixpath.normpath(pattern).split("/")
    if pattern in (".", ""):
        wanted = []
    matched = len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))
    below = parts[len(wanted) :]
    return matched and (hidden or not any(each.startswith((".", "_")) for each in below))
