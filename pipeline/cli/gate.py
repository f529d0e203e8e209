"""The bench as a gate of `build`, `publish` and `release`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.cli.options import run, shown_progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.build.manifest import Layer, Noted
    from pipeline.config import Config
    from pipeline.publish.run import Publishing


def passed(layers: Mapping[Path, Layer], config: Config, *, wanted: bool) -> Mapping[str, Noted]:
    """See `check_layers`, which is run here."""
    from pipeline.bench.gate import check_layers

    work = partial(check_layers, layers, config, wanted=wanted)
    return run(work, left="every process was ended", kept="nothing was published")


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
    with shown_progress(verbose=verbose):
        notes = passed(layers, config, wanted=wanted)
    noted = tuple(
        replace(each, record=each.record.with_note(notes[each.record.sha256])) for each in packages
    )
    publishing.request = replace(publishing.request, packages=noted)
