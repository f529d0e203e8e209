"""Changes of upstream's own files: named tunings, each applied whole or not at all.

An edit names a short string of a file and its replacement. A tuning whose string is no longer in
upstream's file, or more often than expected, is left out with a note. A tuning that only replaces
modules which upstream does not have is not needed: it is left out without a note. A build tag that
no compiled package uses is found when `go list` has named the packages; it gets a note.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from pipeline.build.modules import module_path, requirements
from pipeline.config.tuning import Edit, Replacement, Tuning
from pipeline.files import Tree, text_with_lf

# Stands for the path of upstream's module, whatever a fork calls it.
MODULE_WORD = "{module}"
_TAG_PREFIX = "ocelot.tuning"
_GO_MOD = "go.mod"
# Folder of the modules that tunings bring, below collector/.
_BROUGHT = "internal"

_PACKAGE = re.compile(r"^package\s+\w+[^\n]*\n", re.MULTILINE)
_IMPORTS = re.compile(r"^import \(\n", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class TunedFiles:
    """The result of applying tunings.

    Attributes:
        files: the files that are changed or new, by path below `collector/`.
        applied: names of the tunings that are in them.
        left_out: those that do not fit, each with the reason.
        touched: the files of each applied tuning.
        replaced: the modules that an applied tuning replaces, where it does.
        tags: the Go build tags of each applied tuning that has some.
    """

    files: Tree = field(repr=False)
    applied: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    touched: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    replaced: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def build_tags(self) -> tuple[str, ...]:
        """The Go build tags of a tuned build: those of the tunings, and one that marks each."""
        return (*self.named_tags, *map(tuning_tag, self.applied))

    @property
    def named_tags(self) -> tuple[str, ...]:
        """The Go build tags that the applied tunings name."""
        return tuple(dict.fromkeys(tag for tags in self.tags.values() for tag in tags))

    def without_effect(self, unused: Collection[str]) -> tuple[str, ...]:
        """Return a sentence for each tuning and build tag that no compiled package uses."""
        return tuple(
            f"the tuning {name} does not fit: no compiled package uses the build tag {tag}"
            for name, tags in self.tags.items()
            for tag in tags
            if tag in unused
        )


@dataclass(frozen=True, order=True)
class _Splice:
    """A replacement for a part of a file; for an empty part, an insertion.

    Attributes:
        start, end: of the part, in characters of the file as it came.
    """

    start: int
    end: int
    text: str

    def overlaps(self, other: _Splice) -> bool:
        """Return True if both would change the same part."""
        return self.start < other.end and other.start < self.end


class _MisfitError(Exception):
    """The reason why a tuning does not fit."""


def tuned_files(tree: Tree, tunings: Mapping[str, Tuning], own: Tree) -> TunedFiles:
    """Apply tunings to upstream's files.

    Args:
        tree: upstream's `collector/`, with whatever is laid over it.
        tunings: by name, in the order in which they are applied.
        own: Go files that tunings bring, by path below `config/tuning/`.
    """
    splices: dict[str, list[_Splice]] = {}
    brought: dict[str, bytes] = {}
    left_out: list[tuple[str, str]] = []
    touched: dict[str, tuple[str, ...]] = {}
    needed = {name: each for name, each in tunings.items() if _is_needed(tree, each)}
    for name, tuning in needed.items():
        try:
            more = _splices(tree, tuning, splices)
            new = _brought({**tree, **brought}, tuning, own)
        except _MisfitError as misfit:
            left_out.append((name, str(misfit)))
            continue
        for path, each in more.items():
            splices.setdefault(path, []).extend(each)
        brought.update(new)
        touched[name] = tuple(sorted({*more, *new}))
    edited = {path: _spliced(_text(tree, path), each) for path, each in splices.items()}
    return TunedFiles(
        files={**edited, **brought},
        applied=tuple(touched),
        left_out=tuple(left_out),
        touched=touched,
        replaced={
            name: tuple(replacement.module for replacement in _present(tree, each))
            for name, each in needed.items()
            if each.replaces and name in touched
        },
        tags={name: each.tags for name, each in needed.items() if each.tags and name in touched},
    )


def tuning_tag(name: str) -> str:
    """Return the Go build tag that marks a tuned binary; no file depends on it."""
    return f"{_TAG_PREFIX}.{name.replace('-', '_')}"


def _splices(
    tree: Tree, tuning: Tuning, taken: Mapping[str, list[_Splice]]
) -> dict[str, list[_Splice]]:
    """The changes of a tuning in each file; none may overlap another tuning's."""
    found: dict[str, list[_Splice]] = {}
    for edit in tuning.edits:
        text = _text(tree, edit.file)
        own = found.setdefault(edit.file, [])
        others = [*taken.get(edit.file, ()), *own]
        for splice in _places(text, edit):
            if any(splice.overlaps(other) for other in others):
                raise _MisfitError(f"{edit.file}: {edit.find!r} is changed by another edit, too")
            own.append(splice)
        own += [
            splice
            for splice in _import_splices(text, edit, module_path(tree.get(_GO_MOD, b"")))
            if splice not in (*taken.get(edit.file, ()), *own)
        ]
    for each in _present(tree, tuning):
        others = [*taken.get(_GO_MOD, ()), *found.get(_GO_MOD, ())]
        found.setdefault(_GO_MOD, []).append(_replacing_splice(tree, each, others))
    return found


