from __future__ import annotations

import io
import struct
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.layer.zip import EARLIEST, LATEST, PACKER, ZipEntry, pack

EPOCH = 1_750_000_000  # 2025-06-15 15:06:40 UTC

ENTRIES = (
    ZipEntry(name="extensions/collector", content=b"\x7fELF" + b"collector " * 5_000, mode=0o755),
    ZipEntry(name="collector-config/config.yaml", content=b"receivers: {}\n"),
    ZipEntry(name="collector-config/config-ä€😀.yaml", content="ä€😀\n".encode()),
    ZipEntry(name="empty", content=b""),
)


def opened(entries: tuple[ZipEntry, ...] = ENTRIES, epoch: int = EPOCH) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(pack(entries, epoch=epoch)))


@given(st.permutations(ENTRIES))
def test_the_order_of_entries_does_not_matter(entries: list[ZipEntry]) -> None:
    assert pack(tuple(entries), epoch=EPOCH) == pack(ENTRIES, epoch=EPOCH)


def test_python_reads_the_packed_files() -> None:
    archive = opened()
    assert archive.testzip() is None
    assert {name: archive.read(name) for name in archive.namelist()} == {
        entry.name: entry.content for entry in ENTRIES
    }
    assert archive.namelist() == sorted(archive.namelist(), key=str.encode)
    assert archive.comment == b""
    packed = len(pack(ENTRIES, epoch=EPOCH))
    assert packed < sum(len(entry.content) for entry in ENTRIES) / 10


def test_every_file_is_a_regular_one_of_unix_with_nothing_extra() -> None:
    expected = {entry.name: entry for entry in ENTRIES}
    for info in opened().infolist():
        assert info.external_attr >> 16 == 0o100000 | expected[info.filename].mode
        assert (info.create_system, info.extra, info.comment) == (3, b"", b"")
        assert info.date_time == (2025, 6, 15, 15, 6, 40)
        assert bool(info.flag_bits & 0x800) is not info.filename.isascii()  # names in UTF-8


@pytest.mark.parametrize(
    ("epoch", "moment"),
    [
        (0, (1980, 1, 1, 0, 0, 0)),
        (-1, (1980, 1, 1, 0, 0, 0)),
        (EARLIEST - 1, (1980, 1, 1, 0, 0, 0)),
        (EARLIEST, (1980, 1, 1, 0, 0, 0)),
        (EARLIEST + 1, (1980, 1, 1, 0, 0, 0)),
        (EARLIEST + 2, (1980, 1, 1, 0, 0, 2)),
        (LATEST, (2107, 12, 31, 23, 59, 58)),
        (LATEST + 1_000_000, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_the_timestamp_is_one_that_a_zip_can_hold(epoch: int, moment: tuple[int, ...]) -> None:
    assert {info.date_time for info in opened(epoch=epoch).infolist()} == {moment}


def test_the_timestamp_does_not_depend_on_the_time_zone() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "FAR-13:45")
        time.tzset()
        found = {info.date_time for info in opened().infolist()}
    time.tzset()
    assert found == {(2025, 6, 15, 15, 6, 40)}


def test_local_headers_agree_with_the_directory() -> None:
    packed = pack(ENTRIES, epoch=EPOCH)
    for info in opened().infolist():
        fields = struct.unpack_from("<4sHHHHHIIIHH", packed, info.header_offset)
        assert fields[0] == b"PK\3\4"
        assert fields[2:4] == (info.flag_bits, info.compress_type)
        assert fields[6:9] == (info.CRC, info.compress_size, info.file_size)
        assert fields[10] == 0  # no extra field


def test_the_end_record_counts_the_entries() -> None:
    fields = struct.unpack("<4sHHHHIIH", pack(ENTRIES, epoch=EPOCH)[-22:])
    assert fields[:5] == (b"PK\5\6", 0, 0, len(ENTRIES), len(ENTRIES))


def test_the_packer_names_all_that_its_bytes_depend_on() -> None:
    assert PACKER == "ocelot-zip-1 deflate-0.9.0 level-12"


def test_the_bytes_are_those_that_every_machine_makes() -> None:
    entries = (
        ZipEntry(name="a/b", content=b"ocelot " * 8, mode=0o755),
        ZipEntry(name="c", content=b""),
    )
    assert pack(entries, epoch=EPOCH).hex() == (
        "504b0304140000000800d478cf5af1ffa1610c0000003800000003000000612f62"
        "cb4f4ecdc92f51c827950200"
        "504b0304140000000800d478cf5a000000000500000000000000010000006301"
        "0000ffff"
        "504b01021403140000000800d478cf5af1ffa1610c0000003800000003000000"
        "0000000000000000ed8100000000612f62"
        "504b01021403140000000800d478cf5a00000000050000000000000001000000"
        "0000000000000000a4812d00000063"
        "504b0506000000000200020060000000510000000000"
    )


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1)


@given(st.dictionaries(NAMES, st.binary(max_size=200), max_size=5))
def test_any_content_under_any_name_comes_back(files: dict[str, bytes]) -> None:
    entries = tuple(ZipEntry(name=name, content=content) for name, content in files.items())
    archive = opened(entries)
    read = {info.orig_filename: archive.read(info) for info in archive.infolist()}
    assert read == files
