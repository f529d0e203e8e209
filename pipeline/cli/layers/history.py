"""`ocelot layers history`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.layers.rows import RowOptions, name_left_out
from pipeline.cli.options import shared
from pipeline.cli.running import shown_progress
from pipeline.options import TableOptions


@shared
def history(
    distribution: Annotated[
        str, typer.Option("--distribution", "-d", help="Name of the distribution.")
    ],
    table: TableOptions,
    shown: RowOptions,
) -> None:
    """Show a distribution's releases, newest first: their regions, and what changed in each.

    Layer versions with the same layer name and content are one release, whatever number each region
    gave them.
    """
    shown.check()
    from pipeline.aws.session import default_aws
    from pipeline.registry.history import releases
    from pipeline.registry.registry import opened_registry
    from pipeline.report.layers import RELEASE_COLUMNS, history_report, release_data

    with shown_progress():
        registry = opened_registry(default_aws(), table)
        found = registry.of_distribution(distribution)
    name_left_out(found.foreign)
    done = releases(found.rows)
    shown.show_rows([release_data(each) for each in done], RELEASE_COLUMNS, history_report(done))
