"""Other programs than `zipfile` read the packer's zips."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from shutil import which

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.layer.layerfile import COLLECTOR, open_layer
from pipeline.layer.zip import ZipEntry, pack

EPOCH = 1_750_000_000
PARTS = st.from_regex(r"[A-Za-z0-9_+@ äö€-][A-Za-z0-9._+@ äö€-]{0,12}", fullmatch=True)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
MODES = st.sampled_from([0o644, 0o755, 0o600])
CONTENT = st.binary(max_size=3000) | st.integers(0, 300_000).map(bytes)


@st.composite
def layers(draw: st.DrawFn) -> tuple[ZipEntry, ...]:
    """Entries of which none is a folder of another."""
    names = draw(st.lists(NAMES, max_size=5, unique_by=lambda name: name.casefold().split("/")[0]))
    return tuple(
        ZipEntry(name=name, content=draw(CONTENT), mode=draw(MODES))
        for name in (COLLECTOR, *(each for each in names if not each.startswith("extensions")))
    )


@given(layers())
def test_ocelots_reader_reads_the_packed_files(entries: tuple[ZipEntry, ...]) -> None:
    layer = open_layer(pack(entries, epoch=EPOCH), file="a.zip")
    assert layer.entries == tuple(sorted(entries, key=lambda each: each.name))
    assert layer.modified == EPOCH


@pytest.mark.skipif(which("unzip") is None, reason="Info-ZIP's unzip is not installed")
@settings(max_examples=25)
@given(layers())
def test_info_zip_reads_the_packed_files(entries: tuple[ZipEntry, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, opt = Path(folder) / "a.zip", Path(folder) / "opt"
        path.write_bytes(pack(entries, epoch=EPOCH))
        tested = subprocess.run(["unzip", "-tqq", path], capture_output=True, check=False)
        assert (tested.returncode, tested.stdout, tested.stderr) == (0, b"", b"")
        unpacking = ["unzip", "-qq", path, "-d", opt]
        subprocess.run(unpacking, env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}, check=True)
        for entry in entries:
            file = opt / entry.name
            assert file.read_bytes() == entry.content
            assert file.stat().st_mode == 0o100000 | entry.mode
            assert file.stat().st_mtime == EPOCH
