"""What many cold starts come to. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.bench.start import Measured

# At this much memory a function has one whole vCPU:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
VCPU_MB = 1769
MEMORY_SIZES = (128, 512, VCPU_MB)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """A figure of several starts."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All figures of a layer, in seconds and bytes; see `Measured`.

    Attributes:
        init: for each of `MEMORY_SIZES`, how long init would take with that share of a vCPU. An
            estimate: the CPU time, divided by the share.
    """

    starts: int
    cpu: Spread
    wall: Spread
    first_export: Spread | None
    rss: Spread
    peak: Spread
    invocation_cpu: Spread | None
    invocation_wall: Spread | None
    shutdown: Spread
    items: int
    init: tuple[tuple[int, float], ...]


def spread(values: Sequence[float]) -> Spread | None:
    """Median, least and most; None of nothing."""
    if not values:
        return None
    return Spread(median=statistics.median(values), least=min(values), most=max(values))


def figures(starts: Sequence[Measured]) -> Figures | None:
    """The figures of some cold starts; None of none."""
    if not starts:
        return None
    cpu = _of([each.cpu for each in starts])
    exports = [each.first_export for each in starts if each.first_export is not None]
    return Figures(
        starts=len(starts),
        cpu=cpu,
        wall=_of([each.wall for each in starts]),
        first_export=spread(exports),
        rss=_of([each.rss for each in starts]),
        peak=_of([each.peak for each in starts]),
        invocation_cpu=spread([value for each in starts for value in each.invocation_cpu]),
        invocation_wall=spread([value for each in starts for value in each.invocation_wall]),
        shutdown=_of([each.shutdown for each in starts]),
        items=sum(each.items for each in starts),
        init=tuple((size, estimated_init(cpu.median, size)) for size in MEMORY_SIZES),
    )


def estimated_init(cpu: float, memory: int) -> float:
    """Seconds that some CPU time takes at a memory size of so many MB; an estimate."""
    return cpu / min(1.0, memory / VCPU_MB)


def _of(values: Sequence[float]) -> Spread:
    return Spread(median=statistics.median(values), least=min(values), most=max(values))
