"""Finished layers in the user cache, by a key over everything that their bytes depend on.

It is what makes a build in which nothing changed a matter of copying. An entry is a zip and a
record with its checksum; one that does not match is as good as absent.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.files import write_atomic

KEEP_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class StoredLayer:
    """A finished zip.

    Attributes:
        unzipped_size: bytes of its files.
        engine: what compiled it.
    """

    content: bytes
    unzipped_size: int
    engine: str


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sha256: str
    unzipped_size: int
    engine: str


def find_layer(store: Path, key: str) -> StoredLayer | None:
    """The layer of that key, if it is there and whole."""
    path = store / f"{key}.zip"
    try:
        record = _Record.model_validate_json((store / f"{key}.json").read_bytes())
        content = path.read_bytes()
        os.utime(path)
    except (OSError, ValueError):  # pydantic's is a ValueError
        return None
    if hashlib.sha256(content).hexdigest() != record.sha256:
        return None
    return StoredLayer(content=content, unzipped_size=record.unzipped_size, engine=record.engine)


def keep_layer(store: Path, key: str, layer: StoredLayer) -> None:
    """Store a layer, and drop those that nobody asked for in thirty days."""
    record = _Record(
        sha256=hashlib.sha256(layer.content).hexdigest(),
        unzipped_size=layer.unzipped_size,
        engine=layer.engine,
    )
    write_atomic(store / f"{key}.zip", layer.content)
    write_atomic(store / f"{key}.json", record.model_dump_json().encode())
    _drop_old(store)


def _drop_old(store: Path) -> None:
    oldest = time.time() - KEEP_SECONDS
    for path in store.glob("*.zip"):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
                path.with_suffix(".json").unlink()
