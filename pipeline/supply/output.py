"""Write built layers to the output folder: each zip, the evidence beside it, and the manifest.

Evidence lets others check a zip: its bill of materials (`contents.py`, `sbom.py`) and its
provenance (`provenance.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pipeline import progress
from pipeline.build.apply import BuiltLayer
from pipeline.build.lock import Facts
from pipeline.build.plan import BuildPlan
from pipeline.files import write_atomic
from pipeline.layer import manifest
from pipeline.layer.budget import check_budget, lost_elimination
from pipeline.layer.limits import check_limits
from pipeline.layer.manifest import Go, Layer, Manifest, Upstream
from pipeline.supply.contents import Contents, read_contents
from pipeline.supply.inputs import Resource, image_input, module_input, resource
from pipeline.supply.provenance import Builder, provenance

# Ocelot's own digest over names and contents of a folder's files, see `files.tree_digest`.
_TREE_DIGEST = "ocelotTree"


@dataclass(frozen=True, kw_only=True)
class WrittenLayer:
    """A layer in the output folder; see `BuiltLayer`.

    Attributes:
        layer: its entry in the manifest.
    """

    layer: Layer
    reused: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class BuildOutput:
    """The result of a build.

    Attributes:
        layers: this build's layers.
        manifest: of the whole output folder.
        notes: what the user should know.
    """

    folder: Path
    layers: tuple[WrittenLayer, ...]
    manifest: Manifest
    notes: tuple[str, ...]


async def write_layers(
    plan: BuildPlan,
    layers: Sequence[BuiltLayer],
    output: Path,
    *,
    cache: Path,
    module_cache: Path,
    builder: Builder,
) -> BuildOutput:
    """Write the plan's layers with their evidence, and bring the manifest up to date.

    Nothing is written before the evidence of every layer is there and none is over its budget.

    Args:
        plan: what the layers were made by.
        layers: all of the plan's.
        output: the folder.
        cache: the user cache, which keeps the contents of layers.
        module_cache: Go's, for the licences of modules.
        builder: who runs ocelot.

    Raises:
        LimitError: a layer is over its distribution's budget.
        OutputError: a disk is full or read-only.
    """
    contents = await read_contents(layers, cache=cache, module_cache=module_cache)
    entries = [_entry(plan, *each) for each in zip(layers, contents, strict=True)]
    notes = list(dict.fromkeys(_notes(plan, layers, entries, output)))
    for note in notes:
        progress.note(note)
    for layer, entry, inside in zip(layers, entries, contents, strict=True):
        last, modules = output / entry.file, len(inside.modules)
        check_budget(plan.budget, entry, layer.zip.content, modules=modules, last=last)
    written = [
        WrittenLayer(
            layer=_write_layer(plan, layer, entry, inside, output, builder),
            reused=layer.reused,
            seconds=layer.seconds,
        )
        for layer, entry, inside in zip(layers, entries, contents, strict=True)
    ]
    return BuildOutput(
        folder=output,
        layers=tuple(written),
        manifest=manifest.update_manifest(output, tuple(each.layer for each in written)),
        notes=(*plan.notes, *notes),
    )


def _notes(
    plan: BuildPlan, layers: Sequence[BuiltLayer], entries: Sequence[Layer], output: Path
) -> Iterator[str]:
    """Return what the user should know of the layers; a sentence may come for each of them."""
    old = manifest.folder_manifest(output)
    for layer, entry in zip(layers, entries, strict=True):
        yield from plan.tuned.without_effect(layer.zip.unused_tags)
        yield from check_limits(entry.file, size=entry.size, unzipped=entry.unzipped_size)
        last = next((each for each in (old.layers if old else ()) if each.file == entry.file), None)
        if last and last.dead_code_elimination and not entry.dead_code_elimination:
            yield lost_elimination(last, entry, output / entry.file, layer.zip.content)


def _entry(plan: BuildPlan, layer: BuiltLayer, contents: Contents) -> Layer:
    """The manifest's entry for a layer, without its evidence."""
    dropped = contents.unused_methods_dropped
    return manifest_entry(plan, layer).model_copy(update={"dead_code_elimination": dropped})


def _write_layer(
    plan: BuildPlan,
    layer: BuiltLayer,
    entry: Layer,
    contents: Contents,
    output: Path,
    builder: Builder,
) -> Layer:
    """Write a zip and its evidence; returns the manifest's entry."""
    write_atomic(output / layer.plan.file, layer.zip.content)
    evidence = _evidence(plan, layer, entry, contents, builder)
    for name, content in evidence.items():
        write_atomic(output / name, content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in evidence.items()}
    return entry.model_copy(update={"evidence": digests})


def manifest_entry(plan: BuildPlan, layer: BuiltLayer) -> Layer:
    """The manifest's entry for a layer, by its plan alone."""
    facts, content = plan.facts, layer.zip.content
    step = layer.plan.step
    return Layer(
        file=layer.plan.file,
        sha256=layer.zip.sha256,
        code_sha256=manifest.code_sha256(content),
        size=len(content),
        unzipped_size=layer.zip.unzipped_size,
        architecture=layer.plan.architecture,
        distribution=facts.distribution,
        description=plan.description,
        build_tags=facts.build_tags,
        custom_modules=facts.custom_modules,
        tunings=plan.tuned.applied,
        collector_version=facts.collector,
        upstream=Upstream(repository=facts.repository, ref=facts.ref, commit=facts.commit),
        go=Go(version=facts.go, command=step.argv, environment=dict(step.env)),
        packer=facts.packer,
        source_date_epoch=facts.source_date_epoch,
        engine=layer.zip.engine,
        ocelot=version("ocelot"),
        evidence={},
        locked=plan.locked is not None,
    )


def _evidence(
    plan: BuildPlan, layer: BuiltLayer, entry: Layer, contents: Contents, builder: Builder
) -> Mapping[str, bytes]:
    """The files to be written beside a zip, by name."""
    made_from = _resources(contents, plan.facts, layer.zip.image)
    name = layer.plan.file.removesuffix(".zip")
    return {
        f"{name}.cdx.json": contents.sbom,
        f"{name}.intoto.json": provenance(
            entry, resources=made_from, builder=builder, origin=plan.origin
        ),
    }


def _resources(contents: Contents, facts: Facts, image: str) -> Iterator[Resource]:
    """The materials of a layer, besides upstream and Go."""
    for each in contents.modules:
        if each.sum:
            yield module_input(each.path, each.version, each.sum)
    if facts.overlay:
        yield resource("overlay", digest={_TREE_DIGEST: facts.overlay})
    if facts.config_file:
        yield resource("config-file", digest={"sha256": facts.config_file})
    if image:
        yield image_input(image)
