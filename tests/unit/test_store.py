from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from pipeline.build.store import KEEP_SECONDS, StoredLayer, find_layer, keep_layer
from pipeline.layer.buildinfo import Module
from pipeline.supply.evidence import Contents

KEY, OTHER = "a" * 64, "b" * 64
CONTENTS = Contents(
    modules=(Module(path="example.com/mine", version="v1.2.3", sum="h1:abc="),), sbom=b"{}"
)
LAYER = StoredLayer(
    content=b"PK a zip", unzipped_size=123, engine="host", image="", contents=CONTENTS
)


def age(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def test_a_layer_that_is_kept_is_found(tmp_path: Path) -> None:
    keep_layer(tmp_path / "layers", KEY, LAYER)
    assert find_layer(tmp_path / "layers", KEY) == LAYER


def test_a_layer_of_another_key_is_not_found(tmp_path: Path) -> None:
    keep_layer(tmp_path, KEY, LAYER)
    assert find_layer(tmp_path, OTHER) is None


def test_in_a_store_that_is_not_there_nothing_is_found(tmp_path: Path) -> None:
    assert find_layer(tmp_path / "absent", KEY) is None


def test_a_layer_kept_again_is_replaced(tmp_path: Path) -> None:
    keep_layer(tmp_path, KEY, LAYER)
    again = StoredLayer(
        content=b"PK other", unzipped_size=5, engine="dagger", image="golang", contents=CONTENTS
    )
    keep_layer(tmp_path, KEY, again)
    assert find_layer(tmp_path, KEY) == again


@pytest.mark.parametrize("content", [b"", b"PK a zi", b"PK a zip ", b"PK A zip"])
def test_a_broken_zip_is_as_good_as_absent(tmp_path: Path, content: bytes) -> None:
    keep_layer(tmp_path, KEY, LAYER)
    (tmp_path / f"{KEY}.zip").write_bytes(content)
    assert find_layer(tmp_path, KEY) is None


@pytest.mark.parametrize(
    "record", [b"", b"{", b"{}", b"[]", b"null", b"3", b'"text"', b"\xff\xfe", b'{"sha256": 1}']
)
def test_a_broken_record_is_as_good_as_absent(tmp_path: Path, record: bytes) -> None:
    keep_layer(tmp_path, KEY, LAYER)
    (tmp_path / f"{KEY}.json").write_bytes(record)
    assert find_layer(tmp_path, KEY) is None


def test_a_record_with_more_in_it_is_as_good_as_absent(tmp_path: Path) -> None:
    keep_layer(tmp_path, KEY, LAYER)
    path = tmp_path / f"{KEY}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "more": 1}))
    assert find_layer(tmp_path, KEY) is None


@pytest.mark.parametrize("suffix", ["zip", "json"])
def test_half_an_entry_is_as_good_as_absent(tmp_path: Path, suffix: str) -> None:
    keep_layer(tmp_path, KEY, LAYER)
    (tmp_path / f"{KEY}.{suffix}").unlink()
    assert find_layer(tmp_path, KEY) is None


def test_a_layer_that_nobody_asked_for_in_thirty_days_goes(tmp_path: Path) -> None:
    keep_layer(tmp_path, KEY, LAYER)
    age(tmp_path / f"{KEY}.zip", KEEP_SECONDS + 60)
    keep_layer(tmp_path, OTHER, LAYER)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{OTHER}.{kind}" for kind in ("cdx.json", "json", "zip")
    ]


def test_a_layer_of_twenty_nine_days_stays(tmp_path: Path) -> None:
    keep_layer(tmp_path, KEY, LAYER)
    age(tmp_path / f"{KEY}.zip", KEEP_SECONDS - 24 * 3600)
    keep_layer(tmp_path, OTHER, LAYER)
    assert find_layer(tmp_path, KEY) == LAYER


def test_asking_for_a_layer_makes_it_young_again(tmp_path: Path) -> None:
    keep_layer(tmp_path, KEY, LAYER)
    age(tmp_path / f"{KEY}.zip", KEEP_SECONDS + 60)
    find_layer(tmp_path, KEY)
    keep_layer(tmp_path, OTHER, LAYER)
    assert find_layer(tmp_path, KEY) == LAYER
