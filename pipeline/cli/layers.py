"""`ocelot layers …`: what is published, by the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import sync
from pipeline.cli.options import RowOptions, shared
from pipeline.options import Architectures, TableOptions

if TYPE_CHECKING:
    from pipeline.registry.registry import Registry
    from pipeline.registry.row import ForeignRow

app = typer.Typer(help="The published layers, by the registry.", no_args_is_help=True)
app.command("sync")(sync.sync)


@app.command("list")
@shared
def list_layers(
    *,
    distribution: Annotated[
        str, typer.Option("--distribution", "-d", help="Of one distribution; it need not be ours.")
    ] = "",
    region: Annotated[str, typer.Option("--region", help="In one region.")] = "",
    architecture: Annotated[
        Architectures, typer.Option("--architecture", "-a", help="For one architecture.")
    ] = Architectures.ALL,
    version: Annotated[
        str, typer.Option("--version", help="Of one version of the collector, such as 0.158.0.")
    ] = "",
    public: Annotated[
        bool | None, typer.Option("--public/--private", help="For all AWS accounts, or not.")
    ] = None,
    table: TableOptions,
    shown: RowOptions,
) -> None:
    """List the layer versions that are published, the newest first."""
    shown.check()
    from pipeline.naming import Architecture
    from pipeline.registry.history import RowFilter, selected
    from pipeline.registry.row import COLUMNS
    from pipeline.report import layers as report
    from pipeline.report import rendering

    one = architecture is not Architectures.ALL
    wanted = RowFilter(
        distribution=distribution,
        region=region,
        architecture=Architecture(architecture.value) if one else None,
        version=version,
        public=public,
    )
    registry = _registry(table)
    found = registry.of_distribution(distribution) if distribution else registry.all()
    _tell_foreign(found.foreign)
    rows = selected(found.rows, wanted)
    if shown.as_json or shown.as_csv:
        _tell([row.data() for row in rows], COLUMNS, as_csv=shown.as_csv)
    else:
        rendering.show(report.layers_report(rows))


@app.command("show")
@shared
def show(
    arn: Annotated[str, typer.Argument(metavar="ARN", help="A layer version's ARN.")],
    table: TableOptions,
    shown: RowOptions,
) -> None:
    """Show everything that the registry knows of one layer version."""
    shown.check()
    from pipeline.errors import UsageError
    from pipeline.naming import layer_arn
    from pipeline.registry.row import COLUMNS, Row
    from pipeline.report import layers as report
    from pipeline.report import rendering

    asked = layer_arn(arn)
    registry = _registry(table)
    row = registry.row(asked)
    if not isinstance(row, Row):
        raise UsageError(
            f"the table {registry.table} in {registry.region} has a row of {arn} that cannot be "
            f"understood: {row.reason}"
            if row
            else f"the table {registry.table} in {registry.region} has no row of {arn}",
            hint="see what there is: ocelot layers list",
        )
    if shown.as_json:
        typer.echo(rendering.json_text(row.data()), nl=False)
    elif shown.as_csv:
        _tell([row.data()], COLUMNS, as_csv=True)
    else:
        rendering.show(report.row_report(row))


@app.command("history")
@shared
def history(
    distribution: Annotated[
        str, typer.Option("--distribution", "-d", help="Of which distribution.")
    ],
    table: TableOptions,
    shown: RowOptions,
) -> None:
    """Show a distribution's releases, the newest first: where each is, and what it changed.

    Layer versions of one layer's name and content are one release, whatever number each region
    gave them.
    """
    shown.check()
    from pipeline.registry.history import releases
    from pipeline.report import layers as report
    from pipeline.report import rendering

    found = _registry(table).of_distribution(distribution)
    _tell_foreign(found.foreign)
    done = releases(found.rows)
    if shown.as_json or shown.as_csv:
        records = [report.release_data(each) for each in done]
        _tell(records, report.RELEASE_COLUMNS, as_csv=shown.as_csv)
    else:
        rendering.show(report.history_report(done))


def _registry(table: TableOptions) -> Registry:
    from pipeline.aws.session import default_aws
    from pipeline.registry.registry import registry

    return registry(default_aws(), table.table, table.table_region)


def _tell_foreign(foreign: Iterable[ForeignRow]) -> None:
    for each in foreign:
        typer.echo(f"left out, since it cannot be understood: {each}", err=True)


def _tell(records: Sequence[Mapping[str, Any]], columns: Iterable[str], *, as_csv: bool) -> None:
    from pipeline.report.layers import as_csv as csv_text
    from pipeline.report.rendering import json_text

    text = csv_text(records, columns) if as_csv else json_text(records)
    typer.echo(text, nl=False)
