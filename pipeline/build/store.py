"""Finished layers in the user cache, by a key over everything that their bytes depend on.

A build in which nothing changed copies its zips from here. An entry is a zip, a record with its
checksum and, once they were read, its contents (modules and bill of materials). An entry whose
files do not belong together counts as absent. Entries that were not used for thirty days are
removed, with all files of the same key.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.files import write_atomic
from pipeline.record import Record

CONTENTS = ".contents.json"
KEEP_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class LayerZip:
    """A finished zip.

    Attributes:
        unzipped_size: bytes of its files.
        engine: what compiled it: `host` or `dagger`.
        image: the golang image that did; empty for a machine's own Go.
        unused_tags: the build tags of tunings that no compiled package has a use for.
    """

    content: bytes = field(repr=False)
    unzipped_size: int
    engine: str
    image: str
    unused_tags: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """The zip's SHA-256, in hex."""
        return hashlib.sha256(self.content).hexdigest()


class _ZipRecord(Record):
    sha256: str
    unzipped_size: int
    engine: str
    image: str
    unused_tags: tuple[str, ...] = ()


def store_file(cache: Path, key: str, suffix: str) -> Path:
    """Return the path of one of the files that the user cache keeps for a layer's key."""
    return cache / "layers" / f"{key}{suffix}"


def find_zip(cache: Path, key: str) -> LayerZip | None:
    """Return the zip of that key, if it is there and whole."""
    path = store_file(cache, key, ".zip")
    try:
        record = _ZipRecord.model_validate_json(store_file(cache, key, ".json").read_bytes())
        found = LayerZip(content=path.read_bytes(), **record.model_dump(exclude={"sha256"}))
    except (OSError, ValueError):  # pydantic's is a ValueError
        return None
    if {record.sha256, _described_zip(cache, key)} - {found.sha256, ""}:
        return None
    with suppress(OSError):  # another user's, or on a disk that is read-only
        os.utime(path)
    return found


def _described_zip(cache: Path, key: str) -> str:
    """The SHA-256 of the zip that a key's contents were read from; empty where there are none."""
    try:
        contents: dict[str, object] = json.loads(store_file(cache, key, CONTENTS).read_bytes())
        return str(contents["zip_sha256"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""


def keep_zip(cache: Path, key: str, made: LayerZip) -> None:
    """Store a zip, and remove those that were not used for thirty days.

    Raises:
        OutputError: the cache cannot be written.
    """
    record = _ZipRecord(
        sha256=made.sha256,
        unzipped_size=made.unzipped_size,
        engine=made.engine,
        image=made.image,
        unused_tags=made.unused_tags,
    )
    write_atomic(store_file(cache, key, ".zip"), made.content)
    write_atomic(store_file(cache, key, ".json"), record.model_dump_json().encode())
    _remove_old(cache)


def _remove_old(cache: Path) -> None:
    oldest = time.time() - KEEP_SECONDS
    for path in (cache / "layers").glob("*.zip"):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                for each in path.parent.glob(f"{path.stem}.*"):
                    each.unlink()
