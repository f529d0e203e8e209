"""The results of the bench as a table, as bars, and as JSON.

A figure is shown as its median, with the least and the most in brackets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.bench.result import (
    MEMORY_SIZES,
    Figures,
    Result,
    Spread,
    Status,
    estimated_init,
    labels,
)
from pipeline.layer.limits import megabytes
from pipeline.layer.manifest import Start
from pipeline.report.rendering import Report, data, json_text

_BAR = 40
ESTIMATE = "estimated from the CPU time: share of one vCPU = MB / 1,769"


@dataclass(frozen=True, slots=True)
class _FigureRow:
    """A row of the table.

    Attributes:
        title: its first cell.
        name: of the figure, in `Figures`.
        shown: makes the text of a value.
        bar: True if comparisons show the figure as a bar, too.
    """

    title: str
    name: str
    shown: Callable[[float], str]
    bar: bool = False

    def of(self, found: Figures | None) -> Spread | None:
        """Return the figure; None if there is none."""
        return getattr(found, self.name) if found else None


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _memory(size: float) -> str:
    return f"{size / 2**20:.1f} MiB"


def _part(value: float) -> str:
    """Return a part of 1 with two decimals; only all is 1.00."""
    return f"{math.floor(value * 100) / 100:.2f}"


_ROWS = (
    _FigureRow("CPU to ready", "cpu", _milliseconds, bar=True),
    _FigureRow("time to ready", "wall", _milliseconds),
    _FigureRow("time to first export", "first_export", _milliseconds),
    _FigureRow("memory when ready", "rss", _memory, bar=True),
    _FigureRow("most memory", "peak", _memory, bar=True),
    _FigureRow("CPU of an invocation", "invocation_cpu", _milliseconds, bar=True),
    _FigureRow("time added to one", "invocation_wall", _milliseconds),
    _FigureRow("delivered in time", "delivered", _part),
    _FigureRow("SHUTDOWN to end", "shutdown", _milliseconds),
    _FigureRow("CPU of a life", "life_cpu", _milliseconds, bar=True),
)
_SYMBOLS = {Status.PASSED: "passed", Status.FAILED: "FAILED", Status.SKIPPED: "skipped"}


def bench_report(results: Sequence[Result]) -> Report:
    """Return a table with a column for each layer and a row for each figure."""
    names = labels([each.path for each in results])
    return Report(
        title="Does it run?",
        headings=("median (least to most)", *names),
        rows=[cells for cells in _cells(results) if any(cells[1:])],
        notes=[*_notes(results), *(str(each.fault) for each in results if each.fault)],
        right=names,
        whole=("median (least to most)",),
    )


def _cells(results: Sequence[Result]) -> Iterator[list[str]]:
    """Yield the table's rows; the first cell is the row's title."""
    shown = [each.figures for each in results]
    yield ["result", *(_SYMBOLS[each.status] for each in results)]
    yield ["zip", *(megabytes(each.size) for each in results)]
    yield ["cold starts", *(str(each.starts) if each else "" for each in shown)]
    for row in _ROWS:
        yield [row.title, *(_cell(row, each) for each in shown)]
    for size in MEMORY_SIZES:
        yield [f"init at {size:,} MB *", *(_estimate(each, size) for each in results)]
    starts = [each.start for each in results]
    if any(each.reference for each in results):
        yield ["CPU to ready, times **", *(_times(each and each.cpu_times) for each in starts)]
        yield ["memory, times **", *(_times(each and each.memory_times) for each in starts)]
        yield ["CPU of a life, times **", *map(_life_times, results)]
    yield ["items sent and received", *(f"{each.items:,}" if each else "" for each in shown)]


def _estimate(result: Result, size: int) -> str:
    """Return the estimate for a memory size; none under qemu, which takes many times as long."""
    if result.figures is None or result.emulated:
        return ""
    return f"≈ {_milliseconds(estimated_init(result.figures.cpu.median, size))}"


def _life_times(result: Result) -> str:
    own, reference = result.figures, result.reference
    return _times(own.life_cpu.median / reference.life_cpu.median) if own and reference else ""


def _times(value: float | None) -> str:
    return f"{value:.1f}" if value else ""


def _cell(row: _FigureRow, found: Figures | None) -> str:
    spread = row.of(found)
    if spread is None:
        return ""
    figures = row.shown(spread.least).rsplit(" ", 1)[0], row.shown(spread.most).rsplit(" ", 1)[0]
    return f"{row.shown(spread.median)} ({figures[0]} to {figures[1]})"


def _notes(results: Sequence[Result]) -> Iterator[str]:
    """Yield the notes below the table."""
    if any(each.figures for each in results):
        yield f"* {ESTIMATE}"
    if reference := next((each.reference for each in results if each.reference), None):
        cpu, rss = _milliseconds(reference.cpu.median), _memory(reference.rss.median)
        life = _milliseconds(reference.life_cpu.median)
        yield f"** relative to the reference extension, which took {cpu}, {rss} and {life}"
    for name, each in zip(labels([each.path for each in results]), results, strict=True):
        if each.status is Status.SKIPPED:
            yield f"{name} was skipped: {each.reason}"
        if each.emulated:
            yield f"{name} ran under qemu: its figures are much larger than on a real machine"
        yield from (f"{name}: {note}" for note in each.notes)


def comparison_reports(results: Sequence[Result]) -> Iterator[Report]:
    """Yield each figure as bars, the last layer's below, with the others' ratios to it."""
    names = labels([each.path for each in results])
    for row in _ROWS:
        spreads = [row.of(each.figures) for each in results]
        if row.bar and spreads[-1]:
            found = [(name, each.median) for name, each in zip(names, spreads, strict=True) if each]
            yield Report(title=row.title, notes=list(_bars(found, row.shown)))


def _bars(found: Sequence[tuple[str, float]], shown: Callable[[float], str]) -> Iterator[str]:
    """Yield named values as bars, each with its ratio to the last."""
    width, most = max(len(name) for name, _ in found), max(value for _, value in found)
    *_, (_, base) = found
    for at, (name, value) in enumerate(found, start=1):
        bar = "█" * max(1, round(_BAR * value / most)) if most else ""
        ratio = f", {value / base:.2f} times" if at < len(found) and base else ""
        yield f"  {name:<{width}} {bar} {shown(value)}{ratio}"


def earlier_reports(results: Sequence[Result], noted: Mapping[str, Start]) -> Iterator[Report]:
    """Yield each layer's multiples of the reference as bars, above those in an earlier manifest."""
    names = labels([each.path for each in results])
    for name, each in zip(names, results, strict=True):
        before, now = noted.get(each.sha256), each.start
        if before is None:
            yield Report(notes=[f"{name}: the manifest has no start figures for it"])
        elif now:
            for title, then, value in (
                ("CPU to ready", before.cpu_times, now.cpu_times),
                ("memory when ready", before.memory_times, now.memory_times),
            ):
                if then and value:
                    bars = _bars([(name, value), ("as noted", then)], _times)
                    yield Report(title=f"{title}, times **", notes=list(bars))


