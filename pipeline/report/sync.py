"""How the registry and the layers differ, and what was done: a table, Markdown and JSON.

Rows may be anybody's: their texts are shown as they are, never as markup.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from pipeline.publish.sync.apply import RepairOutcome
from pipeline.publish.sync.plan import Action, Repair
from pipeline.publish.sync.run import Synced
from pipeline.report import markdown, screen

DONE = {Action.RECORD: "recorded", Action.UPDATE: "updated", Action.DELETE: "deleted"}
HEADINGS = ("region", "action", "layer version", "why")


def synced_rows(synced: Synced) -> list[tuple[str, ...]]:
    """The cells of all that is worth telling, in the order of `HEADINGS`."""
    return [tuple(map(screen.printable, row)) for row in _rows(synced)]


def _rows(synced: Synced) -> Iterator[tuple[str, ...]]:
    outcomes = {str(each.repair.arn): each for each in synced.outcomes}
    for region in synced.plan.regions:
        if region.unseen:
            yield region.region, "left alone", "all", region.unseen
        for repair in region.repairs:
            why = _why(repair, outcomes.get(str(repair.arn)))
            yield region.region, repair.action.value, _layer(str(repair.arn)), why
        for left in region.left:
            yield region.region, "left alone", _layer(left.what), left.reason
    for row in synced.plan.foreign:
        yield "", "left alone", row.key, f"the row cannot be understood: {row.reason}"
    for name, reason in synced.plan.skipped:
        yield name, "skipped", "all", reason


def _why(repair: Repair, outcome: RepairOutcome | None) -> str:
    if outcome is None or outcome.succeeded:
        return repair.why
    return f"{repair.why}; failed: {outcome.error}"


def synced_table(synced: Synced) -> Table:
    """What is amiss, for the screen."""
    return screen.table(HEADINGS, synced_rows(synced), whole=HEADINGS[:2])


def synced_summary(synced: Synced) -> str:
    """All of it in a line: how much there is, and what was done."""
    regions = synced.plan.regions
    seen = [each for each in regions if not each.unseen]
    versions = sum(each.versions for each in seen)
    failed = sum(not each.succeeded for each in synced.outcomes)
    if synced.outcomes:
        words = Counter(DONE[each.repair.action] for each in synced.outcomes if each.succeeded)
    else:
        words = Counter(f"to {each.action}" for each in synced.plan.repairs)
    told = [f"{count} {word}" for word, count in sorted(words.items())]
    if not synced.plan.repairs:
        told.append("nothing to do")
    if failed:
        told.append(f"{failed} failed")
    return f"{versions} layer versions in {len(seen)} of {len(regions)} regions: {', '.join(told)}"


def synced_markdown(synced: Synced) -> str:
    """The same for a GitHub job summary."""
    rows = synced_rows(synced)
    table = markdown.table(HEADINGS, rows) if rows else ()
    return markdown.section(f"Registry: {synced_summary(synced)}", table)


def synced_json(synced: Synced) -> str:
    """The same for other programs."""
    outcomes = {str(each.repair.arn): each for each in synced.outcomes}
    regions = [
        {
            "region": each.region,
            "versions": each.versions,
            "error": each.unseen,
            "repairs": [_repair(one, outcomes.get(str(one.arn))) for one in each.repairs],
            "left": [{"what": left.what, "reason": left.reason} for left in each.left],
        }
        for each in synced.plan.regions
    ]
    foreign = [{"key": each.key, "reason": each.reason} for each in synced.plan.foreign]
    skipped = [{"region": name, "reason": reason} for name, reason in synced.plan.skipped]
    data = {"regions": regions, "foreign": foreign, "skipped": skipped}
    return json.dumps(data, indent=2) + "\n"


def _repair(repair: Repair, outcome: RepairOutcome | None) -> dict[str, Any]:
    """A repair; what came of it only where it was tried."""
    tried = outcome and {
        "ok": outcome.succeeded,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 3),
    }
    return {
        "layer_arn": str(repair.arn),
        "action": repair.action.value,
        "why": repair.why,
        **(tried or {}),
    }


def _layer(arn: str) -> str:
    """A layer version's name and number, without what the region's column says."""
    return arn.rpartition(":layer:")[2]
