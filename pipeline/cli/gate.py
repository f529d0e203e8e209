"""The bench as a gate of `build`, `publish` and `release`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options

if TYPE_CHECKING:
    from pipeline.build.manifest import Layer
    from pipeline.config import Config
    from pipeline.progress import Progress
    from pipeline.publish.run import Publishing

Bench = Annotated[
    bool, typer.Option("--bench/--no-bench", help="Run each layer before; see `ocelot bench`.")
]
NOT_WANTED = "skipped: --no-bench"


def passed(
    layers: Mapping[Path, Layer], config: Config, progress: Progress, *, wanted: bool
) -> Mapping[str, str]:
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
    from pipeline.bench.parts import missing_parts
    from pipeline.build.manifest import PASSED

    known = {each.sha256: each.benched for each in layers.values() if each.benched == PASSED}
    new = {path: each for path, each in layers.items() if each.sha256 not in known}
    missing = missing_parts()
    if wanted and new and not missing:
        return {**known, **_tried(new, config, progress)}
    reason = f"skipped: {missing[0]} is not installed" if wanted and missing else NOT_WANTED
    if new:
        progress.note(f"no layer was run on the bench: {reason.removeprefix('skipped: ')}")
    verdicts = {each.sha256: reason for each in new.values()}
    _note(list(new), verdicts, progress)
    return {**known, **verdicts}


def _tried(layers: Mapping[Path, Layer], config: Config, progress: Progress) -> Mapping[str, str]:
    from functools import partial

    from pipeline.bench import gate
    from pipeline.bench.run import Status, check_results

    work = partial(gate.tried, list(layers), config, progress)
    verdicts, results = options.run(
        work, left="every process was ended", kept="nothing was published"
    )
    for each in results:
        told = [f"skipped: {each.reason}"] if each.status is Status.SKIPPED else []
        for note in (*told, *each.notes):
            progress.note(f"bench: {each.path.name}: {note}")
    _note(list(layers), verdicts, progress)
    check_results(results)
    return verdicts


def _note(zips: Sequence[Path], verdicts: Mapping[str, str], progress: Progress) -> None:
    """Note the verdicts in the manifests beside the zips, where they can be written."""
    from pipeline.build.manifest import note_benched
    from pipeline.errors import OutputError

    for folder in dict.fromkeys(each.parent for each in zips):
        try:
            note_benched(folder, verdicts)
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
        verdicts = passed(layers, config, progress, wanted=wanted)

    def told(record: Layer) -> Layer:
        return record.model_copy(update={"benched": verdicts[record.sha256]})

    noted = tuple(replace(each, record=told(each.record)) for each in packages)
    publishing.request = replace(publishing.request, packages=noted)