def _is_needed(tree: Tree, tuning: Tuning) -> bool:
    """Return False for a tuning that only replaces modules, none of which upstream has."""
    return bool(tuning.edits or not tuning.replaces or _present(tree, tuning))


def _present(tree: Tree, tuning: Tuning) -> tuple[Replacement, ...]:
    """A tuning's replacements of modules that upstream has."""
    present = requirements(tree.get(_GO_MOD, b""))
    return tuple(each for each in tuning.replaces if each.module in present)


def _replacing_splice(tree: Tree, replaces: Replacement, others: list[_Splice]) -> _Splice:
    """The line of go.mod that replaces a module by the tuning's folder."""
    text = _text(tree, _GO_MOD)
    module, present = replaces.module, requirements(tree[_GO_MOD])[replaces.module]
    if replaces.version not in ("", present):
        raise _MisfitError(f"upstream has {module} {present}, the tuning is for {replaces.version}")
    replaced = re.compile(rf"^(replace\s+|\s+){re.escape(module)}(\s+v\S+)?\s+=>", re.MULTILINE)
    if any(map(replaced.search, (text, *(each.text for each in others)))):
        raise _MisfitError(f"{module} is replaced already")
    return _Splice(len(text), len(text), f"\nreplace {module} => ./{_BROUGHT}/{replaces.by}\n")


def _text(tree: Tree, path: str) -> str:
    if path not in tree:
        raise _MisfitError(f"upstream has no file {path}")
    try:
        return text_with_lf(tree[path]).decode()
    except UnicodeDecodeError:
        raise _MisfitError(f"{path} is no text") from None


def _places(text: str, edit: Edit) -> list[_Splice]:
    starts = [each.start() for each in re.finditer(re.escape(edit.find), text)]
    if len(starts) != edit.times:
        count = f"{len(starts)} times" if starts else "not there"
        raise _MisfitError(f"{edit.file}: {edit.find!r} is {count}, instead of {edit.times}")
    return [_Splice(start, start + len(edit.find), edit.put) for start in starts]


def _import_splices(text: str, edit: Edit, module: str) -> Iterator[_Splice]:
    """The imports that a file has not yet, each on a line of its own."""
    for each in edit.imports:
        path = each.replace(MODULE_WORD, module)
        quoted = re.escape(f'"{path}"')
        if re.search(rf"^(import\s+|\s+){quoted}", text, re.MULTILINE):
            continue
        if block := _IMPORTS.search(text):
            yield _Splice(block.end(), block.end(), f'\t"{path}"\n')
        elif clause := _PACKAGE.search(text):
            yield _Splice(clause.end(), clause.end(), f'\nimport "{path}"\n')
        else:
            raise _MisfitError(f"{edit.file} is no Go file")


def _brought(tree: Tree, tuning: Tuning, own: Tree) -> dict[str, bytes]:
    """The Go files that a tuning brings."""
    sources = {**tuning.files, **_module_files(_present(tree, tuning), own)}
    for path, source in sources.items():
        if path in tree:
            raise _MisfitError(f"upstream has a file {path} of its own")
        if source not in own:
            raise _MisfitError(f"there is no file {source} in config/tuning")
    return {path: own[source] for path, source in sources.items()}


def _module_files(replaces: tuple[Replacement, ...], own: Tree) -> dict[str, str]:
    """The files of a tuning's modules: path below collector/ to path below tuning/."""
    folders = tuple(f"{each.by}/" for each in replaces)
    return {f"{_BROUGHT}/{path}": path for path in own if path.startswith(folders)}


def _spliced(text: str, splices: list[_Splice]) -> bytes:
    done, at = "", 0
    for splice in sorted(splices):
        done += text[at : splice.start] + splice.text
        at = splice.end
    return (done + text[at:]).encode()
