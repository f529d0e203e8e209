"""The gate before publishing: a short run of the layers that have not passed the bench yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline import progress
from pipeline.bench.environment.machine import missing_packages
from pipeline.bench.preparation import BenchRequest
from pipeline.bench.result import check_results
from pipeline.build.compile import Compiler
from pipeline.config.folder import Config
from pipeline.errors import OutputError, UsageError
from pipeline.layer.manifest import (
    FILE_NAME,
    PASSED,
    BenchNote,
    Layer,
    read_manifest,
    write_bench_notes,
)
from pipeline.paths import go_caches

STARTS, INVOCATIONS = 3, 3
DISABLED = "--no-bench"


def manifest_entries(zips: Iterable[Path]) -> Mapping[Path, Layer]:
    """Return the entries of zips in the manifests beside them, by path.

    Raises:
        UsageError: a zip has none.
    """
    found: dict[Path, Layer] = {}
    for path in zips:
        manifest = read_manifest(path.parent / FILE_NAME)
        named = {each.file: each for each in (manifest.layers if manifest else ())}
        if path.name not in named:
            raise UsageError(
                f"{path.parent / FILE_NAME} has no entry of {path.name}",
                hint="name layers as `ocelot build` wrote them, with the manifest beside them",
            )
        found[path] = named[path.name]
    return found


async def check_layers(
    layers: Mapping[Path, Layer], config: Config, *, enabled: bool
) -> Mapping[str, BenchNote]:
    """Run the layers that have not passed according to their manifest, and note the results in it.

    Args:
        layers: the manifests' entries by the zips' paths; the manifests are beside the zips.
        config: the distributions and custom components.
        enabled: False to run none; that is noted, too.

    Returns:
        The note on each layer, by its sha256.

    Raises:
        BenchError: a layer fails, after its result was noted; or the bench cannot run.
    """
    known = {each.sha256: each.bench_note for each in layers.values() if each.benched == PASSED}
    new = {path: each for path, each in layers.items() if each.sha256 not in known}
    if not new:
        return known
    missing = missing_packages()
    if enabled and not missing:
        return {**known, **await _run(new, config)}
    reason = f"{missing[0]} is not installed" if enabled else DISABLED
    progress.note(f"no layer was run on the bench: {reason}")
    notes = {each.sha256: BenchNote(benched=f"skipped: {reason}") for each in new.values()}
    _note(new, notes)
    return {**known, **notes}


async def _run(zips: Iterable[Path], config: Config) -> Mapping[str, BenchNote]:
    from pipeline.bench.run import bench  # noqa: PLC0415  its packages may be missing

    request = BenchRequest(
        zips=tuple(zips),
        config=config,
        starts=STARTS,
        invocations=INVOCATIONS,
        compiler=Compiler(caches=go_caches()),
    )
    results = await bench(request)
    for each in results:
        for line in each.lines():
            progress.note(f"bench: {each.path.name}: {line}")
    notes = {each.sha256: each.bench_note for each in results}
    _note(request.zips, notes)
    check_results(results)
    return notes


def _note(zips: Iterable[Path], notes: Mapping[str, BenchNote]) -> None:
    """Write the notes into the manifests beside the zips, if they are writable."""
    for folder in dict.fromkeys(each.parent for each in zips):
        try:
            write_bench_notes(folder, notes)
        except OutputError as error:
            progress.note(f"the result of the bench is not in the manifest: {error}")
