"""Zips with their manifest, and packages of them, for both tiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from supply_examples import layer_zip, paper
from unit_examples import layer

from pipeline.layer.manifest import FILE_NAME, Layer, Manifest
from pipeline.options import PublishOptions, ReleaseGroupOptions
from pipeline.publish.package import Package, read_packages

OPTIONS = PublishOptions()
GROUP = "beta"
AMD64, ARM64 = "collector-amd64-minimal.zip", "collector-arm64-minimal.zip"


def content(file: str = AMD64, epoch: int = 1_750_000_000) -> bytes:
    """A layer's zip; another epoch gives another zip."""
    return layer_zip(paper("arm64" if "arm64" in file else "amd64"), epoch=epoch)


def dist(folder: Path, *files: str, epoch: int = 1_750_000_000) -> Path:
    """Write the output of `ocelot build`: zips and a manifest; other zips are removed."""
    contents = {file: content(file, epoch) for file in files or (AMD64, ARM64)}
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.zip"):
        old.unlink()
    for file, each in contents.items():
        (folder / file).write_bytes(each)
    write_manifest(folder, [layer(file, each) for file, each in contents.items()])
    return folder


def write_manifest(folder: Path, layers: Sequence[Layer]) -> None:
    """Write a manifest with these entries, true or not."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).write_text(Manifest(layers=tuple(layers)).text(), encoding="utf-8")


def package(folder: Path, file: str = AMD64, options: ReleaseGroupOptions = OPTIONS) -> Package:
    """A zip to be published."""
    return read_packages(options, GROUP, [dist(folder, file) / file])[0]
