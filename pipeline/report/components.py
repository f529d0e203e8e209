"""The components on offer, a table a kind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.table import Table

from pipeline.build.catalog import ComponentRow
from pipeline.model import KINDS


def rows_json(rows: Sequence[ComponentRow]) -> str:
    """The same as JSON, a list of objects."""
    return json.dumps([asdict(row) for row in rows], indent=2) + "\n"


def component_tables(rows: Sequence[ComponentRow]) -> Iterator[Table]:
    """One table for each kind that has components."""
    for kind in KINDS:
        of_kind = [row for row in rows if row.kind == kind]
        if not of_kind:
            continue
        table = Table(title=f"{kind}s", title_justify="left")
        for heading in ("component", "from", "distributions"):
            table.add_column(heading)
        for row in of_kind:
            table.add_row(row.name, row.origin, ", ".join(row.distributions))
        yield table
