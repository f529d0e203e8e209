"""Report of `ocelot reap`: which layer versions are deleted, and why the others are kept."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from pipeline.reap.plan import ReapPlan, RegionReap, VersionPlan
from pipeline.reap.request import Reason
from pipeline.report.rendering import Report, grouped, json_text, without_empty

_HEADINGS = ("region", "layer", "version", "published", "age", "size", "decision", "why")
_RIGHT = ("age", "size")
# So many layer versions to delete are shown one by one; of more, those of a layer are summed up.
MOST_SHOWN = 100
# Reasons of a kind, and ranges of numbers, in one cell.
_IN_CELL = 3
_DAY = timedelta(days=1)

_Cells = tuple[str, ...]


def plan_report(plan: ReapPlan, now: datetime, *, verbose: bool = False) -> Report:
    """Return the layer versions to delete, and then those that are kept.

    Args:
        plan: of all regions.
        now: the time, in UTC.
        verbose: a row for each layer version; else those that are kept are summed up by layer and
            reasons, and those to delete if they are many.
    """
    kept = [each for each in plan.versions if not each.is_deleted]
    apart = verbose or len(plan.deletions) <= MOST_SHOWN
    deleted = [_row(each, now) for each in _groups(plan.deletions, apart=apart)]
    rows = [*deleted, *(_row(each, now) for each in _groups(kept, apart=verbose)), *_left(plan)]
    report = Report(
        title="Old layer versions",
        headings=_HEADINGS if rows else (),
        rows=rows,
        right=_RIGHT,
        whole=("region", "published"),
        styles=["red"] * len(deleted) + [""] * (len(rows) - len(deleted)),
        problems=grouped(plan.unseen),
        notes=(*plan.notes, *(f"{region} is left out: {why}" for region, why in plan.skipped)),
        summary=_summary(plan),
    )
    return without_empty(report, "size") if rows else report


def command_report(command: Sequence[str]) -> Report:
    """Return the command that deletes what was planned; nothing for none."""
    return Report(notes=(f"to delete them:\n{shlex.join(command)}",) if command else ())


def _groups(versions: Iterable[VersionPlan], *, apart: bool) -> Iterator[list[VersionPlan]]:
    """Yield the layer versions of each row: of one layer, and kept for the same reasons."""
    if apart:
        yield from ([each] for each in versions)
        return
    found: defaultdict[object, list[VersionPlan]] = defaultdict(list)
    for each in versions:
        found[each.version.arn.layer, each.kinds].append(each)
    yield from found.values()


def _row(versions: Sequence[VersionPlan], now: datetime) -> _Cells:
    """Return the row of layer versions of one layer, of which all are deleted or kept."""
    first = versions[0]
    arn = first.version.arn
    times = sorted(each.version.created for each in versions if each.version.created)
    size = sum(each.size for each in versions)
    return (
        arn.region,
        arn.name,
        number_ranges([each.version.arn.version for each in versions]),
        _span([f"{each:%Y-%m-%d}" for each in times]),
        _ages([now - each for each in reversed(times)]),
        size_text(size) if size else "",
        "delete" if first.is_deleted else "keep",
        _why(versions),
    )


def number_ranges(numbers: Sequence[int]) -> str:
    """Return numbers as ranges, such as `1-7, 9`, with their count if there are several."""
    ordered = sorted(numbers)
    numbered = groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0])
    runs = [[number for _, number in run] for _, run in numbered]
    shown = [_span([str(run[0]), str(run[-1])], join="-") for run in runs[:_IN_CELL]]
    more = ["…"] if len(runs) > _IN_CELL else []
    count = f" ({len(ordered)})" if len(ordered) > 1 else ""
    return f"{', '.join([*shown, *more])}{count}"


def _span(texts: Sequence[str], unit: str = "", join: str = " to ") -> str:
    """Return the first and the last text; `not known` for none."""
    if not texts:
        return "not known"
    ends = dict.fromkeys((texts[0], texts[-1]))
    return f"{join.join(ends)}{unit}"


def _ages(times: Sequence[timedelta]) -> str:
    """Return ages in days, those of the last two days in hours."""
    if times and times[-1] < 2 * _DAY:
        return _span([str(max(each, timedelta()) // timedelta(hours=1)) for each in times], " h")
    return _span([str(each // _DAY) for each in times], " days")


def size_text(size: int) -> str:
    """Return bytes in megabytes or gigabytes."""
    gigabyte = 10**9
    return f"{size / gigabyte:,.1f} GB" if size >= gigabyte else f"{size / 10**6:,.1f} MB"


def _why(versions: Sequence[VersionPlan]) -> str:
    """Return all kinds of reasons, each with its first texts."""
    texts: defaultdict[Reason, dict[str, None]] = defaultdict(dict)
    for each in versions:
        for one in each.reasons:
            texts[one.reason][one.text] = None
    shown = "; ".join(_some(list(each)) for each in texts.values())
    return f"in spite of: {shown}" if shown and versions[0].is_deleted else shown


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _IN_CELL} more" if len(texts) > _IN_CELL else ""
    return f"{', '.join(texts[:_IN_CELL])}{more}"


def _left(plan: ReapPlan) -> Iterator[_Cells]:
    for region in plan.regions:
        for each in region.left:
            yield region.region, each.what, "", "", "", "", "left alone", each.reason


def _summary(plan: ReapPlan) -> str:
    """Return the number of layer versions to delete, and the bytes that become free."""
    read = len(plan.regions) - len(plan.unseen)
    where = f"{len(plan.versions)} layer versions in {read} of {len(plan.regions)} regions"
    if not plan.deletions:
        return f"nothing to delete: {where}{', all kept' if plan.versions else ''}"
    return f"to delete: {len(plan.deletions)} of {where}; {'; '.join(_facts(plan))}"


def _facts(plan: ReapPlan) -> Iterator[str]:
    if plan.freed:
        yield f"{size_text(plan.freed)} become free"
    if unknown := sum(not each.size for each in plan.deletions):
        yield f"{unknown} are of unknown size"
    yield f"plan {plan.digest}"


def plan_json(plan: ReapPlan, command: Sequence[str]) -> str:
    """Return the plan as JSON, with the command that carries it out; empty for none."""
    return json_text(
        {
            "account": plan.account,
            "number": len(plan.deletions),
            "digest": plan.digest,
            "bytes_freed": plan.freed,
            "regions": [_region(each) for each in plan.regions],
            "skipped": [{"region": name, "reason": reason} for name, reason in plan.skipped],
            "notes": plan.notes,
            "command": shlex.join(command),
        }
    )


def _region(region: RegionReap) -> dict[str, Any]:
    return {
        "region": region.region,
        "error": region.unseen,
        "versions": [version_json(each) for each in region.versions],
        "left": region.left,
    }


def version_json(plan: VersionPlan) -> dict[str, Any]:
    """Return the decision on a layer version as values for JSON; null for what is not known."""
    version, row = plan.version, plan.row
    return {
        "layer_arn": str(version.arn),
        "layer": version.arn.name,
        "version": version.arn.version,
        "distribution": plan.parts.distribution,
        "architecture": plan.parts.architecture,
        "release_group": plan.parts.release_group,
        "published": version.created.isoformat() if version.created else None,
        "size": plan.size or None,
        "public": row.public if row else None,
        "shared_with": row.shared_with if row else None,
        "decision": "delete" if plan.is_deleted else "keep",
        "reasons": [{"reason": each.reason, "text": each.text} for each in plan.reasons],
        "forced": plan.overridden,
    }
