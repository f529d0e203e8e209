"""The entry point for reading a finished layer."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.layer.buildinfo import BuildInfo, read_build_info
from pipeline.layer.components import FoundComponent, find_components
from pipeline.layer.elf import read_elf
from pipeline.layer.functions import read_functions
from pipeline.layer.layerfile import LayerFile
from pipeline.layer.sizes import BinarySizes, read_sizes
from pipeline.layer.unused_methods import UnusedMethods, read_unused_methods


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """The contents of a layer.

    Attributes:
        architecture: of the binary, by its Go name; empty for one that Lambda does not have.
        info: Go's build info.
    """

    layer: LayerFile
    architecture: str
    info: BuildInfo
    components: tuple[FoundComponent, ...]
    sizes: BinarySizes
    unused_methods: UnusedMethods


def inspect_layer(layer: LayerFile) -> Inspection:
    """Read the contents of an opened layer.

    Raises:
        UsageError: its collector is no Go binary.
    """
    elf = read_elf(layer.collector)
    info = read_build_info(elf)
    table = read_functions(elf)
    sizes = read_sizes(elf, info, table)
    return Inspection(
        layer=layer,
        architecture=elf.architecture,
        info=info,
        components=find_components(info, table, sizes),
        sizes=sizes,
        unused_methods=read_unused_methods(elf),
    )
