"""The gate before publishing: a short bench, and what of it is noted in the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.bench.run import Request, Result, Status, bench
from pipeline.build.manifest import PASSED
from pipeline.config import Config
from pipeline.progress import Progress

STARTS, INVOCATIONS = 1, 3


async def tried(
    zips: Sequence[Path], config: Config, progress: Progress
) -> tuple[Mapping[str, str], tuple[Result, ...]]:
    """Try layers for a moment.

    Args:
        zips: the layers.
        config: tells what distributions and custom components there are.
        progress: told of everything.

    Returns:
        What is to be noted of each, by the zip's sha256, and what came of them.
    """
    request = Request(zips=tuple(zips), config=config, starts=STARTS, invocations=INVOCATIONS)
    results = await bench(request, progress)
    return {each.sha256: verdict(each) for each in results}, results


def verdict(result: Result) -> str:
    """What is noted of a layer."""
    if result.status is Status.SKIPPED:
        return f"skipped: {result.reason}"
    return f"failed: {result.fault.fault}" if result.fault else PASSED
