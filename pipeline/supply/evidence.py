"""What a build writes beside a zip, so that others can check it: contents and provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.build.lock import Facts
from pipeline.layer.buildinfo import Module, read_build_info
from pipeline.layer.elf import read_elf
from pipeline.layer.layerfile import open_layer
from pipeline.layer.manifest import Layer
from pipeline.supply.inputs import Resource, image_input, module_input, resource
from pipeline.supply.provenance import Builder, provenance

SBOM = ".cdx.json"
PROVENANCE = ".intoto.json"

# A digest of ours over names and contents of a folder's files, see `files.tree_digest`.
_TREE_DIGEST = "ocelotTree"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a finished zip tells of itself.

    Attributes:
        modules: those in its binary, the main one aside.
        sbom: its bill of materials, CycloneDX 1.6 JSON.
    """

    modules: tuple[Module, ...]
    sbom: bytes = field(repr=False)


def layer_contents(content: bytes, *, file: str, module_cache: Path) -> Contents:
    """Look into a zip that was just packed.

    Args:
        content: the zip.
        file: its name.
        module_cache: Go's, or a folder that has its licence files.
    """
    # slow to import, and most commands need no bill of materials
    from pipeline.supply.licences import licences  # noqa: PLC0415
    from pipeline.supply.sbom import bill_of_materials  # noqa: PLC0415

    layer = open_layer(content, file=file)
    info = read_build_info(read_elf(layer.collector))
    known = licences(info.modules, module_cache)
    name = PurePosixPath(file).stem
    return Contents(
        modules=info.modules, sbom=bill_of_materials(layer, info, name=name, licences=known)
    )


def layer_evidence(
    layer: Layer, contents: Contents, facts: Facts, *, image: str, builder: Builder
) -> Mapping[str, bytes]:
    """The files to be written beside a zip, by name.

    Args:
        layer: the manifest's entry.
        contents: what is in the zip.
        facts: what it is made from.
        image: the golang image that compiled it; empty for a machine's own Go.
        builder: who ran ocelot.
    """
    made_from = _resolved(contents.modules, facts, image)
    name = layer.file.removesuffix(".zip")
    return {
        f"{name}{SBOM}": contents.sbom,
        f"{name}{PROVENANCE}": provenance(layer, resources=made_from, builder=builder),
    }


def _resolved(modules: tuple[Module, ...], facts: Facts, image: str) -> Iterator[Resource]:
    for each in modules:
        if each.source.sum:
            yield module_input(each.source.path, each.source.version, each.source.sum)
    if facts.overlay:
        yield resource("overlay", digest={_TREE_DIGEST: facts.overlay})
    if facts.config_file:
        yield resource("config-file", digest={"sha256": facts.config_file})
    if image:
        yield image_input(image)
