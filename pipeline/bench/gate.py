"""The gate before publishing: a short bench of the layers that have not passed one already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.bench.verdicts import Verdict
from pipeline.build.manifest import PASSED, Layer, Noted
from pipeline.progress import Progress

STARTS, INVOCATIONS = 3, 3
NOT_WANTED = "--no-bench"


def untried(layers: Mapping[Path, Layer]) -> Mapping[Path, Layer]:
    """Those layers that are not known to have passed.

    Args:
        layers: the manifest's entries by the zips' paths.
    """
    known = {each.sha256 for each in layers.values() if each.benched == PASSED}
    return {path: each for path, each in layers.items() if each.sha256 not in known}


def skipped(layers: Iterable[Layer], reason: str, progress: Progress) -> Mapping[str, Noted]:
    """What is noted of layers that are not tried, by sha256; that they are not is told."""
    progress.note(f"no layer was run on the bench: {reason}")
    return {each.sha256: Noted(benched=f"skipped: {reason}") for each in layers}


def tell(verdicts: Iterable[Verdict], progress: Progress) -> None:
    """Tell what a user should know of layers that were tried."""
    for each in verdicts:
        for line in each.lines():
            progress.note(f"bench: {each.path.name}: {line}")
