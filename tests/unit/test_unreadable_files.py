"""Files that cannot be read, in the place of each file that ocelot reads for a user."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build.bundle import open_bundle
from pipeline.build.lock import read_lock
from pipeline.build.sources import read_index
from pipeline.build.toolchain import module_settings
from pipeline.build.upstream import folder_source
from pipeline.config.located_yaml import read_document
from pipeline.errors import OcelotError
from pipeline.files import open_regular, read_file, read_tree
from pipeline.layer.manifest import read_manifest
from pipeline.publish.published import read_publish_record
from pipeline.trust.token import token_of

SECRET = b"s3cret"


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


# What a path can be instead of a file of a usual size with UTF-8 text.
KINDS: dict[str, Callable[[Path], object]] = {
    "huge": _sparse,
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "no text": lambda path: path.write_bytes(SECRET + b"\xff\xfe\0"),
    "device": lambda path: path.symlink_to("/dev/zero"),
}

# The readers, by the name of the file that they read.
READERS: dict[str, Callable[[Path], object]] = {
    "manifest.json": read_manifest,
    "ocelot.lock": lambda path: read_lock(path.parent),
    "sources.json": lambda path: read_index(path.parent),
    "publish.json": read_publish_record,
    "token": lambda path: token_of(f"file:{path}", {}),
    "bundle": lambda path: open_bundle(path, path.parent / "unpacked"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_it_is_an_error_that_names_the_file(name: str, kind: str, tmp_path: Path) -> None:
    KINDS[kind](tmp_path / name)
    with pytest.raises(OcelotError) as caught:
        READERS[name](tmp_path / name)
    assert name in str(caught.value)
    assert caught.value.hint


def test_no_error_has_a_token_that_is_no_text(tmp_path: Path) -> None:
    KINDS["no text"](tmp_path / "token")
    with pytest.raises(OcelotError) as caught:
        token_of(f"file:{tmp_path / 'token'}", {})
    assert SECRET.decode() not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_problem_of_the_configuration(kind: str, tmp_path: Path) -> None:
    KINDS[kind](tmp_path / "x.yaml")
    (problem,) = read_document(tmp_path / "x.yaml", "x.yaml").problems
    assert problem.file == "x.yaml"


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"no text"}))
def test_a_file_of_any_content_is_refused_unread(kind: str, tmp_path: Path) -> None:
    KINDS[kind](tmp_path / "x")
    with pytest.raises(OcelotError, match="x cannot be read"):
        read_file(tmp_path / "x", "name another")


def test_a_huge_file_in_a_folder_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "collector").mkdir()
    _sparse(tmp_path / "collector" / "x")
    with pytest.raises(OcelotError, match="collector/x"):
        read_tree(tmp_path)
    with pytest.raises(OcelotError, match="collector/x"):
        folder_source("./x", "main", tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_settings_of_go_are_then_as_good_as_none(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    KINDS[kind](tmp_path / "env")
    monkeypatch.setenv("GOENV", str(tmp_path / "env"))
    monkeypatch.delenv("GOPROXY", raising=False)
    assert "GOPROXY" not in module_settings()


def test_no_handle_stays_open(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = list(Path("/dev/fd").iterdir())
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OSError, match=path.name):
            open_regular(path)
    assert list(Path("/dev/fd").iterdir()) == before
