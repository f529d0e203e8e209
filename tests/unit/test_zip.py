from __future__ import annotations

import io
import struct
import time
import zipfile
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.build.zip import EARLIEST, LATEST, PACKER, Entry, pack

EPOCH = 1_750_000_000  # 2025-06-15 15:06:40 UTC

ENTRIES = (
    Entry(name="extensions/collector", content=b"\x7fELF" + b"collector " * 5_000, mode=0o755),
    Entry(name="collector-config/config.yaml", content=b"receivers: {}\n"),
    Entry(name="collector-config/config-ä€😀.yaml", content="ä€😀\n".encode()),
    Entry(name="empty", content=b""),
)


def opened(entries: tuple[Entry, ...] = ENTRIES, epoch: int = EPOCH) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(pack(entries, epoch=epoch)))


@given(st.permutations(ENTRIES))
def test_the_order_of_entries_does_not_matter(entries: list[Entry]) -> None:
    assert pack(tuple(entries), epoch=EPOCH) == pack(ENTRIES, epoch=EPOCH)


def test_python_finds_no_fault() -> None:
    assert opened().testzip() is None


def test_every_content_comes_back() -> None:
    archive = opened()
    assert {name: archive.read(name) for name in archive.namelist()} == {
        entry.name: entry.content for entry in ENTRIES
    }


def test_names_are_sorted_by_their_bytes() -> None:
    names = opened().namelist()
    assert names == sorted(names, key=str.encode)


def test_modes_are_those_given_and_the_files_are_regular() -> None:
    modes = {info.filename: info.external_attr >> 16 for info in opened().infolist()}
    assert modes == {entry.name: 0o100000 | entry.mode for entry in ENTRIES}


def test_every_file_is_made_on_unix() -> None:
    assert {info.create_system for info in opened().infolist()} == {3}


def test_the_one_timestamp_is_the_epoch_in_utc() -> None:
    assert {info.date_time for info in opened().infolist()} == {(2025, 6, 15, 15, 6, 40)}


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


@pytest.fixture
def far_east() -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "FAR-13:45")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_the_timestamp_does_not_depend_on_the_time_zone() -> None:
    assert {info.date_time for info in opened().infolist()} == {(2025, 6, 15, 15, 6, 40)}


def test_there_are_no_extra_fields_and_no_comments() -> None:
    archive = opened()
    assert archive.comment == b""
    assert {(info.extra, info.comment) for info in archive.infolist()} == {(b"", b"")}


def test_local_headers_have_no_extra_fields_either() -> None:
    packed = pack(ENTRIES, epoch=EPOCH)
    lengths = {
        struct.unpack_from("<H", packed, info.header_offset + 28)[0] for info in opened().infolist()
    }
    assert lengths == {0}


def test_local_headers_say_what_the_directory_says() -> None:
    packed = pack(ENTRIES, epoch=EPOCH)
    for info in opened().infolist():
        fields = struct.unpack_from("<4sHHHHHIII", packed, info.header_offset)
        assert fields[0] == b"PK\3\4"
        assert fields[2:4] == (info.flag_bits, info.compress_type)
        assert fields[6:] == (info.CRC, info.compress_size, info.file_size)


def test_only_names_beyond_ascii_carry_the_utf8_flag() -> None:
    flags = {info.filename: bool(info.flag_bits & 0x800) for info in opened().infolist()}
    assert flags == {entry.name: not entry.name.isascii() for entry in ENTRIES}


def test_the_end_record_counts_the_entries() -> None:
    fields = struct.unpack("<4sHHHHIIH", pack(ENTRIES, epoch=EPOCH)[-22:])
    assert fields[:5] == (b"PK\5\6", 0, 0, len(ENTRIES), len(ENTRIES))


def test_an_empty_layer_is_a_zip_too() -> None:
    assert opened(()).namelist() == []


def test_content_is_compressed() -> None:
    assert len(pack(ENTRIES, epoch=EPOCH)) < sum(len(entry.content) for entry in ENTRIES) / 10


def test_other_content_gives_other_bytes() -> None:
    other = (*ENTRIES[1:], Entry(name=ENTRIES[0].name, content=b"x", mode=0o755))
    assert pack(other, epoch=EPOCH) != pack(ENTRIES, epoch=EPOCH)


def test_the_packer_names_all_that_its_bytes_depend_on() -> None:
    assert PACKER == "ocelot-zip-1 deflate-0.9.0 level-12"


def test_the_bytes_are_those_that_every_machine_makes() -> None:
    entries = (Entry(name="a/b", content=b"ocelot " * 8, mode=0o755), Entry(name="c", content=b""))
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
    entries = tuple(Entry(name=name, content=content) for name, content in files.items())
    archive = opened(entries)
    read = {info.orig_filename: archive.read(info) for info in archive.infolist()}
    assert read == files
