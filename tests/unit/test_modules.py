from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.build.modules import move_modules, offline_settings
from pipeline.errors import OutputError
from pipeline.files import Tree, read_tree, write_tree

DOWNLOADED: Tree = {
    "a.b/c/@v/v1.0.0.mod": b"module a.b/c\n",
    "a.b/c/@v/v1.0.0.zip": b"a zip",
    "a.b/c/@v/v1.0.0.ziphash": b"h1:x=",
    "a.b/c/@v/v1.0.0.info": b'{"Version":"v1.0.0","Time":"2025-06-15T00:00:00Z","Origin":{}}',
    "a.b/c/@v/v1.0.0.lock": b"",
    "a.b/c/@v/v1.1.0-!r!c.1.mod": b"module a.b/c\n",
    "a.b/c/@v/list": b"v1.0.0\nv9.9.9\n",
    "github.com/!burnt!sushi/toml/@v/v0.0.0-2020.mod": b"module x\n",
    "sumdb/sum.golang.org/tile/8/0/001": b"tile",
    "cache.lock": b"",
}


def moved(folder: Path, downloaded: Tree) -> Mapping[str, bytes]:
    write_tree(folder / "downloads", downloaded)
    move_modules(folder / "downloads", folder / "proxy")
    return read_tree(folder / "proxy")


def test_a_proxy_has_sources_and_go_mods_and_what_follows_from_their_names(tmp_path: Path) -> None:
    assert moved(tmp_path, DOWNLOADED) == {
        "a.b/c/@v/v1.0.0.mod": b"module a.b/c\n",
        "a.b/c/@v/v1.0.0.zip": b"a zip",
        "a.b/c/@v/v1.0.0.info": b'{"Version": "v1.0.0"}',
        "a.b/c/@v/v1.1.0-!r!c.1.mod": b"module a.b/c\n",
        "a.b/c/@v/v1.1.0-!r!c.1.info": b'{"Version": "v1.1.0-RC.1"}',
        "a.b/c/@v/list": b"v1.0.0\nv1.1.0-RC.1\n",
        "github.com/!burnt!sushi/toml/@v/v0.0.0-2020.mod": b"module x\n",
        "github.com/!burnt!sushi/toml/@v/v0.0.0-2020.info": b'{"Version": "v0.0.0-2020"}',
        "github.com/!burnt!sushi/toml/@v/list": b"v0.0.0-2020\n",
    }


def test_when_and_whence_it_was_downloaded_plays_no_part(tmp_path: Path) -> None:
    later = {**DOWNLOADED, "a.b/c/@v/v1.0.0.info": json.dumps({"Time": "later"}).encode()}
    del later["a.b/c/@v/list"], later["sumdb/sum.golang.org/tile/8/0/001"]
    assert moved(tmp_path / "one", DOWNLOADED) == moved(tmp_path / "two", later)


def test_nothing_downloaded_is_an_empty_proxy(tmp_path: Path) -> None:
    assert moved(tmp_path, {}) == {}
    assert (tmp_path / "proxy").is_dir()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        move_modules(tmp_path, tmp_path / "file" / "proxy")


def test_offline_no_module_comes_from_anywhere_else() -> None:
    assert offline_settings("file:///x") == {
        "GOPROXY": "file:///x",
        "GONOPROXY": "none",
        "GOSUMDB": "off",
        "GOVCS": "*:off",
    }
