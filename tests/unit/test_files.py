from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OutputError, UpstreamError, UsageError
from pipeline.files import (
    ensure_writable,
    output_errors,
    read_tree,
    safe_path,
    tree_digest,
    write_atomic,
    write_tree,
)
from pipeline.paths import cache_folder


@pytest.mark.parametrize("path", ["a", "a/b.go", ".hidden", "a/..b/c", "a b", "ä"])
def test_a_path_inside_is_safe(path: str) -> None:
    assert safe_path(path) == path


@pytest.mark.parametrize(
    "path", ["", ".", "/", "/a", "..", "../a", "a/../b", "a/..", "a\0b", "a\\b", "..\\a"]
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(UpstreamError, match="leads out of its folder"):
        safe_path(path)


def test_a_tree_that_is_written_is_read_again_in_order(tmp_path: Path) -> None:
    tree = {"b": b"", "a.go": b"a", "b.d/c/d.go": b"\0\xff"}
    write_tree(tmp_path / "tree", tree)
    assert read_tree(tmp_path / "tree") == tree
    assert list(read_tree(tmp_path / "tree")) == sorted(tree)


def test_a_tree_is_never_written_outside_its_folder(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError):
        write_tree(tmp_path / "tree", {"../outside": b"x"})
    assert not (tmp_path / "outside").exists()


def test_a_link_is_followed_within_its_tree(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    write_tree(tmp_path / "tree", {"a": b"content"})
    (tmp_path / "tree" / "b").symlink_to("a")
    assert read_tree(tmp_path / "tree")["b"] == b"content"
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(UpstreamError, match="is a link out of"):
        read_tree(tmp_path / "tree")


TREES = st.dictionaries(st.text(st.characters(codec="utf-8")), st.binary(max_size=20), max_size=4)


@given(TREES)
def test_a_digest_does_not_depend_on_the_order(tree: dict[str, bytes]) -> None:
    assert tree_digest(dict(reversed(tree.items()))) == tree_digest(tree)


@pytest.mark.parametrize(
    "other",
    [
        {"a": b"1", "b": b"3"},
        {"a": b"1", "c": b"2"},
        {"a": b"1"},
        {"a": b"1", "b": b"2", "c": b""},
        {"a": b"", "b": b"12"},
        {"a": b"1b\x001\x002"},
    ],
)
def test_another_tree_has_another_digest(other: dict[str, bytes]) -> None:
    assert tree_digest(other) != tree_digest({"a": b"1", "b": b"2"})


def test_a_folders_digest_is_as_long_as_a_commits(tmp_path: Path) -> None:
    assert len(tree_digest(read_tree(tmp_path), "sha1")) == 40


def test_a_file_is_replaced_whole_with_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a"
    before = os.umask(0o027)
    try:
        write_atomic(path, b"a longer content")
        write_atomic(path, b"short")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert path.read_bytes() == b"short"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_put_in_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a" / "full").mkdir(parents=True)
    with pytest.raises(OutputError, match="cannot write to"):
        write_atomic(tmp_path / "a", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_in_place_of_an_output_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "dist").write_bytes(b"")
    with pytest.raises(OutputError) as caught:
        ensure_writable(tmp_path / "dist")
    assert caught.value.hint == "choose another folder"


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    ensure_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_without_a_home_the_cache_needs_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OCELOT_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54321)
    with pytest.raises(UsageError):
        cache_folder()


@pytest.mark.parametrize("given", ["~/cache", "cache"])
def test_the_cache_may_be_named_below_the_home_folder_or_relative(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OCELOT_CACHE", given)
    monkeypatch.chdir(tmp_path)
    assert cache_folder() == tmp_path / "cache"


def test_a_cache_that_is_no_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for wrong in (str(tmp_path / "file"), "~no-such-user/cache"):
        monkeypatch.setenv("OCELOT_CACHE", wrong)
        with pytest.raises(UsageError) as caught:
            cache_folder()
        assert "OCELOT_CACHE" in caught.value.hint


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_an_error_of_the_cache_names_its_variable(number: int, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, output_errors(cache_folder() / "layers"):
        raise OSError(number, os.strerror(number))
    assert "OCELOT_CACHE" in caught.value.hint
    with pytest.raises(OutputError) as caught, output_errors(tmp_path / "dist"):
        raise OSError(number, os.strerror(number))
    assert "OCELOT_CACHE" not in caught.value.hint
