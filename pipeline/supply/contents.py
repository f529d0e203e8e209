"""The contents of built layers: the modules of the binary and the bill of materials.

To read them takes most of a second a layer, so the user cache keeps them beside the layer's zip.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pipeline import progress
from pipeline.build.apply import BuiltLayer
from pipeline.build.store import CONTENTS, store_file
from pipeline.errors import OutputError
from pipeline.files import write_atomic
from pipeline.layer.buildinfo import Module
from pipeline.layer.elf import read_elf
from pipeline.layer.layerfile import open_layer
from pipeline.layer.unused_methods import are_unused_methods_dropped
from pipeline.record import Record
from pipeline.threads import in_threads


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The contents of a finished zip.

    Attributes:
        modules: Go modules of its binary, without the main one, as they were compiled.
        sbom: its bill of materials, CycloneDX 1.6 JSON.
        unused_methods_dropped: True if the linker could drop unused methods.
    """

    modules: tuple[Module, ...]
    sbom: bytes = field(repr=False)
    unused_methods_dropped: bool


class _ContentsRecord(Record):
    zip_sha256: str
    sbom_sha256: str
    sbom: str
    modules: tuple[tuple[str, str, str], ...]
    unused_methods_dropped: bool


async def read_contents(
    layers: Sequence[BuiltLayer], *, cache: Path, module_cache: Path
) -> list[Contents]:
    """Return the contents of each layer, in order: from the cache, else read from the zip.

    Args:
        layers: they are read at the same time.
        cache: the user cache.
        module_cache: Go's, or a folder that has its licence files.
    """
    found = {each.plan.file: _kept(cache, each) if each.reused else None for each in layers}
    missing = [each for each in layers if found[each.plan.file] is None]
    read = partial(_read, module_cache=module_cache)
    new = await in_threads(read, missing, at_once=len(layers))
    for layer, contents in zip(missing, new, strict=True):
        _keep(cache, layer, contents)
        found[layer.plan.file] = contents
    return [each for each in found.values() if each]


def _read(layer: BuiltLayer, *, module_cache: Path) -> Contents:
    # slow to import, and most commands need no bill of materials
    from pipeline.supply.sbom import layer_bill  # noqa: PLC0415

    with progress.step(str(layer.plan.architecture), "bill of materials"):
        opened = open_layer(layer.zip.content, file=layer.plan.file)
        bill = layer_bill(opened, module_cache)
        return Contents(
            modules=tuple(each.source for each in bill.modules),
            sbom=bill.content,
            unused_methods_dropped=are_unused_methods_dropped(read_elf(opened.collector)),
        )


def _kept(cache: Path, layer: BuiltLayer) -> Contents | None:
    """The contents that the cache has of this very zip; None where it has none, or damaged ones."""
    try:
        record = _ContentsRecord.model_validate_json(_path(cache, layer).read_bytes())
    except (OSError, ValueError):  # pydantic's is a ValueError
        return None
    sbom = record.sbom.encode()
    if (record.zip_sha256, record.sbom_sha256) != (layer.zip.sha256, _sha256(sbom)):
        return None
    modules = (Module(path=path, version=version, sum=h1) for path, version, h1 in record.modules)
    return Contents(
        modules=tuple(modules), sbom=sbom, unused_methods_dropped=record.unused_methods_dropped
    )


def _keep(cache: Path, layer: BuiltLayer, contents: Contents) -> None:
    record = _ContentsRecord(
        zip_sha256=layer.zip.sha256,
        sbom_sha256=_sha256(contents.sbom),
        sbom=contents.sbom.decode(),
        modules=tuple((each.path, each.version, each.sum) for each in contents.modules),
        unused_methods_dropped=contents.unused_methods_dropped,
    )
    with suppress(OutputError):  # the zip was not kept either, and a note said so
        write_atomic(_path(cache, layer), record.model_dump_json().encode())


def _path(cache: Path, layer: BuiltLayer) -> Path:
    return store_file(cache, layer.plan.key, CONTENTS)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
