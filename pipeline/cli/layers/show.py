"""`ocelot layers show`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.layers.rows import RowOptions
from pipeline.cli.options import shared
from pipeline.cli.running import shown_progress
from pipeline.options import TableOptions


@shared
def show_layer(
    arn: Annotated[str, typer.Argument(metavar="ARN", help="ARN of a layer version.")],
    table: TableOptions,
    shown: RowOptions,
) -> None:
    """Show all attributes of one layer version in the registry, also of a deleted one."""
    shown.check()
    from pipeline.aws.session import default_aws
    from pipeline.errors import UsageError
    from pipeline.naming import layer_arn
    from pipeline.registry.registry import opened_registry
    from pipeline.registry.row import COLUMNS, ForeignRow
    from pipeline.registry.tombstone import TOMBSTONE_COLUMNS, Tombstone
    from pipeline.report.layers import row_report

    requested = layer_arn(arn)
    with shown_progress():
        registry = opened_registry(default_aws(), table)
        row = registry.row(requested)
    if row is None or isinstance(row, ForeignRow):
        where = f"the table {registry.table} in {registry.region}"
        raise UsageError(
            f"{where} has a row of {arn} that cannot be read: {row.reason}"
            if row
            else f"{where} has no row of {arn}",
            hint="list the layers: ocelot layers list",
        )
    if isinstance(row, Tombstone):
        shown.show_rows(row.shown(), TOMBSTONE_COLUMNS, row_report(row.shown()))
    else:
        shown.show_rows(row.data(), COLUMNS, row_report(row.data()))
