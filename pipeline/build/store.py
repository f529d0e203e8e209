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
from pipeline.layer.buildinfo import Module
from pipeline.supply.evidence import SBOM, Contents

KEEP_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class StoredLayer:
    """A finished zip.

    Attributes:
        unzipped_size: bytes of its files.
        engine: what compiled it.
        image: the golang image that did; empty for a machine's own Go.
        contents: what is in it.
    """

    content: bytes
    unzipped_size: int
    engine: str
    image: str
    contents: Contents


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sha256: str
    sbom_sha256: str
    unzipped_size: int
    engine: str
    image: str
    modules: tuple[tuple[str, str, str], ...]


def find_layer(store: Path, key: str) -> StoredLayer | None:
    """The layer of that key, if it is there and whole."""
    path = store / f"{key}.zip"
    try:
        record = _Record.model_validate_json((store / f"{key}.json").read_bytes())
        content = path.read_bytes()
        sbom = (store / f"{key}{SBOM}").read_bytes()
        os.utime(path)
    except (OSError, ValueError):  # pydantic's is a ValueError
        return None
    if (_sha256(content), _sha256(sbom)) != (record.sha256, record.sbom_sha256):
        return None
    modules = tuple(
        Module(path=path, version=version, sum=h1) for path, version, h1 in record.modules
    )
    return StoredLayer(
        content=content,
        unzipped_size=record.unzipped_size,
        engine=record.engine,
        image=record.image,
        contents=Contents(modules=modules, sbom=sbom),
    )


def keep_layer(store: Path, key: str, layer: StoredLayer) -> None:
    """Store a layer, and drop those that nobody asked for in thirty days."""
    sources = (each.source for each in layer.contents.modules)
    record = _Record(
        sha256=_sha256(layer.content),
        sbom_sha256=_sha256(layer.contents.sbom),
        unzipped_size=layer.unzipped_size,
        engine=layer.engine,
        image=layer.image,
        modules=tuple((each.path, each.version, each.sum) for each in sources),
    )
    write_atomic(store / f"{key}.zip", layer.content)
    write_atomic(store / f"{key}{SBOM}", layer.contents.sbom)
    write_atomic(store / f"{key}.json", record.model_dump_json().encode())
    _drop_old(store)


def _drop_old(store: Path) -> None:
    oldest = time.time() - KEEP_SECONDS
    for path in store.glob("*.zip"):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
                path.with_suffix(".json").unlink()
                path.with_suffix(SBOM).unlink()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
