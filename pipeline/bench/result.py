"""The results of layers: passed, failed or skipped, and the figures of their starts. Pure."""

from __future__ import annotations

import math
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
    """The figures of one cold start: seconds and bytes, over all extensions of the layer.

    Attributes:
        cpu: CPU time from exec to the first `event/next`.
        wall: elapsed time from exec to the first `event/next`.
        first_export: from exec until the first export arrived; None if none did.
        rss: memory in use when the last extension was ready.
        peak: the most memory that was in use before SHUTDOWN.
        invocation_cpu: CPU time of each invocation.
        invocation_wall: time that each invocation took beyond the function's.
        shutdown: from SHUTDOWN to the end of the last extension.
        life_cpu: CPU time from exec to the end, that of ended child processes included.
        items: spans, points and log records that were sent; all of them arrived.
        delivered: the part of them that had arrived before the layer asked for the event after
            their invocation; None if none were sent.
    """

    cpu: float
    wall: float
    first_export: float | None
    rss: int
    peak: int
    invocation_cpu: tuple[float, ...]
    invocation_wall: tuple[float, ...]
    shutdown: float
    life_cpu: float
    items: int
    delivered: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """A figure of several starts: median, least and most."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """The figures of all cold starts of a layer, in seconds and bytes; see `Measured`."""

    starts: int
    cpu: Spread
    wall: Spread
    first_export: Spread | None
    rss: Spread
    peak: Spread
    invocation_cpu: Spread | None
    invocation_wall: Spread | None
    shutdown: Spread
    life_cpu: Spread
    items: int
    delivered: Spread | None


class Status(StrEnum):
    """The outcome for a layer."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a layer, with all that was measured.

    Attributes:
        path: of the zip.
        sha256: of the zip, in hex.
        size: bytes of the zip.
        unzipped_size: bytes of its files.
        architecture: None if it is unknown.
        distribution: empty if it is unknown.
        reason: why it was skipped; empty if it was not.
        emulated: True if it ran under qemu, which takes many times as long.
        fault: why it failed; None if it did not.
        figures: of its starts; None if there were none.
        reference: the reference extension's figures in the same run; None if it was not started.
        start: the figures for the manifest; None if there are none, or it ran under qemu.
        notes: sentences for the user.
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
    def bench_note(self) -> BenchNote:
        """The entry for its manifest and its registry row."""
        if self.status is Status.SKIPPED:
            return BenchNote(benched=f"skipped: {self.reason}")
        outcome = f"failed: {self.fault.fault}" if self.fault else PASSED
        return BenchNote(benched=outcome, start=self.start)

    def lines(self) -> Iterator[str]:
        """Yield the sentences for the user, except its fault."""
        if self.status is Status.SKIPPED:
            yield self.bench_note.benched
        yield from self.notes


def spread(values: Sequence[float]) -> Spread | None:
    """Return median, least and most; None if there are no values."""
    return _spread(values) if values else None


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median=statistics.median(values), least=min(values), most=max(values))


def figures(starts: Sequence[Measured]) -> Figures | None:
    """Return the figures of cold starts; None if there are none."""
    if not starts:
        return None
    return Figures(
        starts=len(starts),
        cpu=_spread([each.cpu for each in starts]),
        wall=_spread([each.wall for each in starts]),
        first_export=spread([x for each in starts if (x := each.first_export) is not None]),
        rss=_spread([each.rss for each in starts]),
        peak=_spread([each.peak for each in starts]),
        invocation_cpu=spread([value for each in starts for value in each.invocation_cpu]),
        invocation_wall=spread([value for each in starts for value in each.invocation_wall]),
        shutdown=_spread([each.shutdown for each in starts]),
        life_cpu=_spread([each.life_cpu for each in starts]),
        items=sum(each.items for each in starts),
        delivered=spread([x for each in starts if (x := each.delivered) is not None]),
    )


def estimated_init(cpu: float, memory: int) -> float:
    """Return an estimate of init in seconds: CPU time divided by the vCPU share at that many MB."""
    return cpu / min(1.0, memory / VCPU_MB)


def manifest_start(own: Figures | None, reference: Figures | None) -> Start | None:
    """Return a layer's figures for the manifest, also as multiples of the reference's.

    Returns:
        None if the layer was not started.
    """
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
    """Return a sentence for each limit that a layer is over."""
    if budget is None or found is None:
        return ()
    limits = (
        ("CPU to ready", found.cpu_times, budget.cpu_to_ready),
        ("memory when ready", found.memory_times, budget.memory_when_ready),
    )
    return tuple(
        f"{figure}: {value:.2f} times the reference's is over the budget of {most:g}"
        for figure, value, most in limits
        if value is not None and most is not None and value > most
    )


def late_deliveries(budget: Budget | None, found: Figures | None) -> tuple[str, ...]:
    """Return a sentence if a layer delivered a smaller part in time, in any start, than it must."""
    least = budget.delivered if budget else None
    delivered = found.delivered if found else None
    if least is None or delivered is None or delivered.least >= least:
        return ()
    part = math.floor(delivered.least * 1000) / 1000
    return (
        f"delivered: {part:g} of what the invocations sent had arrived before the next event; "
        f"the budget is {least:g}",
    )


def earlier_starts(results: Iterable[Result], manifest: Manifest) -> Mapping[str, Start]:
    """Return an earlier manifest's start figures for the same distributions and architectures.

    Two runs are compared by multiples of the reference: entries without these are left out.

    Returns:
        The figures by the sha256 of the new zips.
    """
    return {
        result.sha256: each.start
        for result in results
        for each in manifest.layers
        if (each.distribution, each.architecture) == (result.distribution, result.architecture)
        if each.start and each.start.cpu_times is not None
    }


def labels(paths: Sequence[Path]) -> list[str]:
    """Return names for zips: their file names, with as many folders as make them differ."""
    parts = [each.absolute().parts for each in paths]
    for count in range(1, max(map(len, parts), default=1)):
        names = ["/".join(each[-count:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [str(each) for each in paths]


def check_results(results: Collection[Result]) -> None:
    """Fail if a layer failed.

    Raises:
        BenchError: the fault, or all faults if there are several.
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
