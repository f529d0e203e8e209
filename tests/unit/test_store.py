from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.store import KEEP_SECONDS, LayerZip, find_zip, keep_zip, store_file

KEY, OTHER = "a" * 64, "b" * 64
ZIP = LayerZip(content=b"PK a zip", unzipped_size=123, engine="host", image="")


def age(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def test_a_layer_that_is_kept_is_found(tmp_path: Path) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    assert find_zip(tmp_path, KEY) == ZIP


def test_the_build_tags_without_effect_are_kept(tmp_path: Path) -> None:
    misfit = replace(ZIP, unused_tags=("gone",))
    keep_zip(tmp_path, KEY, misfit)
    assert find_zip(tmp_path, KEY) == misfit


def test_a_layer_of_another_key_is_not_found(tmp_path: Path) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    assert find_zip(tmp_path, OTHER) is None


def test_in_a_store_that_is_not_there_nothing_is_found(tmp_path: Path) -> None:
    assert find_zip(tmp_path / "absent", KEY) is None


def test_a_layer_kept_again_is_replaced(tmp_path: Path) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    again = LayerZip(content=b"PK other", unzipped_size=5, engine="dagger", image="golang")
    keep_zip(tmp_path, KEY, again)
    assert find_zip(tmp_path, KEY) == again


@pytest.mark.parametrize("content", [b"", b"PK a zi", b"PK a zip ", b"PK A zip"])
def test_a_broken_zip_is_as_good_as_absent(tmp_path: Path, content: bytes) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    store_file(tmp_path, KEY, ".zip").write_bytes(content)
    assert find_zip(tmp_path, KEY) is None


@pytest.mark.parametrize(
    "record", [b"", b"{", b"{}", b"[]", b"null", b"3", b'"text"', b"\xff\xfe", b'{"sha256": 1}']
)
def test_a_broken_record_is_as_good_as_absent(tmp_path: Path, record: bytes) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    store_file(tmp_path, KEY, ".json").write_bytes(record)
    assert find_zip(tmp_path, KEY) is None


def test_a_record_with_more_in_it_is_as_good_as_absent(tmp_path: Path) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    path = store_file(tmp_path, KEY, ".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "more": 1}))
    assert find_zip(tmp_path, KEY) is None


@pytest.mark.parametrize("suffix", [".zip", ".json"])
def test_half_an_entry_is_as_good_as_absent(tmp_path: Path, suffix: str) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    store_file(tmp_path, KEY, suffix).unlink()
    assert find_zip(tmp_path, KEY) is None


def test_a_zip_that_was_not_used_for_thirty_days_goes_with_all_that_lies_beside_it(
    tmp_path: Path,
) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    store_file(tmp_path, KEY, ".contents.json").write_bytes(b"{}")
    age(store_file(tmp_path, KEY, ".zip"), KEEP_SECONDS + 60)
    keep_zip(tmp_path, OTHER, ZIP)
    folder = store_file(tmp_path, OTHER, ".zip").parent
    assert sorted(path.name for path in folder.iterdir()) == [f"{OTHER}.json", f"{OTHER}.zip"]


def test_a_layer_of_twenty_nine_days_stays(tmp_path: Path) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    age(store_file(tmp_path, KEY, ".zip"), KEEP_SECONDS - 24 * 3600)
    keep_zip(tmp_path, OTHER, ZIP)
    assert find_zip(tmp_path, KEY) == ZIP


def test_asking_for_a_layer_makes_it_young_again(tmp_path: Path) -> None:
    keep_zip(tmp_path, KEY, ZIP)
    age(store_file(tmp_path, KEY, ".zip"), KEEP_SECONDS + 60)
    find_zip(tmp_path, KEY)
    keep_zip(tmp_path, OTHER, ZIP)
    assert find_zip(tmp_path, KEY) == ZIP
