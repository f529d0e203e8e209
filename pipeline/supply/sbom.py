"""A layer's software bill of materials, as CycloneDX 1.6 JSON.

It tells what is in the zip and nothing else, so the same zip gives the same bytes: the serial
number is made of the zip's SHA-256, the time is that of the zip's files.
https://cyclonedx.org/docs/1.6/json/ and https://github.com/package-url/purl-spec
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from pipeline.build.zip import Entry
from pipeline.supply.buildinfo import BuildInfo, Module
from pipeline.supply.layerfile import COLLECTOR, LayerFile

# The module whose version people know as the collector's.
_COLLECTOR_MODULE = "go.opentelemetry.io/collector/otelcol"

_NO_LICENCES: Mapping[tuple[str, str], tuple[str, ...]] = {}


def sbom(
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
    bom = Bom(
        components=[*files, *code],
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{layer.sha256}"),
        metadata=BomMetaData(
            component=whole,
            timestamp=datetime.fromtimestamp(layer.modified, tz=UTC),
            tools=ToolRepository(components=[_ocelot()]),
        ),
    )
    collector = next(each for each in files if each.name == COLLECTOR)
    bom.dependencies = [_needs(whole, files), _needs(collector, code)]
    return (JsonV1Dot6(bom).output_as_string(indent=2) + "\n").encode()


def collector_version(info: BuildInfo) -> str:
    """The collector's version as people know it, empty for a binary that is none."""
    found = (each for each in info.modules if each.path == _COLLECTOR_MODULE)
    return next((module.source.version for module in found), "")


def _needs(component: Component, others: Sequence[Component]) -> Dependency:
    """All that Go notes of who needs whom: what is in the binary."""
    needed = [Dependency(other.bom_ref) for other in others]
    return Dependency(component.bom_ref, dependencies=needed)


def _layer(layer: LayerFile, info: BuildInfo, name: str) -> Component:
    facts = {"architecture": info.setting("GOARCH"), "build-tags": info.setting("-tags")}
    return Component(
        type=ComponentType.APPLICATION,
        name=name,
        version=collector_version(info) or None,
        bom_ref=f"layer:{layer.sha256}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=layer.sha256)],
        properties=_properties({**facts, "size": str(layer.size), "file": layer.file}),
    )


def _file(entry: Entry) -> Component:
    digest = hashlib.sha256(entry.content).hexdigest()
    facts = {"mode": f"{entry.mode:04o}", "size": str(len(entry.content))}
    return Component(
        type=ComponentType.FILE,
        name=entry.name,
        bom_ref=f"file:{entry.name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        properties=_properties(facts),
    )


def _module(
    module: Module, licences: Mapping[tuple[str, str], Sequence[str]]
) -> Component:
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
    return Component(
        type=ComponentType.LIBRARY,
        name=source.path,
        version=released,
        bom_ref=f"module:{module}",
        purl=_purl(source.path, released),
        licenses=[
            DisjunctiveLicense(id=each, acknowledgement=LicenseAcknowledgement.CONCLUDED)
            for each in licences.get((source.path, source.version), ())
        ],
        properties=_properties(facts),
    )


def _standard_library(info: BuildInfo) -> Component:
    released = info.go_version.removeprefix("go").partition(" ")[0]
    return Component(
        type=ComponentType.LIBRARY,
        name="stdlib",
        version=released,
        description="Go's standard library and run time",
        bom_ref="stdlib",
        purl=_purl("stdlib", released),
        properties=_properties({"go-version": info.go_version}),
    )


def _ocelot() -> Component:
    return Component(type=ComponentType.APPLICATION, name="ocelot", version=version("ocelot"))


def _purl(path: str, released: str | None) -> PackageURL:
    namespace, _, name = path.rpartition("/")
    return PackageURL(type="golang", namespace=namespace or None, name=name, version=released)


def _properties(facts: Mapping[str, str]) -> Iterator[Property]:
    for name, value in facts.items():
        if value:
            yield Property(name=f"ocelot:{name}", value=value)
