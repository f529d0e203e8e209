"""The bench as a gate of `build`, `publish` and `release`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options

if TYPE_CHECKING:
    from pipeline.build.engines import Engine
    from pipeline.build.manifest import Layer, Noted
    from pipeline.config import Config
    from pipeline.progress import Progress
    from pipeline.publish.run import Publishing

Bench = Annotated[
    bool, typer.Option("--bench/--no-bench", help="Run each layer before; see `ocelot bench`.")
]


def passed(
    layers: Mapping[Path, Layer], config: Config, progress: Progress, *, wanted: bool
) -> Mapping[str, Noted]:
    """Try those layers of which the manifest does not say that they passed.

    Args:
        layers: the manifest's entries by the zips' paths.
        config: tells what distributions and custom components there are.
        progress: told of everything.
        wanted: whether to try any.

    Returns:
        What is known of each, by its sha256; it is noted in the manifests, too.

    Raises:
        BenchError: a layer fails, after that was noted.
    """
    from pipeline.bench.gate import NOT_WANTED, skipped, untried
    from pipeline.bench.parts import missing_parts
    from pipeline.build.manifest import PASSED

    known = {each.sha256: each.noted for each in layers.values() if each.benched == PASSED}
    new = untried(layers)
    if not new:
        return known
    missing = missing_parts()
    if wanted and not missing:
        return {**known, **_tried(new, config, progress)}
    reason = f"{missing[0]} is not installed" if wanted else NOT_WANTED
    notes = skipped(new.values(), reason, progress)
    _note(list(new), notes, progress)
    return {**known, **notes}


def _tried(layers: Mapping[Path, Layer], config: Config, progress: Progress) -> Mapping[str, Noted]:
    from functools import partial

    from pipeline.bench.gate import INVOCATIONS, STARTS, tell
    from pipeline.bench.run import Request, bench
    from pipeline.bench.verdicts import check_verdicts

    request = Request(
        zips=tuple(layers),
        config=config,
        starts=STARTS,
        invocations=INVOCATIONS,
        engine=reference_engine(),
    )
    work = partial(bench, request, progress)
    results = options.run(work, left="every process was ended", kept="nothing was published")
    tell(results, progress)
    notes = {each.sha256: each.noted for each in results}
    _note(list(layers), notes, progress)
    check_verdicts(results)
    return notes


def reference_engine() -> Engine:
    """What compiles the bench's reference on this machine."""
    from pipeline.build.engines.host import HostEngine
    from pipeline.cache import go_caches

    return HostEngine(caches=go_caches())


def _note(zips: Sequence[Path], notes: Mapping[str, Noted], progress: Progress) -> None:
    """Note what was found in the manifests beside the zips, where they can be written."""
    from pipeline.build.manifest import note_benched
    from pipeline.errors import OutputError

    for folder in dict.fromkeys(each.parent for each in zips):
        try:
            note_benched(folder, notes)
        except OutputError as error:
            progress.note(f"what the bench found is not in the manifest: {error}")


def check_publishing(
    publishing: Publishing, config: Config, *, wanted: bool, verbose: bool
) -> None:
    """Let only layers go on to be published that passed, or that cannot be tried here.

    Raises:
        BenchError: a layer fails.
    """
    from dataclasses import replace

    packages = publishing.request.packages
    layers = {each.path: each.record for each in packages}
    with options.shown_progress(verbose=verbose) as progress:
        notes = passed(layers, config, progress, wanted=wanted)
    noted = tuple(
        replace(each, record=each.record.with_note(notes[each.record.sha256])) for each in packages
    )
    publishing.request = replace(publishing.request, packages=noted)
