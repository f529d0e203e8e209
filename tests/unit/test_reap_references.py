"""Layer versions that the lock, files and releases name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import pytest
from registry_examples import arn
from test_lock import ONE, TWO, entry

from pipeline.build.lock import write_entries
from pipeline.errors import LockError, UsageError
from pipeline.naming import Architecture, named_arns
from pipeline.reap import references as room
from pipeline.reap.references import NO_REPOSITORY, References, ReleasedLayers, gathered_references
from pipeline.reap.request import Reason

ARN, OTHER = str(arn()), str(arn(version=8))


def gathered(
    config: Path, *files: Path, released: Mapping[str, Sequence[str]] | None = None
) -> References:
    async def read() -> Mapping[str, Sequence[str]]:
        return released or {}

    source: ReleasedLayers | None = read if released is not None else None
    return anyio.run(gathered_references, config, files, source)


def found(references: References, name: str) -> list[tuple[Reason, str]]:
    reasons = references.by_arn.get(name, references.by_sha256.get(name, ()))
    return [(each.reason, each.text) for each in reasons]


def test_the_lock_names_zips_by_their_content(tmp_path: Path) -> None:
    zips = {Architecture.AMD64: ONE, Architecture.ARM64: TWO}
    same = entry("full", zips={Architecture.AMD64: ONE})
    write_entries(tmp_path, entry(zips=zips), same)
    references = gathered(tmp_path, released={})
    assert found(references, ONE) == [
        (Reason.LOCK, "ocelot.lock: full amd64 of main"),
        (Reason.LOCK, "ocelot.lock: minimal amd64 of main"),
    ]
    assert found(references, TWO) == [(Reason.LOCK, "ocelot.lock: minimal arm64 of main")]
    assert references.notes == ()


def test_what_the_lock_does_not_say_is_a_note(tmp_path: Path) -> None:
    (note,) = gathered(tmp_path, released={}).notes
    assert "ocelot.lock" in note
    write_entries(tmp_path, entry(), entry("full", zips={}))
    (note,) = gathered(tmp_path, released={}).notes
    assert "full" in note
    assert gathered(tmp_path).notes[-1] == NO_REPOSITORY
    (tmp_path / "ocelot.lock").write_text("version = 2")
    with pytest.raises(LockError):
        gathered(tmp_path)


def test_files_and_releases_name_arns(tmp_path: Path) -> None:
    one, two = tmp_path / "layers.json", tmp_path / "a list"
    one.write_text(f'{{"arn": "{ARN}", "again": "{ARN}"}}')
    two.write_bytes(f"{ARN}\r\n{OTHER}\r\n\xff".encode("latin-1"))
    references = gathered(tmp_path, one, two, one, released={"v1": [ARN], "v2": []})
    assert found(references, ARN) == [
        (Reason.FILE, f"file {one}"),
        (Reason.FILE, f"file {two}"),
        (Reason.RELEASE, "release v1"),
    ]
    assert found(references, OTHER) == [(Reason.FILE, f"file {two}")]


@pytest.mark.parametrize("kind", ["no arn", "absent", "a folder", "too large"])
def test_a_file_that_keeps_nothing_is_an_error(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept"
    if kind == "no arn":
        path.write_text(ARN.rpartition(":")[0])
    elif kind == "a folder":
        path.mkdir()
    elif kind == "too large":
        path.write_text(ARN)
        monkeypatch.setattr(room, "LARGEST_RECORD", len(ARN) - 1)
    with pytest.raises(UsageError) as refused:
        gathered(tmp_path, path)
    assert "--keep-file" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "arns"),
    [
        (f"x{ARN}y", (ARN,)),
        (f"{ARN}0 {ARN}", (f"{ARN}0", ARN)),
        (f'["{ARN}"],{OTHER},{ARN}', (ARN, OTHER)),
        (f"{ARN}1234567890", ()),
        (ARN.replace("aws", "azure"), ()),
    ],
)
def test_arns_are_found_in_any_text(text: str, arns: tuple[str, ...]) -> None:
    assert named_arns(text) == arns
