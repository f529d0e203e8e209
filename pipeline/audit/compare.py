"""The differences between a layer and its rebuild, a sentence each.

They are searched from the outside in: the zip's files, the build info of the binaries, their bytes.
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
    """Return the differences between a zip and its rebuild; empty if they are the same bytes.

    Args:
        found: the zip that was published.
        rebuilt: the zip that it should be.
    """
    if found == rebuilt:
        return ()
    sentences = tuple(plain(each) for each in _layer_differences(found, rebuilt))
    return sentences or ("the same files, packed to other bytes: another packer",)


def plain(text: str) -> str:
    """Return a text on one line, shortened, with unprintable signs escaped."""
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _layer_differences(found: bytes, rebuilt: bytes) -> Iterator[str]:
    try:
        files = _files(found, "the zip")
    except UsageError as error:
        yield str(error)
        return
    yield from _file_differences(files, _files(rebuilt, "the rebuild"))
    yield from _packing_differences(_infos(found), _infos(rebuilt))


def _files(content: bytes, file: str) -> dict[str, bytes]:
    return {each.name: each.content for each in open_layer(content, file=file).entries}


def _file_differences(found: Mapping[str, bytes], rebuilt: Mapping[str, bytes]) -> Iterator[str]:
    for name in sorted({*found, *rebuilt}):
        if name not in rebuilt:
            yield f"{name}: not in the rebuild"
        elif name not in found:
            yield f"{name}: missing"
        elif found[name] != rebuilt[name]:
            differences = binary_differences if name == COLLECTOR else byte_differences
            yield from (f"{name}: {each}" for each in differences(found[name], rebuilt[name]))


def _packing_differences(
    found: Mapping[str, zipfile.ZipInfo], rebuilt: Mapping[str, zipfile.ZipInfo]
) -> Iterator[str]:
    if [*found] != [*rebuilt] and {*found} == {*rebuilt}:
        yield "its files are in another order"
    for name in sorted({*found} & {*rebuilt}):
        yield from _change(f"{name}: mode", _mode(found[name]), _mode(rebuilt[name]))
        if found[name].date_time != rebuilt[name].date_time:
            yield f"{name}: time {_time(found[name])} instead of {_time(rebuilt[name])}"


def _infos(content: bytes) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {each.filename: each for each in archive.infolist() if not each.is_dir()}


def _mode(info: zipfile.ZipInfo) -> str:
    """Return mode and type as `ls` shows them; an entry without a type is a regular file."""
    mode = info.external_attr >> 16
    return stat.filemode(mode if stat.S_IFMT(mode) else mode | stat.S_IFREG)


def _time(info: zipfile.ZipInfo) -> str:
    year, month, day, hour, minute, second = info.date_time
    return f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"


def binary_differences(found: bytes, rebuilt: bytes) -> tuple[str, ...]:
    """Return the differences between a collector's binary and its rebuild."""
    rebuilt_elf = read_elf(rebuilt)
    try:
        found_elf = read_elf(found)
        info = read_build_info(found_elf)
    except UsageError as error:
        return (str(error),)
    differences = (
        *_change("machine", found_elf.architecture, rebuilt_elf.architecture),
        *_info_differences(info, read_build_info(rebuilt_elf)),
    )
    return differences or byte_differences(found, rebuilt, rebuilt_elf)


def _info_differences(found: BuildInfo, rebuilt: BuildInfo) -> Iterator[str]:
    if found.go_version != rebuilt.go_version:
        yield f"{found.go_version} instead of {rebuilt.go_version}"
    yield from _setting_differences(dict(found.settings), dict(rebuilt.settings))
    yield from _change("main package", found.path, rebuilt.path)
    yield from _module_differences(_by_path(found), _by_path(rebuilt))


def _setting_differences(found: Mapping[str, str], rebuilt: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*found, *rebuilt} - {_TAGS}):
        yield from _change(name, found.get(name, "nothing"), rebuilt.get(name, "nothing"))
    found_tags, rebuilt_tags = _tags(found), _tags(rebuilt)
    for tag in sorted(rebuilt_tags - found_tags):
        if not _is_component_in(tag, found_tags):
            yield f"{_component(tag)} missing"
    for tag in sorted(found_tags - rebuilt_tags):
        if not _is_component_in(tag, rebuilt_tags):
            yield f"{_component(tag)} not in the rebuild"


def _tags(settings: Mapping[str, str]) -> frozenset[str]:
    return frozenset(filter(None, settings.get(_TAGS, "").split(",")))


def _is_component_in(tag: str, tags: frozenset[str]) -> bool:
    """Return True if the tag is that of a component that the tags switch on."""
    return bool(component_kind(tag)) and is_selected(tag, tags)


def _component(tag: str) -> str:
    kind = component_kind(tag)
    return f"component {kind}/{component_name(tag)}" if kind else f"build tag {tag}"


def _module_differences(
    found: Mapping[str, Module], rebuilt: Mapping[str, Module]
) -> Iterator[str]:
    for path in sorted({*found, *rebuilt}):
        if path not in rebuilt:
            yield f"module {found[path]} not in the rebuild"
        elif path not in found:
            yield f"module {rebuilt[path]} missing"
        else:
            before, after = found[path].source, rebuilt[path].source
            yield from _change("module", str(before), str(after))
            if str(before) == str(after):
                yield from _change(f"content of {before}", before.sum, after.sum)


def _by_path(info: BuildInfo) -> dict[str, Module]:
    return {each.path: each for each in (info.main, *info.modules)}


def _change(label: str, found: str, rebuilt: str) -> Iterator[str]:
    if found != rebuilt:
        yield f"{label}: {found} instead of {rebuilt}"


def byte_differences(found: bytes, rebuilt: bytes, elf: Elf | None = None) -> tuple[str, ...]:
    """Return the number of different bytes and the offset of the first, in one sentence.

    Args:
        found: the content that was published.
        rebuilt: the content that it should be.
        elf: the sections of the rebuilt binary, to name the section of the offset.
    """
    if len(found) != len(rebuilt):
        return (f"{len(found):,} bytes instead of {len(rebuilt):,}",)
    first, count = _count(found, rebuilt)
    location = f" in section {_section(elf, first)}" if elf else ""
    bytes_differ = "1 byte differs" if count == 1 else f"{count:,} bytes differ"
    return (
        f"{bytes_differ} of {len(found):,}, the first at offset {first:#x}{location}: "
        f"{found[first]:#04x} instead of {rebuilt[first]:#04x}",
    )


def _count(found: bytes, rebuilt: bytes) -> tuple[int, int]:
    """Return the offset of the first different byte, and their number."""
    first, count = -1, 0
    for start in range(0, len(found), _CHUNK):
        one, other = found[start : start + _CHUNK], rebuilt[start : start + _CHUNK]
        if one == other:
            continue
        offsets = [at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]]
        first = start + offsets[0] if first < 0 else first
        count += len(offsets)
    return first, count


def _section(elf: Elf, offset: int) -> str:
    inside = (s.name for s in elf.sections if s.offset <= offset < s.offset + s.size)
    return next(inside, "none")
