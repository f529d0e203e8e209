"""What came of layers: the figures of their starts, and whether they passed. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pipeline.bench.faults import FaultError
from pipeline.config.budgets import Budget
from pipeline.errors import BenchError
from pipeline.layer.manifest import PASSED, BenchNote, Manifest, Start
from pipeline.naming import Architecture

# At this much memory a function has one whole vCPU:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
VCPU_MB = 1769
MEMORY_SIZES = (128, 512, VCPU_MB)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a cold start took: seconds and bytes, over all extensions of the layer.

    Attributes:
        cpu: from exec to the first `event/next`, by the kernel's accounting.
        wall: the same on the clock.
        first_export: from exec until the first export arrived; None where none did.
        rss: memory in use when the last extension was ready.
        peak: the most that was in use before SHUTDOWN.
        invocation_cpu: CPU time of each invocation.
        invocation_wall: what each invocation took longer than the function.
        shutdown: from SHUTDOWN to the end of the last extension.
        items: spans, points and log records that were sent, all of which arrived.
    """

    cpu: float
    wall: float
    first_export: float | None
    rss: int
    peak: int
    invocation_cpu: tuple[float, ...]
    invocation_wall: tuple[float, ...]
    shutdown: float
    items: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """A figure of several starts."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, kw_only=True, slots=True)
class InitEstimate:
    """How long init would take at a memory size: the CPU time, divided by the share of a vCPU."""

    memory_mb: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All figures of a layer, in seconds and bytes; see `Measured`."""

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
    init: tuple[InitEstimate, ...]


class Status(StrEnum):
    """What came of a layer."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a layer, with all that was measured.

    Attributes:
        path: of the zip.
        sha256: of the zip, in hex.
        size: bytes of the zip.
        unzipped_size: bytes of its files.
        architecture: what it is for; None where nothing says so.
        distribution: the one that it is said to be of; empty where nothing names it.
        reason: why it was skipped.
        emulated: whether it ran under qemu, so that its figures say little.
        fault: why it failed.
        figures: of its starts; None where there are none.
        reference: the figures of the reference in the same run; None where it was not measured.
        start: what its starts took, for the manifest; None where that says nothing.
        notes: what the user should know.
    """

    path: Path
    sha256: str
    size: int
    unzipped_size: int
    architecture: Architecture | None
    distribution: str = ""
    status: Status
    reason: str = ""
    emulated: bool = False
    fault: FaultError | None = None
    figures: Figures | None = None
    reference: Figures | None = None
    start: Start | None = None
    notes: tuple[str, ...] = ()

    @property
    def noted(self) -> BenchNote:
        """What is noted of the layer in its manifest and its row."""
        if self.status is Status.SKIPPED:
            return BenchNote(benched=f"skipped: {self.reason}")
        outcome = f"failed: {self.fault.fault}" if self.fault else PASSED
        return BenchNote(benched=outcome, start=self.start)

    def lines(self) -> Iterator[str]:
        """What the user is told of it, but for its fault."""
        if self.status is Status.SKIPPED:
            yield self.noted.benched
        yield from self.notes


def spread(values: Sequence[float]) -> Spread | None:
    """Median, least and most; None of nothing."""
    return _spread(values) if values else None


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median=statistics.median(values), least=min(values), most=max(values))


def figures(starts: Sequence[Measured]) -> Figures | None:
    """The figures of some cold starts; None of none."""
    if not starts:
        return None
    cpu = _spread([each.cpu for each in starts])
    return Figures(
        starts=len(starts),
        cpu=cpu,
        wall=_spread([each.wall for each in starts]),
        first_export=spread([x for each in starts if (x := each.first_export) is not None]),
        rss=_spread([each.rss for each in starts]),
        peak=_spread([each.peak for each in starts]),
        invocation_cpu=spread([value for each in starts for value in each.invocation_cpu]),
        invocation_wall=spread([value for each in starts for value in each.invocation_wall]),
        shutdown=_spread([each.shutdown for each in starts]),
        items=sum(each.items for each in starts),
        init=tuple(
            InitEstimate(memory_mb=size, seconds=estimated_init(cpu.median, size))
            for size in MEMORY_SIZES
        ),
    )


def estimated_init(cpu: float, memory: int) -> float:
    """Seconds that some CPU time takes at a memory size of so many MB; an estimate."""
    return cpu / min(1.0, memory / VCPU_MB)


def start_of(own: Figures | None, reference: Figures | None) -> Start | None:
    """What a layer's starts took, also in times of the reference; None where there were none."""
    if own is None:
        return None
    return Start(
        starts=own.starts,
        cpu=own.cpu.median,
        memory=round(own.rss.median),
        cpu_times=own.cpu.median / reference.cpu.median if reference else None,
        memory_times=own.rss.median / reference.rss.median if reference else None,
    )


def over_start_budget(budget: Budget | None, found: Start | None) -> tuple[str, ...]:
    """A sentence for each limit that a layer is over."""
    if budget is None or found is None:
        return ()
    limits = (
        ("CPU to ready", found.cpu_times, budget.cpu_to_ready),
        ("memory when ready", found.memory_times, budget.memory_when_ready),
    )
    return tuple(
        f"{what}: {value:.2f} times the reference's is over the budget of {most:g}"
        for what, value, most in limits
        if value is not None and most is not None and value > most
    )


def earlier_starts(results: Iterable[Result], manifest: Manifest) -> Mapping[str, Start]:
    """What the same distribution's layer took earlier, for each architecture.

    Times of two runs are compared in times of the reference, so that only those count that have it.

    Returns:
        The starts that the manifest notes, by the sha256 of the new zips.
    """
    return {
        result.sha256: each.start
        for result in results
        for each in manifest.layers
        if (each.distribution, each.architecture) == (result.distribution, result.architecture)
        if each.start and each.start.cpu_times is not None
    }


def check_results(results: Collection[Result]) -> None:
    """Fail where a layer does.

    Raises:
        BenchError: with the fault; of several, all of them.
    """
    faults = [each.fault for each in results if each.fault]
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise BenchError(
            f"{len(faults)} of {len(results)} layers fail",
            hint="; ".join(dict.fromkeys(each.hint for each in faults)),
            details=tuple(line for each in faults for line in (str(each), *each.details)),
        )
