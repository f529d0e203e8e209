"""What is different between two layers, in words: a difference is explained, not only stated.

From the outside in: the zip's files, then what Go noted in the binaries, then their bytes.
"""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator, Mapping

from pipeline.errors import UsageError
from pipeline.layer.buildinfo import BuildInfo, Module, read_build_info
from pipeline.layer.elf import Elf, read_elf
from pipeline.layer.layerfile import COLLECTOR, open_layer
from pipeline.naming import component_kind, component_name, is_selected

_CHUNK = 1 << 16
_LONGEST = 1000
_TAGS = "-tags"


def layer_differences(found: bytes, rebuilt: bytes) -> tuple[str, ...]:
    """What a zip has other than its rebuild; empty if they are the same bytes.

    Args:
        found: the zip that was published.
        rebuilt: the zip that it should be.
    """
    if found == rebuilt:
        return ()
    told = (plain(each) for each in _layer_differences(found, rebuilt))
    return tuple(told) or ("the same files, packed to other bytes: another packer",)


def plain(text: str) -> str:
    """A sentence in which a stranger's names stay on their line and show all they are."""
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _layer_differences(found: bytes, rebuilt: bytes) -> tuple[str, ...]:
    try:
        theirs = {each.name: each.content for each in open_layer(found, file="the zip").entries}
    except UsageError as error:
        return (str(error),)
    ours = {each.name: each.content for each in open_layer(rebuilt, file="the rebuild").entries}
    told = (*_entry_differences(theirs, ours), *_packing_differences(found, rebuilt))
    return tuple(filter(None, told))


def _entry_differences(theirs: Mapping[str, bytes], ours: Mapping[str, bytes]) -> Iterator[str]:
    for name in sorted({*theirs, *ours}):
        if name not in ours:
            yield f"{name}: not in the rebuild"
        elif name not in theirs:
            yield f"{name}: missing"
        elif theirs[name] != ours[name]:
            explained = binary_differences if name == COLLECTOR else byte_differences
            yield from (f"{name}: {each}" for each in explained(theirs[name], ours[name]))


def _packing_differences(found: bytes, rebuilt: bytes) -> Iterator[str]:
    theirs, ours = _infos(found), _infos(rebuilt)
    if [*theirs] != [*ours] and {*theirs} == {*ours}:
        yield "its files are in another order"
    for name in sorted({*theirs} & {*ours}):
        before, after = theirs[name], ours[name]
        yield _instead(f"{name}: mode", _mode(before), _mode(after))
        if before.date_time != after.date_time:
            yield f"{name}: time {_time(before)} instead of {_time(after)}"


def _infos(content: bytes) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {each.filename: each for each in archive.infolist() if not each.is_dir()}


def _mode(info: zipfile.ZipInfo) -> str:
    """As `ls` shows it, with the file's type: a link is no file; one without a type is."""
    mode = info.external_attr >> 16
    return stat.filemode(mode if stat.S_IFMT(mode) else mode | stat.S_IFREG)


def _time(info: zipfile.ZipInfo) -> str:
    year, month, day, hour, minute, second = info.date_time
    return f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"


def binary_differences(found: bytes, rebuilt: bytes) -> tuple[str, ...]:
    """What a collector's binary has other than its rebuild."""
    ours = read_elf(rebuilt)
    try:
        theirs = read_elf(found)
        info = read_build_info(theirs)
    except UsageError as error:
        return (str(error),)
    told = [
        *([_instead("machine", theirs.architecture, ours.architecture)]),
        *_info_differences(info, read_build_info(ours)),
    ]
    known = tuple(each for each in told if each)
    return known or byte_differences(found, rebuilt, ours)


def _info_differences(theirs: BuildInfo, ours: BuildInfo) -> Iterator[str]:
    if theirs.go_version != ours.go_version:
        yield f"{theirs.go_version} instead of {ours.go_version}"
    yield from _setting_differences(dict(theirs.settings), dict(ours.settings))
    yield _instead("main package", theirs.path, ours.path)
    yield from _module_differences(_by_path(theirs), _by_path(ours))


def _setting_differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*theirs, *ours} - {_TAGS}):
        yield _instead(name, theirs.get(name, "nothing"), ours.get(name, "nothing"))
    before = frozenset(filter(None, theirs.get(_TAGS, "").split(",")))
    wanted = frozenset(filter(None, ours.get(_TAGS, "").split(",")))
    for tag in sorted(wanted - before):
        if not _there(tag, before):
            yield f"{_component(tag)} missing"
    for tag in sorted(before - wanted):
        if not _there(tag, wanted):
            yield f"{_component(tag)} not in the rebuild"


def _there(tag: str, tags: frozenset[str]) -> bool:
    """Whether all of the tag's kind are there."""
    return bool(component_kind(tag)) and is_selected(tag, tags)


def _component(tag: str) -> str:
    return (
        f"component {component_kind(tag)}/{component_name(tag)}"
        if component_kind(tag)
        else f"build tag {tag}"
    )


def _module_differences(theirs: Mapping[str, Module], ours: Mapping[str, Module]) -> Iterator[str]:
    for path in sorted({*theirs, *ours}):
        if path not in ours:
            yield f"module {theirs[path]} not in the rebuild"
        elif path not in theirs:
            yield f"module {ours[path]} missing"
        else:
            before, wanted = theirs[path].source, ours[path].source
            yield _instead("module", str(before), str(wanted))
            if str(before) == str(wanted):
                yield _instead(f"content of {before}", before.sum, wanted.sum)


def _by_path(info: BuildInfo) -> dict[str, Module]:
    return {each.path: each for each in (info.main, *info.modules)}


def _instead(what: str, found: str, wanted: str) -> str:
    return f"{what}: {found} instead of {wanted}" if found != wanted else ""


def byte_differences(found: bytes, rebuilt: bytes, elf: Elf | None = None) -> tuple[str, ...]:
    """How many bytes differ, and where the first one is."""
    if len(found) != len(rebuilt):
        return (f"{len(found):,} bytes instead of {len(rebuilt):,}",)
    first, count = _count(found, rebuilt)
    place = f" in section {_section(elf, first)}" if elf else ""
    bytes_differ = "1 byte differs" if count == 1 else f"{count:,} bytes differ"
    return (
        f"{bytes_differ} of {len(found):,}, the first at offset {first:#x}{place}: "
        f"{found[first]:#04x} instead of {rebuilt[first]:#04x}",
    )


def _count(found: bytes, rebuilt: bytes) -> tuple[int, int]:
    """The offset of the first differing byte, and how many there are."""
    first, count = -1, 0
    for start in range(0, len(found), _CHUNK):
        theirs, ours = found[start : start + _CHUNK], rebuilt[start : start + _CHUNK]
        if theirs == ours:
            continue
        here = [at for at, pair in enumerate(zip(theirs, ours, strict=True)) if pair[0] != pair[1]]
        first = start + here[0] if first < 0 else first
        count += len(here)
    return first, count


def _section(elf: Elf, offset: int) -> str:
    inside = (s.name for s in elf.sections if s.offset <= offset < s.offset + s.size)
    return next(inside, "none")
