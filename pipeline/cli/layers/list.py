"""`ocelot layers list`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.layers.rows import RowOptions, name_left_out
from pipeline.cli.options import shared
from pipeline.cli.running import shown_progress
from pipeline.options import Architectures, TableOptions
from pipeline.spread import Opt, option_group

if TYPE_CHECKING:
    from pipeline.registry.row import Row

ANY = Architectures.ALL


@option_group
class ListOptions(RowOptions):
    """The form in which layer versions are listed."""

    as_markdown: Annotated[
        bool, Opt("Print the ARNs of the newest versions as Markdown.", flags="--markdown")
    ] = False

    def show_list(self, rows: Sequence[Row]) -> None:
        """Print layer versions in the requested form."""
        from pipeline.aws.session import region_names
        from pipeline.registry.history import newest_releases
        from pipeline.registry.row import COLUMNS
        from pipeline.report.arns import releases_markdown
        from pipeline.report.layers import layers_report

        if self.as_markdown:
            typer.echo(releases_markdown(newest_releases(rows), region_names()), nl=False)
        else:
            self.show_rows([row.data() for row in rows], COLUMNS, layers_report(rows))


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
    ] = ANY,
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
    shown: ListOptions,
) -> None:
    """List the published layer versions, newest first."""
    shown.check(("--markdown", shown.as_markdown))
    from pipeline.aws.session import default_aws
    from pipeline.naming import Architecture
    from pipeline.registry.history import RowFilter, selected
    from pipeline.registry.registry import opened_registry

    conditions = RowFilter(
        distribution=distribution,
        region=region,
        architecture=None if architecture is ANY else Architecture(architecture.value),
        version=version,
        public=public,
    )
    with shown_progress():
        registry = opened_registry(default_aws(), table)
        found = registry.of_distribution(distribution) if distribution else registry.all()
    name_left_out(found.foreign)
    shown.show_list(selected(found.rows, conditions))