def bench_json(
    results: Sequence[Result], *, against: bool, noted: Mapping[str, Start] | None = None
) -> str:
    """Return the results as JSON, in seconds and bytes.

    Args:
        results: of the layers.
        against: True if the last is the one that the others are compared with.
        noted: start figures of an earlier manifest, by the zips' sha256.
    """
    layers = [
        {**_data(each), "earlier": _start((noted or {}).get(each.sha256))} for each in results
    ]
    other = layers.pop() if against else None
    document = {"layers": layers, "against": other, "init": ESTIMATE}
    return json_text(document)


def _data(result: Result) -> dict[str, Any]:
    values = {
        "file": result.path.name,
        **data(result),
        "figures": _figures(result.figures),
        "reference": _figures(result.reference),
        "start": _start(result.start),
    }
    del values["path"]
    if fault := result.fault:
        values["fault"] = {
            "kind": fault.fault,
            "message": str(fault),
            "details": fault.details,
            "next": fault.hint,
        }
    return values


def _figures(found: Figures | None) -> dict[str, Any] | None:
    if found is None:
        return None
    estimates = [
        {"memory_mb": size, "seconds": estimated_init(found.cpu.median, size)}
        for size in MEMORY_SIZES
    ]
    return {**data(found), "init": estimates}


def _start(found: Start | None) -> dict[str, Any] | None:
    return found.model_dump() if found else None
