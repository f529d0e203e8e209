"""The output of the verbs that only read the registry: rows as a table, JSON or CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import JsonOptions, exclusive
from pipeline.spread import Opt, option_group

if TYPE_CHECKING:
    from pipeline.registry.row import ForeignRow
    from pipeline.report.rendering import Report

Record = Mapping[str, Any]


@option_group
class RowOptions(JsonOptions):
    """The form in which rows are printed."""

    as_csv: Annotated[bool, Opt("Print CSV.", flags="--csv")] = False

    def check(self, *others: tuple[str, bool]) -> None:
        """Reject two forms at once.

        Args:
            others: further forms, and whether the user gave them.

        Raises:
            UsageError: the user gave two forms, such as --json and --csv.
        """
        exclusive(("--json", self.as_json), ("--csv", self.as_csv), *others)

    def show_rows(
        self, rows: Record | Sequence[Record], columns: Iterable[str], report: Report
    ) -> None:
        """Print one row or several in the requested form."""
        from pipeline.report.layers import as_csv
        from pipeline.report.rendering import json_text

        if self.as_csv:
            records = [rows] if isinstance(rows, Mapping) else rows
            typer.echo(as_csv(records, columns), nl=False)
        else:
            self.show(json_text(rows), report)


def name_left_out(rows: Iterable[ForeignRow]) -> None:
    """Count on standard error the rows that are left out, in one line that names the first."""
    first, *others = (*rows, None)
    if first:
        more = f" (and {len(others) - 1} more: ocelot layers sync --dry-run --json)"
        shown = f"{first}{more if len(others) > 1 else ''}"
        typer.echo(f"left out, since it cannot be read: {shown}", err=True)
