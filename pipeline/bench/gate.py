"""The gate before publishing: a short bench of the layers that have not passed one already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline import progress
from pipeline.bench.parts import missing_parts
from pipeline.bench.verdicts import Verdict, check_verdicts
from pipeline.build.compile import Compiler
from pipeline.build.manifest import FILE_NAME, PASSED, Layer, Noted, note_benched, read_manifest
from pipeline.config import Config
from pipeline.errors import OutputError, UsageError
from pipeline.paths import go_caches

STARTS, INVOCATIONS = 3, 3
NOT_WANTED = "--no-bench"


def noted_layers(zips: Iterable[Path]) -> Mapping[Path, Layer]:
    """The entries that zips have in the manifest beside them, by path.

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
    layers: Mapping[Path, Layer], config: Config, *, wanted: bool
) -> Mapping[str, Noted]:
    """Try the layers whose manifest does not say that they passed, and note what was found.

    Args:
        layers: the manifests' entries by the zips' paths; the manifests are beside the zips.
        config: the distributions and custom components.
        wanted: False to try none, which is noted, too.

    Returns:
        What is known of each layer, by its sha256.

    Raises:
        BenchError: a layer fails, which is noted before; or the bench cannot run.
    """
    known = {each.sha256: each.noted for each in layers.values() if each.benched == PASSED}
    new = untried(layers)
    if not new:
        return known
    missing = missing_parts()
    if wanted and not missing:
        return {**known, **await _tried(new, config)}
    reason = f"{missing[0]} is not installed" if wanted else NOT_WANTED
    notes = skipped(new.values(), reason)
    _note(new, notes)
    return {**known, **notes}


async def _tried(layers: Mapping[Path, Layer], config: Config) -> Mapping[str, Noted]:
    from pipeline.bench.run import Request, bench  # noqa: PLC0415  its packages may be missing

    request = Request(
        zips=tuple(layers),
        config=config,
        starts=STARTS,
        invocations=INVOCATIONS,
        compiler=Compiler(caches=go_caches()),
    )
    results = await bench(request)
    tell(results)
    notes = {each.sha256: each.noted for each in results}
    _note(layers, notes)
    check_verdicts(results)
    return notes


def _note(zips: Iterable[Path], notes: Mapping[str, Noted]) -> None:
    """Note what was found in the manifests beside the zips, where they can be written."""
    for folder in dict.fromkeys(each.parent for each in zips):
        try:
            note_benched(folder, notes)
        except OutputError as error:
            progress.note(f"what the bench found is not in the manifest: {error}")


def untried(layers: Mapping[Path, Layer]) -> Mapping[Path, Layer]:
    """Those layers that are not known to have passed.

    Args:
        layers: the manifest's entries by the zips' paths.
    """
    known = {each.sha256 for each in layers.values() if each.benched == PASSED}
    return {path: each for path, each in layers.items() if each.sha256 not in known}


def skipped(layers: Iterable[Layer], reason: str) -> Mapping[str, Noted]:
    """What is noted of layers that are not tried, by sha256; that they are not is told."""
    progress.note(f"no layer was run on the bench: {reason}")
    return {each.sha256: Noted(benched=f"skipped: {reason}") for each in layers}


def tell(verdicts: Iterable[Verdict]) -> None:
    """Tell what a user should know of layers that were tried."""
    for each in verdicts:
        for line in each.lines():
            progress.note(f"bench: {each.path.name}: {line}")
