"""Files of a checkout: line ends do not count, and each file is in the layer or named."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from gitserver import commit, git, in_collector, new_repository
from runs import CONFIG, Built, Ran, run_ocelot
from tiny import COLLECTOR, Place, new_place

from pipeline.build.lock import FILE_NAME
from pipeline.build.overlay import read_config_files
from pipeline.files import read_tree, text_with_lf

CHECKOUT = Path(__file__).parents[2]

# Files by name: text that git converts, and files that it leaves alone.
CONTENTS = {
    "text": b"one\ntwo\n",
    "no end": b"one\ntwo",
    "latin-1": "ä\nö\n".encode("latin-1"),
    "escapes": b"\x1b[1mone\x1b[0m\n\ftwo\b\n",
    "control-z": b"one\ntwo\n\x1a",
    "image": b"\x89PNG\n\x1a\n\0\0\0\rIHDR",
    "lone CR": b"one\rtwo\n",
    "few controls": b"x" * 200 + b"\x01\n",
    "many controls": b"\x01\x02\x03\n\x04\x05\n",
    "many controls in a text": b"x" * 200 + b"\x01\x02\n",
    "UTF-16": "one\ntwo\n".encode("utf-16"),
}


def cloned(repository: Path, to: Path) -> Path:
    """A clone as git makes it on Windows."""
    git(repository.parent, "clone", "-q", "-c", "core.autocrlf=true", str(repository), str(to))
    return to


def as_crlf(content: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", content)


def with_crlf(folder: Path) -> None:
    """Give every text below a folder CRLF line ends."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(as_crlf(path.read_bytes()))


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with what goes into layers."""
    root = tmp_path / "repository"
    shutil.copytree(CONFIG, root / "config")
    shutil.copytree(CHECKOUT / "tests" / "upstream", root / "tests" / "upstream")
    shutil.copy(CHECKOUT / ".gitattributes", root)
    return root


def committed(root: Path) -> Path:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "all")
    return root


def test_a_clone_with_autocrlf_has_the_same_files(repository: Path, tmp_path: Path) -> None:
    (repository / "config" / "overlay" / "image.png").write_bytes(CONTENTS["image"])
    copy = cloned(committed(repository), tmp_path / "clone")
    for folder in ("config", "tests/upstream"):
        assert read_tree(copy / folder) == read_tree(repository / folder)


def test_content_is_read_as_it_was_before_git_converted_it(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    for name, content in CONTENTS.items():
        (root / name).write_bytes(content)
    copy = cloned(committed(root), tmp_path / "clone")
    converted = {
        name for name, content in CONTENTS.items() if (copy / name).read_bytes() != content
    }
    assert converted == {
        *("text", "no end", "latin-1", "escapes", "control-z", "few controls"),
    }
    assert {name: text_with_lf((copy / name).read_bytes()) for name in CONTENTS} == CONTENTS


def test_config_files_with_crlf_give_the_same_zips_and_the_same_lock(
    built: Built, tmp_path: Path
) -> None:
    config = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    with_crlf(config)
    assert b"\r\n" in (config / "collector" / "minimal.yaml").read_bytes()
    assert read_config_files(config).files == read_config_files(CONFIG).files

    minimal = ("-d", "minimal", "-r", "sample", "--config", config)
    ran = done(run_ocelot("build", *minimal, "--json", cache=built.cache, cwd=tmp_path))
    zips = [layer["sha256"] for layer in ran.manifest["layers"]]
    assert zips == [layer["sha256"] for layer in built.ran.manifest["layers"]]

    done(run_ocelot("lock", *minimal, cache=built.cache, cwd=tmp_path))
    plain = Path(shutil.copytree(CONFIG, tmp_path / "plain"))
    shutil.copy(config / FILE_NAME, plain)
    with_crlf(config)  # the lock, too
    for folder in (config, plain):
        check = ("lock", "--check", "-d", "minimal", "-r", "sample", "--config", folder)
        done(run_ocelot(*check, cache=built.cache, cwd=tmp_path))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return new_place(tmp_path)


def test_a_fork_that_committed_crlf_is_built_and_its_components_are_listed(
    place: Place,
) -> None:
    shutil.rmtree(place.repository)
    crlf = {name: as_crlf(content) for name, content in COLLECTOR.items()}
    commit(new_repository(place.repository), in_collector(crlf))
    ran = done(place.build("-d", "mine", "--json"))
    (layer,) = ran.manifest["layers"]
    assert layer["custom_modules"] == ["example.com/mine@v1.0.0"]
    rows = json.loads(done(place.on("components", "--json")).out)
    assert {row["name"]: row["distributions"] for row in rows} == {
        "one": ["one", "two", "mine"],
        "two": ["two"],
        "mine": ["mine"],
    }


def test_overlay_files_that_are_not_in_the_layer_are_named_every_time(place: Place) -> None:
    overlay = place.config / "overlay"
    overlay.mkdir()
    (overlay / "mine.go").write_text('package main\n\nimport "C"\n')
    (overlay / "gone.go").symlink_to("nowhere.go")
    os.mkfifo(overlay / "pipe.go")
    for _ in range(2):  # compiled, then from the cache
        ran = done(place.build("-d", "one"))
        told = " ".join(ran.err.split())
        assert all(f"overlay/{each}.go (" in told for each in ("mine", "gone", "pipe"))
