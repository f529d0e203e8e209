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
    """Show all attributes of one layer version in the registry."""
    shown.check()
    from pipeline.aws.session import default_aws
    from pipeline.errors import UsageError
    from pipeline.naming import layer_arn
    from pipeline.registry.registry import opened_registry
    from pipeline.registry.row import COLUMNS, ForeignRow, Row
    from pipeline.report.layers import row_report

    requested = layer_arn(arn)
    with shown_progress():
        registry = opened_registry(default_aws(), table)
        row = registry.row(requested)
    if not isinstance(row, Row):
        where = f"the table {registry.table} in {registry.region}"
        raise UsageError(
            f"{where} has a row of {arn} that cannot be read: {row.reason}"
            if isinstance(row, ForeignRow)
            else f"{where} has no row of {arn}",
            hint="list the layers: ocelot layers list",
        )
    shown.show_rows(row.data(), COLUMNS, row_report(row))
