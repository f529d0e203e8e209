"""What came of the bench: a table, bars, Markdown, JSON.

Figures are a median, with the least and the most in brackets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.bench.opt import labels
from pipeline.bench.result import MEMORY_SIZES, Figures, Result, Spread, Status
from pipeline.layer.limits import megabytes
from pipeline.layer.manifest import Start
from pipeline.report.rendering import Report, data, json_text

_BAR = 40
ESTIMATE = "estimated from the CPU time: share of one vCPU = MB / 1,769"


@dataclass(frozen=True, slots=True)
class _Row:
    """A figure by its name in `Figures`, how it is shown, and whether it is worth a bar."""

    title: str
    name: str
    shown: Callable[[float], str]
    bar: bool = False

    def of(self, found: Figures | None) -> Spread | None:
        """The figure; None where there is none."""
        return getattr(found, self.name) if found else None


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _memory(size: float) -> str:
    return f"{size / 2**20:.1f} MiB"


_ROWS = (
    _Row("CPU to ready", "cpu", _milliseconds, bar=True),
    _Row("time to ready", "wall", _milliseconds),
    _Row("time to first export", "first_export", _milliseconds),
    _Row("memory when ready", "rss", _memory, bar=True),
    _Row("most memory", "peak", _memory, bar=True),
    _Row("CPU of an invocation", "invocation_cpu", _milliseconds, bar=True),
    _Row("time added to one", "invocation_wall", _milliseconds),
    _Row("SHUTDOWN to end", "shutdown", _milliseconds),
)
_SYMBOLS = {Status.PASSED: "passed", Status.FAILED: "FAILED", Status.SKIPPED: "skipped"}


def bench_report(results: Sequence[Result]) -> Report:
    """A column for each layer, a row for each figure."""
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
    """The table's rows; the first cell tells what it is."""
    shown = [each.figures for each in results]
    yield ["result", *(_SYMBOLS[each.status] for each in results)]
    yield ["zip", *(megabytes(each.size) for each in results)]
    yield ["cold starts", *(str(each.starts) if each else "" for each in shown)]
    for row in _ROWS:
        yield [row.title, *(_cell(row, each) for each in shown)]
    for at, size in enumerate(MEMORY_SIZES):
        yield [f"init at {size:,} MB *", *(_estimate(each, at) for each in results)]
    starts = [each.start for each in results]
    if any(each.reference for each in results):
        yield ["CPU to ready, times **", *(_times(each and each.cpu_times) for each in starts)]
        yield ["memory, times **", *(_times(each and each.memory_times) for each in starts)]
    yield ["items sent and received", *(f"{each.items:,}" if each else "" for each in shown)]


def _estimate(result: Result, at: int) -> str:
    """The estimate for one of `MEMORY_SIZES`; none under qemu, which takes many times as long."""
    if result.figures is None or result.emulated:
        return ""
    return f"≈ {_milliseconds(result.figures.init[at].seconds)}"


def _times(value: float | None) -> str:
    return f"{value:.1f}" if value else ""


def _cell(row: _Row, found: Figures | None) -> str:
    spread = row.of(found)
    if spread is None:
        return ""
    figures = row.shown(spread.least).rsplit(" ", 1)[0], row.shown(spread.most).rsplit(" ", 1)[0]
    return f"{row.shown(spread.median)} ({figures[0]} to {figures[1]})"


def _notes(results: Sequence[Result]) -> Iterator[str]:
    """What the table does not say."""
    if any(each.figures for each in results):
        yield f"* {ESTIMATE}"
    if reference := next((each.reference for each in results if each.reference), None):
        cpu, rss = _milliseconds(reference.cpu.median), _memory(reference.rss.median)
        yield f"** of what an extension takes that only registers, here {cpu} and {rss}"
    for name, each in zip(labels([each.path for each in results]), results, strict=True):
        if each.status is Status.SKIPPED:
            yield f"{name} was skipped: {each.reason}"
        if each.emulated:
            yield f"{name} ran under qemu: its figures say little"
        yield from (f"{name}: {note}" for note in each.notes)


def comparison_reports(results: Sequence[Result]) -> Iterator[Report]:
    """Each figure of the last layer as a bar below those of the others, with their ratios."""
    names = labels([each.path for each in results])
    for row in _ROWS:
        spreads = [row.of(each.figures) for each in results]
        if row.bar and spreads[-1]:
            found = [(name, each.median) for name, each in zip(names, spreads, strict=True) if each]
            yield Report(title=row.title, notes=list(_bars(found, row.shown)))


def _bars(found: Sequence[tuple[str, float]], shown: Callable[[float], str]) -> Iterator[str]:
    """Named values as bars, each with its ratio to the last."""
    width, most = max(len(name) for name, _ in found), max(value for _, value in found)
    *_, (_, base) = found
    for at, (name, value) in enumerate(found, start=1):
        bar = "█" * max(1, round(_BAR * value / most)) if most else ""
        ratio = f", {value / base:.2f} times" if at < len(found) and base else ""
        yield f"  {name:<{width}} {bar} {shown(value)}{ratio}"


def earlier_reports(results: Sequence[Result], noted: Mapping[str, Start]) -> Iterator[Report]:
    """Each layer in times of the reference, above what an earlier manifest notes."""
    names = labels([each.path for each in results])
    for name, each in zip(names, results, strict=True):
        before, now = noted.get(each.sha256), each.start
        if before is None:
            yield Report(notes=[f"{name}: the manifest tells nothing of an earlier one's starts"])
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
    """All of it, in seconds and bytes.

    Args:
        results: what came of the layers.
        against: whether the last is what the others face.
        noted: what an earlier manifest notes, by the zips' sha256.
    """
    layers = [
        {**_data(each), "earlier": _start((noted or {}).get(each.sha256))} for each in results
    ]
    other = layers.pop() if against else None
    document = {"layers": layers, "against": other, "init": ESTIMATE}
    return json_text(document)


def _data(result: Result) -> dict[str, Any]:
    values = {"file": result.path.name, **data(result), "start": _start(result.start)}
    del values["path"]
    if fault := result.fault:
        values["fault"] = {
            "kind": fault.fault,
            "message": str(fault),
            "details": fault.details,
            "next": fault.hint,
        }
    return values


def _start(found: Start | None) -> dict[str, Any] | None:
    return found.model_dump() if found else None
