from __future__ import annotations

import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supply_examples import EPOCH, layer_zip

from pipeline.errors import OcelotError, UsageError
from pipeline.layer import layerfile
from pipeline.layer.layerfile import COLLECTOR, LayerFile, open_layer
from pipeline.layer.zip import ZipEntry, pack

CONTENT = b"\x7fELF" + b"collector " * 5_000
PACKED = layer_zip(CONTENT)


def opened(content: bytes = PACKED) -> LayerFile:
    return open_layer(content, file="a.zip")


def zipped(*names: str, method: int = zipfile.ZIP_DEFLATED, content: bytes = CONTENT) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def refused(content: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        opened(content)
    assert caught.value.hint
    return str(caught.value)


def test_a_layer_has_its_files_with_modes() -> None:
    assert [(each.name, each.mode, len(each.content)) for each in opened().entries] == [
        ("collector-config/config.yaml", 0o644, 14),
        (COLLECTOR, 0o755, len(CONTENT)),
    ]


def test_the_collector_is_one_of_them() -> None:
    assert opened().collector == CONTENT


def test_a_layer_knows_sizes_and_time() -> None:
    layer = opened()
    assert (layer.size, layer.unzipped_size) == (len(PACKED), len(CONTENT) + 14)
    assert layer.modified == EPOCH


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_zips_of_other_packers_are_read(method: int) -> None:
    assert opened(zipped(COLLECTOR, "extensions/", method=method)).collector == CONTENT


def test_an_empty_file_is_a_file() -> None:
    assert opened(layer_zip(CONTENT, {"empty": b""})).entries[0].content == b""


def test_a_file_that_is_no_zip_is_refused() -> None:
    assert refused(b"PK\3\4 nothing of it").startswith("a.zip is not a zip that can be read")


def test_a_zip_without_a_collector_is_refused() -> None:
    assert refused(pack((), epoch=0)) == f"a.zip has no {COLLECTOR}: it is no collector layer"


def linked(**links: str) -> bytes:
    """A layer with symbolic links, by names with __ for a slash and what they lead to."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("bin/real", CONTENT)
        archive.writestr("bin/deep/other", b"other")
        for name, target in links.items():
            info = zipfile.ZipInfo(name.replace("__", "/"))
            info.external_attr = 0o120777 << 16
            archive.writestr(info, target)
    return buffer.getvalue()


@pytest.mark.parametrize("target", ["../bin/real", "/opt/bin/real", "second"])
def test_a_symbolic_link_is_the_file_that_it_leads_to(target: str) -> None:
    layer = opened(linked(extensions__collector=target, extensions__second="../bin/./real"))
    assert layer.collector == CONTENT
    assert layer.unzipped_size == len(CONTENT) + len(target) + len("other") + len("../bin/./real")


def test_a_link_to_a_folder_stands_for_its_files() -> None:
    layer = opened(linked(extensions__collector="../bin/real", again="bin", gone="nowhere"))
    assert [each.name for each in layer.entries] == [
        *("again/deep/other", "again/real", "bin/deep/other", "bin/real", COLLECTOR),
    ]


@pytest.mark.parametrize("target", ["../nowhere", "/bin/real", "../../bin/real", "collector", ""])
def test_a_collector_that_is_a_link_to_nothing_is_refused(target: str) -> None:
    assert "leads nowhere" in refused(linked(extensions__collector=target))


def test_many_links_to_folders_are_refused() -> None:
    many = {f"link{at}": "bin" for at in range(60_000)}
    assert "symbolic links" in refused(linked(extensions__collector="../bin/real", **many))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["extensions\\collector"], "backslashes"),
        (["my layer/extensions/collector", "my layer/.DS_Store"], "'my layer'"),
        (["extensions/other"], "no collector layer"),
    ],
)
def test_a_zip_with_the_collector_in_another_place_is_refused(names: list[str], words: str) -> None:
    assert words in refused(zipped(*names))


def test_files_of_macos_and_folders_do_not_matter() -> None:
    names = (COLLECTOR, ".DS_Store", "__MACOSX/._collector", "extensions/", "collector-config/")
    assert opened(zipped(*names)).collector == CONTENT


def test_a_zip_cut_short_is_refused() -> None:
    assert "not a zip" in refused(PACKED[:-1000])


def test_damage_is_found() -> None:
    start = PACKED.index(b"collector-config/config.yaml") + len("collector-config/config.yaml") + 4
    damaged = PACKED[:start] + bytes([PACKED[start] ^ 0xFF]) + PACKED[start + 1 :]
    assert "'collector-config/config.yaml'" in refused(damaged)


def test_two_files_of_one_name_are_refused() -> None:
    entry = ZipEntry(name=COLLECTOR, content=CONTENT)
    assert refused(pack((entry, entry), epoch=0)) == "a.zip has two files of one name"


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layerfile, "LARGEST", 10_000)
    assert "would unzip to" in refused(PACKED)


def test_a_file_that_is_larger_than_promised_is_refused() -> None:
    honest = (len(CONTENT)).to_bytes(4, "little")
    assert "cannot be unpacked" in refused(PACKED.replace(honest, (5).to_bytes(4, "little")))


def test_an_unknown_compression_is_refused() -> None:
    assert "compression 14 is not known" in refused(zipped(COLLECTOR, method=zipfile.ZIP_LZMA))


def test_an_encrypted_file_is_refused() -> None:
    # the flags of the central directory follow its two versions
    at = PACKED.rindex(b"PK\1\2") + 8
    assert "encrypted" in refused(PACKED[:at] + b"\1" + PACKED[at + 1 :])


def test_a_time_that_no_calendar_has_is_no_error() -> None:
    at = PACKED.rindex(b"PK\1\2") + 14
    assert opened(PACKED[:at] + b"\0\0" + PACKED[at + 2 :]).collector == CONTENT


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    with pytest.raises(OcelotError):
        opened(content)


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_no_damage_raises_anything_else(at: int, change: int) -> None:
    damaged = bytearray(PACKED)
    damaged[at] ^= change
    with suppress(OcelotError):
        opened(bytes(damaged))
