"""Licences of Go modules, by the likeness of their licence files to texts that are known.

A file is cut where one licence ends and another begins. It counts as recognised when each piece of
it is a known text but for the words that every copy fills in; a sentence more or less is another
licence, and what is not recognised has no identifier.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path, PurePosixPath

from identify.vendor.licenses import LICENSES
from rapidfuzz.distance import Indel

from pipeline.build.modules import escaped
from pipeline.layer.buildinfo import Module

# A module's path and version, and the SPDX identifiers of its licence files.
Licences = dict[tuple[str, str], tuple[str, ...]]

_FILE = re.compile(r"(licen[cs]e|copying)([._-](?!go$)[a-z0-9]+)?(\.(txt|md|rst))?", re.IGNORECASE)
_LARGEST_FILE = 1024**2

# Where one licence ends and another begins, in lines of small letters.
_RULE = re.compile(r"[-=*_]{3,}")
_ENDS = ("end of terms and conditions",)
_BEGINS = (
    "apache license",
    "licensed under the apache license",
    "permission is hereby granted, free of charge",
    "redistribution and use in source and binary forms",
)
# Who has the copyright, and since when.
_HOLDER = re.compile(
    r"(portions )?copyright\b.*((19|20)\d\d|\(c\)|©|yyyy|year)|all rights reserved\W*$"
)
_WORD = re.compile(r"[a-z0-9]+")
_FEWEST_WORDS = 20  # titles and remarks between two licences

_LIKENESS = 0.94
_LONGEST_EXCHANGE = 8  # words for other words, such as an organisation's name; or a title
_LONGEST_ADDITION = 3  # words for none: four are enough to forbid commercial use


def licences(modules: Iterable[Module], module_cache: Path) -> Licences:
    """The licences that are recognised, of those modules that are in a Go module cache.

    Args:
        modules: what is in a binary; the code that was compiled counts, so replacements do.
        module_cache: the folder that Go calls GOMODCACHE.
    """
    found: Licences = {}
    for module in modules:
        source = module.source
        names = {name for text in _files(source, module_cache) for name in recognise(text)}
        if names:
            found[source.path, source.version] = tuple(sorted(names))
    return found


def recognise(text: bytes) -> tuple[str, ...]:
    """The SPDX identifiers of a licence file, none where any part of it is not known."""
    return _recognised(hashlib.sha256(text).digest(), text)


def module_folder(module: Module, module_cache: Path) -> Path | None:
    """Where Go keeps a module's files; None where that is no folder inside of the cache.

    https://go.dev/ref/mod#module-cache
    """
    name = escaped(str(module))
    parts = PurePosixPath(name).parts
    if not module.version or not parts or name.startswith("/") or {"..", "\0"} & {*parts, *name}:
        return None
    inside = os.path.realpath(module_cache)
    folder = Path(os.path.realpath(Path(inside, *parts)))
    return folder if folder.is_relative_to(inside) and folder.is_dir() else None


def _files(module: Module, module_cache: Path) -> Iterator[bytes]:
    folder = module_folder(module, module_cache)
    if not folder:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if not _FILE.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            if entry.stat().st_size <= _LARGEST_FILE:
                yield Path(entry.path).read_bytes()


@cache
def _recognised(_digest: bytes, text: bytes) -> tuple[str, ...]:
    pieces = _pieces(text.decode("utf-8", "replace"))
    names = [_name_of(piece) for piece in pieces]
    return tuple(sorted(set(names))) if all(names) else ()


@cache
def _known() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each licence's words as one, since copies differ in their rules, and piece by piece."""
    texts = [(name, _pieces(text)) for name, text in LICENSES]
    wholes = [(name, tuple(chain.from_iterable(pieces))) for name, pieces in texts]
    return (*wholes, *((name, piece) for name, pieces in texts for piece in pieces))


def _pieces(text: str) -> tuple[tuple[str, ...], ...]:
    """The words of each licence in a text, without who has the copyright."""
    pieces: list[list[str]] = [[]]
    above = ""
    for line in text.lower().splitlines():
        stripped = line.strip(" \t#*/")
        rule = not above and _RULE.fullmatch(line.strip())  # below text it is a heading's
        if rule or stripped.startswith((*_BEGINS, *_ENDS)):
            pieces.append([])
        if not _HOLDER.match(stripped):
            pieces[-1].append(line)
        above = stripped
    found = (tuple(_WORD.findall(" ".join(lines))) for lines in pieces)
    return tuple(piece for piece in found if len(piece) >= _FEWEST_WORDS)


@cache
def _name_of(words: tuple[str, ...]) -> str:
    """The licence that a piece is most like, empty where it is like none."""
    best, name = _LIKENESS, ""
    for candidate, known in _known():
        # the likeness of two lists cannot be above twice the shorter through both lengths
        if 2 * min(len(words), len(known)) < best * (len(words) + len(known)):
            continue
        likeness = Indel.normalized_similarity(words, known, score_cutoff=best)
        if likeness > best and _same_but_for_names(words, known):
            best, name = likeness, candidate
    return name


def _same_but_for_names(words: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Return True if no difference is as long as a condition of a licence."""
    kept = (each for each in Indel.opcodes(words, known) if each.tag == "equal")
    at, known_at = 0, 0
    for start, end, known_start, known_end in (
        *((each.src_start, each.src_end, each.dest_start, each.dest_end) for each in kept),
        (len(words), len(words), len(known), len(known)),
    ):
        few, many = sorted((start - at, known_start - known_at))
        if many > (_LONGEST_EXCHANGE if few or not at else _LONGEST_ADDITION):
            return False
        at, known_at = end, known_end
    return True
