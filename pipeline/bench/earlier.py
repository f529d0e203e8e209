"""What an earlier manifest notes of the layers that are tried now, for comparison. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.bench.run import Result
from pipeline.build.manifest import Manifest, Start


def earlier_starts(results: Iterable[Result], manifest: Manifest) -> Mapping[str, Start]:
    """What the same distribution's layer took, for each architecture; by the new zips' sha256.

    Times of two runs are compared in times of the reference, so that only those count that have it.
    """
    return {
        result.sha256: each.start
        for result in results
        for each in manifest.layers
        if (each.distribution, each.architecture) == (result.distribution, result.architecture)
        if each.start and each.start.cpu_times is not None
    }
