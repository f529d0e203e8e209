"""Zips with their manifest, and what is published of them, for both tiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from supply_examples import layer_zip, paper
from unit_examples import layer

from pipeline.layer.manifest import FILE_NAME, Layer, Manifest
from pipeline.publish.package import Naming, Package, read_packages

NAMING = Naming(base="ocel", release_group="beta")
AMD64, ARM64 = "collector-amd64-minimal.zip", "collector-arm64-minimal.zip"


def content(file: str = AMD64, epoch: int = 1_750_000_000) -> bytes:
    """A layer's zip; another one for another time."""
    return layer_zip(paper("arm64" if "arm64" in file else "amd64"), epoch=epoch)


def dist(folder: Path, *files: str, epoch: int = 1_750_000_000) -> Path:
    """What `ocelot build` leaves: zips and a manifest."""
    contents = {file: content(file, epoch) for file in files or (AMD64, ARM64)}
    folder.mkdir(parents=True, exist_ok=True)
    for file, each in contents.items():
        (folder / file).write_bytes(each)
    write_manifest(folder, [layer(file, each) for file, each in contents.items()])
    return folder


def write_manifest(folder: Path, layers: Sequence[Layer]) -> None:
    """A manifest that says that, true or not."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).write_text(Manifest(layers=tuple(layers)).text(), encoding="utf-8")


def package(folder: Path, file: str = AMD64, naming: Naming = NAMING) -> Package:
    """One zip that is to be published."""
    return read_packages([dist(folder, file) / file], naming)[0]
