"""What `ocelot lock` tells: a line a distribution, for the screen and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.table import Table

from pipeline.build.locking import Locking
from pipeline.report import screen

HEADINGS = ("distribution", "commit", "modules added", "zips", "status")


def lock_row(outcome: Locking) -> tuple[str, ...]:
    """One distribution's cells, in the order of `HEADINGS`."""
    entry = outcome.after or outcome.before
    cells = ("", "", "")
    if entry:
        zips = " ".join(str(name) for name in entry.zips) or "not built"
        cells = (entry.commit[:12], str(len(entry.go_mod)), zips)
    return (outcome.distribution, *cells, outcome.status)


def lock_table(outcomes: Sequence[Locking]) -> Table:
    """The table for the screen."""
    return screen.table(HEADINGS, map(lock_row, outcomes), whole=("distribution",))


def lock_json(outcomes: Sequence[Locking]) -> str:
    """The same as JSON, with the entries whole."""
    rows = [
        {
            "distribution": each.distribution,
            "status": each.status,
            "differences": list(each.strays),
            "error": each.error.text() if each.error else None,
            "locked": each.after.model_dump(mode="json", by_alias=True) if each.after else None,
        }
        for each in outcomes
    ]
    return json.dumps(rows, indent=2) + "\n"
