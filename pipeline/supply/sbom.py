"""A layer's software bill of materials, as CycloneDX 1.6 JSON.

It lists the contents of the zip and nothing else, so the same zip gives the same bytes: the serial
number is made of the zip's SHA-256, the time is that of the zip's files.
https://cyclonedx.org/docs/1.6/json/ and https://github.com/package-url/purl-spec
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from cyclonedx import model
from cyclonedx.model import bom, component, dependency, license, tool  # noqa: A004
from cyclonedx.output import json
from packageurl import PackageURL

from pipeline.layer.buildinfo import BuildInfo, Module, read_build_info
from pipeline.layer.elf import read_elf
from pipeline.layer.layerfile import COLLECTOR, LayerFile
from pipeline.layer.zip import ZipEntry
from pipeline.supply.licences import licences as known_licences

# The library's decorators hide the types of its classes from a checker.
_Part = Any
_model, _bom, _component = cast("tuple[Any, Any, Any]", (model, bom, component))
_dependency, _license, _tool = cast("tuple[Any, Any, Any]", (dependency, license, tool))
_output = cast("Any", json)

_NO_LICENCES: Mapping[tuple[str, str], tuple[str, ...]] = {}


@dataclass(frozen=True, kw_only=True)
class LayerBill:
    """The bill of materials of a layer.

    Attributes:
        content: CycloneDX 1.6 JSON.
        modules: Go modules of its binary, without the main one.
        licensed: number of modules with known licences.
    """

    content: bytes = field(repr=False)
    modules: tuple[Module, ...]
    licensed: int


def layer_bill(layer: LayerFile, module_cache: Path) -> LayerBill:
    """Return the bill of materials of a layer, with the licences found in Go's module cache.

    Raises:
        UsageError: its collector is no Go binary.
    """
    info = read_build_info(read_elf(layer.collector))
    known = known_licences(info.modules, module_cache)
    content = bill_of_materials(layer, info, name=Path(layer.file).stem, licences=known)
    return LayerBill(content=content, modules=info.modules, licensed=len(known))


def bill_of_materials(
    layer: LayerFile,
    info: BuildInfo,
    *,
    name: str,
    licences: Mapping[tuple[str, str], Sequence[str]] = _NO_LICENCES,
) -> bytes:
    """The bill of materials of a layer.

    Args:
        layer: the opened zip.
        info: what Go noted in its binary.
        name: the layer's.
        licences: SPDX identifiers by module path and version.
    """
    whole = _layer(layer, info, name)
    files = [_file(entry) for entry in layer.entries]
    modules = [_module(module, licences) for module in (info.main, *info.modules)]
    code = [*modules, _standard_library(info)]
    bill = _bom.Bom(
        components=[*files, *code],
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{layer.sha256}"),
        metadata=_bom.BomMetaData(
            component=whole,
            timestamp=datetime.fromtimestamp(layer.modified, tz=UTC),
            tools=_tool.ToolRepository(components=[_ocelot()]),
        ),
    )
    collector = next(each for each in files if each.name == COLLECTOR)
    bill.dependencies = [_needs(whole, files), _needs(collector, code)]
    return (_output.JsonV1Dot6(bill).output_as_string(indent=2) + "\n").encode()


def _needs(part: _Part, others: Sequence[_Part]) -> _Part:
    """The binary's modules; Go records no more of which module needs which."""
    needed = [_dependency.Dependency(other.bom_ref) for other in others]
    return _dependency.Dependency(part.bom_ref, dependencies=needed)


def _layer(layer: LayerFile, info: BuildInfo, name: str) -> _Part:
    facts = {"architecture": info.setting("GOARCH"), "build-tags": info.setting("-tags")}
    return _component.Component(
        type=_component.ComponentType.APPLICATION,
        name=name,
        version=info.collector_version or None,
        bom_ref=f"layer:{layer.sha256}",
        hashes=[_sha256(layer.sha256)],
        properties=_properties({**facts, "size": str(layer.size), "file": layer.file}),
    )


def _file(entry: ZipEntry) -> _Part:
    digest = hashlib.sha256(entry.content).hexdigest()
    facts = {"mode": f"{entry.mode:04o}", "size": str(len(entry.content))}
    return _component.Component(
        type=_component.ComponentType.FILE,
        name=entry.name,
        bom_ref=f"file:{entry.name}",
        hashes=[_sha256(digest)],
        properties=_properties(facts),
    )


def _module(module: Module, licences: Mapping[tuple[str, str], Sequence[str]]) -> _Part:
    """A Go module by the code that was compiled.

    One that a folder replaces keeps its own path, and has no version: its code was never published.
    """
    source = module.source if module.published else module
    released = source.version if module.published else None
    replaced = module.replaced_by
    facts = {
        "go-sum": source.sum,  # over the module's files, by no hash that CycloneDX knows
        "replaces": str(module) if replaced and module.published else "",
        "replaced-by": replaced.path if replaced and not module.published else "",
    }
    return _component.Component(
        type=_component.ComponentType.LIBRARY,
        name=source.path,
        version=released,
        bom_ref=f"module:{module}",
        purl=_purl(source.path, released),
        licenses=[
            _license.DisjunctiveLicense(
                id=each, acknowledgement=_license.LicenseAcknowledgement.CONCLUDED
            )
            for each in licences.get((source.path, source.version), ())
        ],
        properties=_properties(facts),
    )


def _standard_library(info: BuildInfo) -> _Part:
    return _component.Component(
        type=_component.ComponentType.LIBRARY,
        name="stdlib",
        version=info.go,
        description="Go's standard library and run time",
        bom_ref="stdlib",
        purl=_purl("stdlib", info.go),
        properties=_properties({"go-version": info.go_version}),
    )


def _ocelot() -> _Part:
    return _component.Component(
        type=_component.ComponentType.APPLICATION, name="ocelot", version=version("ocelot")
    )


def _sha256(digest: str) -> _Part:
    return _model.HashType(alg=_model.HashAlgorithm.SHA_256, content=digest)


def _purl(path: str, released: str | None) -> PackageURL | None:
    """A Go package URL; None for a path that is none, which no Go writes."""
    namespace, _, name = path.rpartition("/")
    if not name.strip():
        return None
    return PackageURL(type="golang", namespace=namespace or None, name=name, version=released)


def _properties(facts: Mapping[str, str]) -> Iterator[_Part]:
    for name, value in facts.items():
        if value:
            yield _model.Property(name=f"ocelot:{name}", value=value)
