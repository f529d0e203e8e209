"""Report of `ocelot reap --apply`: what was deleted, what was kept after all, what failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.reap.apply import VersionOutcome, VersionResult
from pipeline.reap.run import ReapResult
from pipeline.report.reap import number_ranges
from pipeline.report.rendering import Report, grouped, json_text

_HEADINGS = ("region", "layer", "version", "result", "why")
_STYLES = {VersionResult.FAILED: "red", VersionResult.KEPT: "yellow"}
# Failures first, since a long table is read from its end on a screen.
_ORDER = (VersionResult.DELETED, VersionResult.GONE, VersionResult.KEPT, VersionResult.FAILED)
_SHOWN = 3


def reap_report(result: ReapResult) -> Report:
    """Return the outcomes; versions of one layer with the same outcome are in one row."""
    groups = _groups(result.outcomes)
    rows = [_row(each) for each in groups]
    return Report(
        title="Deleted layer versions",
        headings=_HEADINGS if rows else (),
        rows=rows,
        whole=_HEADINGS[:1],
        styles=[_STYLES.get(each[0].result, "") for each in groups],
        problems=grouped(_problems(result)),
        notes=tuple(_notes(result)),
        summary=_summary(result),
    )


def _groups(outcomes: Sequence[VersionOutcome]) -> list[list[VersionOutcome]]:
    found: defaultdict[object, list[VersionOutcome]] = defaultdict(list)
    for each in sorted(outcomes, key=lambda each: _ORDER.index(each.result)):
        found[each.plan.version.arn.layer, each.result, each.why].append(each)
    return list(found.values())


def _row(outcomes: Sequence[VersionOutcome]) -> tuple[str, ...]:
    first, arn = outcomes[0], outcomes[0].plan.version.arn
    numbers = [each.plan.version.arn.version for each in outcomes]
    return arn.region, arn.name, number_ranges(numbers), first.result.value, first.why


def _problems(result: ReapResult) -> Iterator[tuple[str, str]]:
    for each in result.plan.regions:
        if each.unseen:
            yield each.region, each.unseen
    yield from result.errors.items()


def _notes(result: ReapResult) -> Iterator[str]:
    for each in result.outcomes:
        for note in each.notes:
            yield f"{_name(each)} in {each.plan.version.arn.region}: {note}"
    deleted = [each for each in result.outcomes if each.tombstone and not each.failed]
    shared = [
        each
        for each in deleted
        if each.tombstone and (each.tombstone.row.public or each.tombstone.row.shared_with)
    ]
    if shared:
        names = ", ".join(_name(each) for each in shared[:_SHOWN])
        more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
        yield f"public or shared were {names}{more}: functions of other accounts cannot be seen"
    for region, why in result.plan.skipped:
        yield f"{region} is left out: {why}"


def _name(outcome: VersionOutcome) -> str:
    arn = outcome.plan.version.arn
    return f"{arn.name}:{arn.version}"


def _summary(result: ReapResult) -> str:
    counts = Counter(each.result for each in result.outcomes)
    parts = [f"{counts[each]} {each}" for each in _ORDER if counts[each]]
    if result.done:
        parts.append(f"{len(result.done)} deleted by an earlier run")
    return f"{', '.join(parts) or 'nothing to delete'}; plan {result.digest}"


def reap_json(result: ReapResult) -> str:
    """Return the outcomes as JSON."""
    return json_text(
        {
            "account": result.plan.account,
            "digest": result.digest,
            "number": len(result.outcomes) + len(result.done),
            "outcomes": [_outcome(each) for each in result.outcomes],
            "deleted_before": [str(each.arn) for each in result.done],
            "errors": [{"region": name, "error": error} for name, error in _problems(result)],
            "skipped": [{"region": name, "reason": why} for name, why in result.plan.skipped],
            "notes": result.plan.notes,
        }
    )


def _outcome(outcome: VersionOutcome) -> dict[str, Any]:
    """Return an outcome as values for JSON; null for what is not known."""
    arn = outcome.plan.version.arn
    row = outcome.tombstone.row if outcome.tombstone else None
    return {
        "layer_arn": outcome.arn,
        "region": arn.region,
        "layer": arn.name,
        "version": arn.version,
        "result": outcome.result,
        "why": outcome.why,
        "forced": outcome.plan.overridden,
        "code_sha256": (row and row.code_sha256) or None,
        "public": row.public if row else None,
        "shared_with": row.shared_with if row else None,
        "notes": outcome.notes,
        "seconds": round(outcome.seconds, 3),
    }
