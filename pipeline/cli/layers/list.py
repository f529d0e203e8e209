"""`ocelot layers list`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.layers.rows import RowOptions, name_left_out
from pipeline.cli.options import shared
from pipeline.cli.running import shown_progress
from pipeline.options import Architectures, TableOptions


@shared
def list_layers(
    *,
    distribution: Annotated[
        str,
        typer.Option(
            "--distribution", "-d", help="Only this distribution, even one not in the config."
        ),
    ] = "",
    region: Annotated[str, typer.Option("--region", help="Only this region.")] = "",
    architecture: Annotated[
        Architectures, typer.Option("--architecture", "-a", help="Only this architecture.")
    ] = Architectures.ALL,
    version: Annotated[
        str, typer.Option("--version", help="Only this collector version, such as 0.158.0.")
    ] = "",
    public: Annotated[
        bool | None,
        typer.Option(
            "--public/--private", help="Only layers for all AWS accounts, or only others."
        ),
    ] = None,
    table: TableOptions,
    shown: RowOptions,
) -> None:
    """List the published layer versions, newest first."""
    shown.check()
    from pipeline.aws.session import default_aws
    from pipeline.naming import Architecture
    from pipeline.registry.history import RowFilter, selected
    from pipeline.registry.registry import opened_registry
    from pipeline.registry.row import COLUMNS
    from pipeline.report.layers import layers_report

    one = architecture is not Architectures.ALL
    conditions = RowFilter(
        distribution=distribution,
        region=region,
        architecture=Architecture(architecture.value) if one else None,
        version=version,
        public=public,
    )
    with shown_progress():
        registry = opened_registry(default_aws(), table)
        found = registry.of_distribution(distribution) if distribution else registry.all()
    name_left_out(found.foreign)
    rows = selected(found.rows, conditions)
    shown.show_rows([row.data() for row in rows], COLUMNS, layers_report(rows))
