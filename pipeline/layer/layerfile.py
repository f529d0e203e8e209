"""A layer's zip, opened safely: it may come from anywhere.

`zipfile` reads and checks the directory. libdeflate unpacks the content: it writes exactly as many
bytes as the directory states, or fails, so that no zip unpacks to more than `LARGEST`. The format
is PKWARE's APPNOTE 6.3.3.
"""

from __future__ import annotations

import calendar
import hashlib
import io
import posixpath
import shlex
import stat
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import deflate

from pipeline.errors import UsageError, quoted
from pipeline.files import read_file
from pipeline.layer.limits import UNZIPPED_BYTES, megabytes
from pipeline.layer.zip import EARLIEST, ZipEntry

COLLECTOR = "extensions/collector"
CONFIGS = "collector-config/"

# Twice Lambda's limit, so that a layer that is too large can still be inspected.
LARGEST = 2 * UNZIPPED_BYTES

_HINT = "give a zip that `ocelot build` made"
_LOCAL_HEADER = 30
_ENCRYPTED = 0x1
_MOST_LINKS = 40  # in one path, as on Linux
_MOST_LINKED = 100_000  # files by links to folders
_UNPACKED_TO = "/opt/"

# the wheel has no type hints
_unpack = cast("Callable[[bytes, int], bytearray]", deflate.deflate_decompress)  # pyright: ignore[reportUnknownMemberType]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerFile:
    """An opened layer.

    Attributes:
        file: name of the zip, for messages.
        sha256: of the zip, in hex.
        size: bytes of the zip.
        modified: the latest timestamp of its files, seconds since 1970 in UTC.
        unzipped_size: bytes of its files.
        entries: its files, sorted by name. A symbolic link is the file that it leads to; one that
            leads to none in the layer is left out.
    """

    file: str
    sha256: str
    size: int
    modified: int
    unzipped_size: int
    entries: tuple[ZipEntry, ...]

    @property
    def collector(self) -> bytes:
        """The collector's binary."""
        return next(entry.content for entry in self.entries if entry.name == COLLECTOR)


def read_layer(path: Path) -> LayerFile:
    """Open the layer at a path; see `open_layer`."""
    return open_layer(read_file(path, _HINT), file=path.name)


def open_layer(content: bytes, *, file: str) -> LayerFile:
    """Unpack a layer's zip in memory.

    Args:
        content: the zip.
        file: its name, for messages.

    Raises:
        UsageError: the zip is broken, too large, or has no collector.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise UsageError(f"{file} is not a zip that can be read: {error}", hint=_HINT) from error
    _check_directory(infos, file)
    unpacked = {info.filename: _entry(content, info, file) for info in infos}
    links = {info.filename for info in infos if stat.S_ISLNK(info.external_attr >> 16)}
    entries = _with_links_followed(unpacked, links, file)
    if COLLECTOR not in entries:
        raise UsageError(f"{file}: {COLLECTOR} is a link that leads nowhere", hint=_HINT)
    return LayerFile(
        file=file,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        modified=max(_moment(info) for info in infos),
        unzipped_size=sum(info.file_size for info in infos),
        entries=tuple(entries[name] for name in sorted(entries)),
    )


def _check_directory(infos: list[zipfile.ZipInfo], file: str) -> None:
    names = [info.filename for info in infos]
    if COLLECTOR not in names:
        raise _no_collector(names, file)
    if len(set(names)) < len(names):
        raise UsageError(f"{file} has two files of one name", hint=_HINT)
    size = sum(info.file_size for info in infos)
    if size > LARGEST:
        most = megabytes(LARGEST)
        raise UsageError(f"{file} would unzip to {megabytes(size)}, above {most}", hint=_HINT)


def _no_collector(names: list[str], file: str) -> UsageError:
    """Return the error for a layer whose files Lambda would not find where they belong."""
    if COLLECTOR.replace("/", "\\") in names:
        return UsageError(
            f"{file} has backslashes in its files' names, which are no folders on Linux",
            hint="zip the files again with a tool that writes /, such as zip or 7-Zip",
        )
    if around := [name for name in names if name.endswith(f"/{COLLECTOR}")]:
        folder = around[0].removesuffix(f"/{COLLECTOR}")
        return UsageError(
            f"{file} has {COLLECTOR} in the folder {quoted(folder)}, where Lambda does not look",
            hint=f"zip what is in that folder: (cd {shlex.quote(folder)} && zip -r ../layer.zip .)",
        )
    return UsageError(f"{file} has no {COLLECTOR}: it is no collector layer", hint=_HINT)


def _with_links_followed(
    entries: Mapping[str, ZipEntry], links: Collection[str], file: str
) -> dict[str, ZipEntry]:
    """Return the files of a layer as Lambda's functions see them below /opt.

    Raises:
        UsageError: its links to folders stand for too many files.
    """
    found = {name: each for name, each in entries.items() if name not in links}
    if len(links) * len(found) > _MOST_LINKED:
        raise UsageError(f"{file} has {len(links):,} symbolic links", hint=_HINT)
    for name in links:
        target = _target(name, entries, links)
        below = {each for each in entries if each not in links and each.startswith(f"{target}/")}
        for each in {target, *below} if target else ():
            if each in entries and each not in links:
                through = name + each[len(target) :]
                found[through] = replace(entries[each], name=through)
    return found


def _target(name: str, entries: Mapping[str, ZipEntry], links: Collection[str]) -> str:
    """Return the path in a layer to which a link leads; empty if it leads out, or in a circle."""
    for _ in range(_MOST_LINKS):
        if name not in links:
            return name
        text = entries[name].content.decode(errors="surrogateescape")
        path = posixpath.normpath(posixpath.join(_UNPACKED_TO, posixpath.dirname(name), text))
        if not path.startswith(_UNPACKED_TO):
            return ""
        name = path.removeprefix(_UNPACKED_TO)
    return ""


def _moment(info: zipfile.ZipInfo) -> int:
    """Return a file's timestamp; the earliest for an impossible one."""
    try:
        return calendar.timegm((*info.date_time, 0, 0, 0))
    except ValueError:
        return EARLIEST


def _entry(content: bytes, info: zipfile.ZipInfo, file: str) -> ZipEntry:
    """Unpack one file and check its length and checksum against the directory."""
    try:
        unpacked = _unpacked(content, info)
    except (deflate.DeflateError, ValueError) as error:
        named = f"{file}: {quoted(info.filename)}"
        raise UsageError(f"{named} cannot be unpacked: {error}", hint=_HINT) from error
    if zlib.crc32(unpacked) != info.CRC:
        raise UsageError(f"{file}: {quoted(info.filename)} is damaged", hint=_HINT)
    return ZipEntry(name=info.filename, content=unpacked, mode=info.external_attr >> 16 & 0o7777)


def _unpacked(content: bytes, info: zipfile.ZipInfo) -> bytes:
    header = content[info.header_offset : info.header_offset + _LOCAL_HEADER]
    if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\3\4"):
        raise ValueError("it is not where the directory says")
    if info.flag_bits & _ENCRYPTED:
        raise ValueError("it is encrypted")
    name, extra = header[26] | header[27] << 8, header[28] | header[29] << 8
    start = info.header_offset + _LOCAL_HEADER + name + extra
    packed = content[start : start + info.compress_size]
    if info.compress_type == zipfile.ZIP_DEFLATED:
        packed = bytes(_unpack(packed, info.file_size)) if info.file_size else b""
    elif info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"compression {info.compress_type} is not known")
    if len(packed) != info.file_size:
        raise ValueError("its length is not that of the directory")
    return packed
