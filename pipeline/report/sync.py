"""Report of how the registry and the layers differ, and of what was done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipeline.registry.sync.plan import Action, Repair
from pipeline.registry.sync.run import RepairOutcome, Synced
from pipeline.report.rendering import Report, json_text

_DONE = {Action.RECORD: "recorded", Action.UPDATE: "updated", Action.DELETE: "deleted"}
_HEADINGS = ("region", "action", "layer version", "why")


def synced_report(synced: Synced) -> Report:
    """All that differs; no table where nothing does."""
    rows = list(_rows(synced))
    return Report(
        title="Registry",
        headings=_HEADINGS if rows else (),
        rows=rows,
        summary=_summary(synced),
        whole=_HEADINGS[:2],
    )


def _rows(synced: Synced) -> Iterator[tuple[str, ...]]:
    outcomes = {str(each.repair.arn): each for each in synced.outcomes}
    for region in synced.regions:
        if region.unseen:
            yield region.region, "left alone", "all", region.unseen
        for repair in region.repairs:
            why = _why(repair, outcomes.get(str(repair.arn)))
            yield region.region, repair.action.value, _layer(str(repair.arn)), why
        for left in region.left:
            yield region.region, "left alone", _layer(left.what), left.reason
    for row in synced.foreign:
        yield "", "left alone", row.key, f"the row cannot be understood: {row.reason}"
    for name, reason in synced.skipped:
        yield name, "skipped", "all", reason


def _why(repair: Repair, outcome: RepairOutcome | None) -> str:
    if outcome is None or outcome.succeeded:
        return repair.why
    return f"{repair.why}; failed: {outcome.error}"


def _layer(arn: str) -> str:
    """A layer version's name and number, without what the region's column says."""
    return arn.rpartition(":layer:")[2]


def _summary(synced: Synced) -> str:
    """How much there is, and what was done."""
    regions = synced.regions
    seen = [each for each in regions if not each.unseen]
    versions = sum(each.versions for each in seen)
    failed = sum(not each.succeeded for each in synced.outcomes)
    if synced.outcomes:
        words = Counter(_DONE[each.repair.action] for each in synced.outcomes if each.succeeded)
    else:
        words = Counter(f"to {each.action}" for each in synced.repairs)
    counts = [f"{count} {word}" for word, count in sorted(words.items())]
    if not synced.repairs:
        counts.append("nothing to do")
    if failed:
        counts.append(f"{failed} failed")
    return (
        f"{versions} layer versions in {len(seen)} of {len(regions)} regions: {', '.join(counts)}"
    )


def synced_json(synced: Synced) -> str:
    """The same for programs."""
    outcomes = {str(each.repair.arn): each for each in synced.outcomes}
    regions = [
        {
            "region": each.region,
            "versions": each.versions,
            "error": each.unseen,
            "repairs": [_repair(one, outcomes.get(str(one.arn))) for one in each.repairs],
            "left": each.left,
        }
        for each in synced.regions
    ]
    foreign = [{"key": each.key, "reason": each.reason} for each in synced.foreign]
    skipped = [{"region": name, "reason": reason} for name, reason in synced.skipped]
    return json_text({"regions": regions, "foreign": foreign, "skipped": skipped})


def _repair(repair: Repair, outcome: RepairOutcome | None) -> dict[str, Any]:
    """A repair; what came of it only where it was tried."""
    values = {"layer_arn": str(repair.arn), "action": repair.action, "why": repair.why}
    if outcome is None:
        return values
    seconds = round(outcome.seconds, 3)
    return {**values, "ok": outcome.succeeded, "error": outcome.error, "seconds": seconds}
