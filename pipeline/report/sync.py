"""Report of `ocelot layers sync`: the repairs of the registry, and their outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipeline.registry.sync.plan import Action, Repair
from pipeline.registry.sync.run import RepairOutcome, SyncResult
from pipeline.report.parameters import parameter_rows, parameter_sync_json
from pipeline.report.rendering import Report, json_text

_DONE = {Action.RECORD: "recorded", Action.UPDATE: "updated", Action.DELETE: "deleted"}
_HEADINGS = ("region", "action", "layer version", "why")


def sync_report(result: SyncResult) -> Report:
    """Return all differences; without a table if there is none."""
    rows = list(_rows(result))
    return Report(
        title="Registry",
        headings=_HEADINGS if rows else (),
        rows=rows,
        summary=_summary(result),
        whole=_HEADINGS[:2],
    )


def _rows(result: SyncResult) -> Iterator[tuple[str, ...]]:
    outcomes = {str(each.repair.arn): each for each in result.outcomes}
    for region in result.regions:
        if region.unseen:
            yield region.region, "left alone", "all", region.unseen
        for repair in region.repairs:
            why = _why(repair, outcomes.get(str(repair.arn)))
            yield region.region, repair.action.value, _layer(str(repair.arn)), why
        for left in region.left:
            yield region.region, "left alone", _layer(left.what), left.reason
    for parameters in result.parameters:
        yield from parameter_rows(parameters)
    if result.foreign:
        first, *others = result.foreign
        more = f" (and {len(others)} more rows, which --json lists)" if others else ""
        yield "", "left alone", first.key, f"the row cannot be read: {first.reason}{more}"
    for name, reason in result.skipped:
        yield name, "skipped", "all", reason


def _why(repair: Repair, outcome: RepairOutcome | None) -> str:
    if outcome is None or outcome.succeeded:
        return repair.why
    return f"{repair.why}; failed: {outcome.error}"


def _layer(arn: str) -> str:
    """Return a layer version's name and number; its region has a column of its own."""
    return arn.rpartition(":layer:")[2]


def _summary(result: SyncResult) -> str:
    """Return the number of layer versions, and of repairs by action."""
    regions = result.regions
    read = [each for each in regions if not each.unseen]
    versions = sum(each.versions for each in read)
    failed = sum(not each.succeeded for each in result.outcomes)
    changed = sum(len(each.changes) for each in result.parameters if not each.error)
    if result.outcomes:
        actions = Counter(_DONE[each.repair.action] for each in result.outcomes if each.succeeded)
    else:
        actions = Counter(f"to {each.action}" for each in result.repairs)
    counts = [f"{count} {action}" for action, count in sorted(actions.items())]
    if changed:
        noun = "parameter" if changed == 1 else "parameters"
        counts.append(f"{changed} {noun} {'to set' if result.dry_run else 'set'}")
    if not result.changes:
        counts.append("nothing to do")
    if failed:
        counts.append(f"{failed} failed")
    return (
        f"{versions} layer versions in {len(read)} of {len(regions)} regions: {', '.join(counts)}"
    )


def sync_json(result: SyncResult) -> str:
    """Return the report as JSON."""
    outcomes = {str(each.repair.arn): each for each in result.outcomes}
    parameters = {each.region: each for each in result.parameters}
    regions = [
        {
            "region": each.region,
            "versions": each.versions,
            "error": each.unseen,
            "repairs": [_repair(one, outcomes.get(str(one.arn))) for one in each.repairs],
            "left": each.left,
            "parameters": parameter_sync_json(parameters.get(each.region)),
        }
        for each in result.regions
    ]
    foreign = [{"key": each.key, "reason": each.reason} for each in result.foreign]
    skipped = [{"region": name, "reason": reason} for name, reason in result.skipped]
    return json_text({"regions": regions, "foreign": foreign, "skipped": skipped})


def _repair(repair: Repair, outcome: RepairOutcome | None) -> dict[str, Any]:
    """Return a repair as values for JSON; its outcome only if it was tried."""
    values = {"layer_arn": str(repair.arn), "action": repair.action, "why": repair.why}
    if outcome is None:
        return values
    seconds = round(outcome.seconds, 3)
    return {**values, "ok": outcome.succeeded, "error": outcome.error, "seconds": seconds}
