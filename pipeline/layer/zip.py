"""The packer of zips: the same entries give the same bytes on every machine.

Entries are sorted, the caller gives their modes and one timestamp, and there are no extra fields.
The compressor is the pinned libdeflate at level 12, since the interpreter's zlib differs between
machines. The format is PKWARE's APPNOTE 6.3.3 in its smallest form: a local header and data for
each entry, the central directory, the end record.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import cast

import deflate

LEVEL = 12
# All that the bytes depend on besides the entries.
PACKER = f"ocelot-zip-1 deflate-{version('deflate')} level-{LEVEL}"

# A zip's clock starts in 1980 and ends in 2107.
EARLIEST = 315_532_800
LATEST = 4_354_819_198

# the wheel has no type hints
_compress = cast("Callable[[bytes, int], bytearray]", deflate.deflate_compress)  # pyright: ignore[reportUnknownMemberType]

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_VERSION = 20
_MADE_ON_UNIX = 3 << 8 | _VERSION
_UTF8 = 0x0800
_DEFLATED = 8
_REGULAR = 0o100000
_LARGEST = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True, slots=True)
class ZipEntry:
    """One file of a layer.

    Attributes:
        name: POSIX path below /opt.
        mode: permission bits.
    """

    name: str
    content: bytes
    mode: int = 0o644


def pack(entries: tuple[ZipEntry, ...], *, epoch: int) -> bytes:
    """Return a zip of the entries.

    Args:
        entries: files in any order; names must be unique.
        epoch: the timestamp of every file, seconds since 1970 in UTC, clamped to a zip's range.
    """
    date, clock = _dos_time(epoch)
    local, central = bytearray(), bytearray()
    for entry in sorted(entries, key=lambda each: each.name.encode()):
        name, size = entry.name.encode(), len(entry.content)
        packed = _compress(entry.content, LEVEL)
        flags = 0 if name.isascii() else _UTF8
        sums = (zlib.crc32(entry.content), len(packed), size)
        common = (_VERSION, flags, _DEFLATED, clock, date, *sums, len(name), 0)
        attributes = (_REGULAR | entry.mode) << 16
        central += _CENTRAL.pack(b"PK\1\2", _MADE_ON_UNIX, *common, 0, 0, 0, attributes, len(local))
        central += name
        local += _LOCAL.pack(b"PK\3\4", *common) + name + packed
    count = len(entries)
    if len(local) + len(central) > _LARGEST:
        raise ValueError("a layer of 4 GiB cannot be packed")
    end = _END.pack(b"PK\5\6", 0, 0, count, count, len(central), len(local), 0)
    return bytes(local + central + end)


def _dos_time(epoch: int) -> tuple[int, int]:
    """Return date and time as MS-DOS packs them, in steps of two seconds."""
    moment = time.gmtime(min(max(epoch, EARLIEST), LATEST))
    date = (moment.tm_year - 1980) << 9 | moment.tm_mon << 5 | moment.tm_mday
    return date, moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2
