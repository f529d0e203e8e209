"""States of the config folder that git's history has: which files are accepted."""

from __future__ import annotations

import pytest

from pipeline.errors import LockError
from pipeline.reap.history import (
    MOST_FILES,
    PastEntry,
    past_entries,
    past_tree,
)

COMMIT = "c" * 40


def listed(path: str, mode: str = "100644", size: str = "3", kind: str = "blob") -> bytes:
    """A row of `git ls-tree -r -z --long`."""
    return f"{mode} {kind} {'a' * 40} {size:>7}\t{path}\0".encode()


def entry(path: str, content: str = "", mode: str = "100644") -> PastEntry:
    """An entry whose SHA is its content."""
    return PastEntry(mode=mode, sha=content or path, size=3, path=path)


def link(path: str, target: str) -> PastEntry:
    return entry(path, target, mode="120000")


def tree(*entries: PastEntry) -> dict[str, bytes]:
    contents = {each.sha: each.sha.encode() for each in entries}
    return dict(past_tree(entries, contents, COMMIT))


def test_files_and_links_are_listed() -> None:
    rows = listed("a b.yaml") + listed("overlay/x.go", "100755") + listed("l", "120000", "12")
    assert [(each.path, each.mode, each.size) for each in past_entries(rows, COMMIT)] == [
        ("a b.yaml", "100644", 3),
        ("overlay/x.go", "100755", 3),
        ("l", "120000", 12),
    ]
    assert past_entries(b"", COMMIT) == ()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "..", "a\\b", "a/.."])
def test_a_path_out_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(LockError):
        past_entries(listed("good") + listed(path), COMMIT)


def test_a_submodule_is_refused() -> None:
    with pytest.raises(LockError):
        past_entries(listed("sub", "160000", "-", "commit"), COMMIT)


def test_too_many_files_and_too_many_bytes_are_refused() -> None:
    assert past_entries(b"".join(listed(str(at)) for at in range(MOST_FILES)), COMMIT)
    with pytest.raises(LockError):
        past_entries(b"".join(listed(str(at)) for at in range(MOST_FILES + 1)), COMMIT)
    with pytest.raises(LockError):
        past_entries(listed("large", size=str(65 * 1024**2)), COMMIT)


def test_a_link_to_a_file_of_the_folder_is_a_copy() -> None:
    found = tree(
        entry("a/x", "content"), link("y", "a/x"), link("a/z", "./x"), link("b/w", "../a/x")
    )
    assert {*found.values()} == {b"content"}
    assert {*found} == {"a/x", "y", "a/z", "b/w"}


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../x", "../../../etc/passwd", "a", ".", "l", "missing"]
)
def test_any_other_link_is_refused(target: str) -> None:
    with pytest.raises(LockError):
        tree(entry("a/x"), link("l", target))
