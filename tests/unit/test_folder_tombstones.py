"""Tombstones in a folder, where there is no registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from registry_examples import arn, row, tombstone

from pipeline.errors import OutputError, ReapError
from pipeline.naming import LayerArn
from pipeline.reap.tombstones import FolderTombstones

OTHERS = (
    arn(version=8),
    arn(region="eu-west-3"),
    replace(arn(), name=arn().name.replace("-", "_")),
    replace(arn(), name=f"{arn().name}-7", version=1),
    replace(arn(), name=arn().name.upper()),
    replace(arn(), name=arn().name.title()),
    replace(arn(), account="210987654321"),
)


@pytest.fixture
def folder(tmp_path: Path) -> FolderTombstones:
    return FolderTombstones(tmp_path / "tombstones")


def test_a_tombstone_is_read_as_it_was_written(folder: FolderTombstones) -> None:
    stone = tombstone(forced=("lock", "newest"), lock=json.dumps({"distribution": "minimal"}))
    assert (folder.row(stone.arn), list(folder.all())) == (None, [])
    assert folder.bury(stone, None)
    assert folder.row(stone.arn) == stone
    assert list(folder.all()) == [stone]
    assert [each.suffix for each in folder.folder.iterdir()] == [".json"]


def test_each_layer_version_has_a_file_of_its_own_on_every_file_system(
    folder: FolderTombstones,
) -> None:
    names = [folder.path(each).name for each in (arn(), *OTHERS)]
    assert len({each.lower() for each in names}) == len(names)
    longest = LayerArn(
        partition="aws-us-gov", region="us-gov-west-1", account="1" * 12, name="A" * 140, version=9
    )
    for name in (*names, folder.path(longest).name):
        assert len(name) < 255
        assert not set(name) & set('<>:"/\\|?*% ')


def test_the_tombstone_of_another_run_stays_unless_it_was_read(folder: FolderTombstones) -> None:
    first, second = tombstone(plan="1" * 16), tombstone(plan="2" * 16)
    folder.bury(first, None)
    assert folder.bury(second, None)
    assert folder.row(first.arn) == first
    assert folder.bury(second, first)
    assert folder.row(first.arn) == second


def test_a_restored_layer_version_is_noted(folder: FolderTombstones) -> None:
    stone, now = tombstone(), arn(version=9)
    assert not folder.note_restored(stone.arn, now)
    folder.bury(stone, None)
    assert folder.note_restored(stone.arn, now)
    assert folder.row(stone.arn) == replace(stone, restored_as=str(now))


def _written(text: str | bytes) -> Callable[[Path], object]:
    """Return a function that writes a file."""
    content = text.encode() if isinstance(text, str) else text
    return lambda path: path.write_bytes(content)


def _without_row(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "row": None}))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: tuple[Callable[[Path], object], ...] = (
    *(_written(""), _written(b"\xff\xfe"), _written("[" * 100_000)),
    *(_written(tombstone(row(version=8)).text()), _cut, _without_row, _as_folder),
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_tombstone_is_named(
    folder: FolderTombstones, damage: Callable[[Path], object]
) -> None:
    stone = tombstone()
    folder.bury(stone, None)
    damage(folder.path(stone.arn))
    works: tuple[Callable[[], object], ...] = (
        lambda: folder.row(stone.arn),
        lambda: folder.bury(stone, None),
        lambda: folder.note_restored(stone.arn, stone.arn),
    )
    for work in works:
        with pytest.raises(ReapError) as caught:
            work()
        assert folder.path(stone.arn).name in str(caught.value)
        assert caught.value.hint


def test_a_folder_that_cannot_be_written_is_named(folder: FolderTombstones) -> None:
    folder.folder.write_text("a file")
    with pytest.raises(OutputError, match="tombstones"):
        folder.bury(tombstone(), None)
    assert folder.folder.read_text() == "a file"


def test_a_temporary_file_of_an_ended_run_is_no_tombstone(folder: FolderTombstones) -> None:
    folder.bury(tombstone(), None)
    (folder.folder / f".{folder.path(arn()).name}.x.json").write_text("half")
    assert len(list(folder.all())) == 1
