"""A GitOps repository as a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import GitOpsError, UsageError
from pipeline.files import read_tree, write_tree
from pipeline.gitops.changes import Change
from pipeline.gitops.folder import path_in_folder, read_folder, write_changes

KIND = b"apiVersion: openchoreo.dev/v1alpha1\nkind: Project\nmetadata: {name: shop}\n"


def change(path: str, before: bytes | None, after: bytes) -> Change:
    return Change(path=path, before=before, after=after)


def test_links_are_named_and_not_read(tmp_path: Path) -> None:
    write_tree(tmp_path / "outside", {"a.yaml": KIND})
    write_tree(tmp_path / "root", {"b.yml": KIND, ".git/c.yaml": KIND, "deep/.occ/d.yaml": KIND})
    (tmp_path / "root/deep/folder").symlink_to(tmp_path / "outside")
    (tmp_path / "root/file.yaml").symlink_to(tmp_path / "outside" / "a.yaml")
    found = read_folder(tmp_path / "root")
    assert [each.path for each in found.resources] == ["b.yml"]
    assert found.links == ("deep/folder", "file.yaml")


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("given", "path"), [("a/b.yaml", "a/b.yaml"), ("./a/../b", "b"), ("{root}/a", "a")]
)
def test_a_path_is_taken_from_the_root(given: str, path: str, tmp_path: Path) -> None:
    assert path_in_folder(tmp_path, Path(given.format(root=tmp_path))) == path


@pytest.mark.parametrize("given", ["../a", "/etc", "a/../../b"])
def test_a_path_out_of_the_folder_is_an_error(given: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        path_in_folder(tmp_path, Path(given))


def test_changes_are_written(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.yaml": b"1"})
    write_changes(tmp_path, [change("a.yaml", b"1", b"2"), change("b/c.yaml", None, b"3")])
    assert read_tree(tmp_path) == {"a.yaml": b"2", "b/c.yaml": b"3"}


@pytest.mark.parametrize("before", [None, b"other"])
def test_a_file_that_is_not_as_it_was_read_is_left_alone(
    before: bytes | None, tmp_path: Path
) -> None:
    write_tree(tmp_path, {"a.yaml": b"1"})
    with pytest.raises(GitOpsError):
        write_changes(tmp_path, [change("new.yaml", None, b"3"), change("a.yaml", before, b"2")])
    assert read_tree(tmp_path) == {"a.yaml": b"1"}
