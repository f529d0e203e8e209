"""`ocelot layers list`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.layers.rows import RowOptions, name_left_out
from pipeline.cli.options import TokenOptions, exclusive, shared
from pipeline.cli.running import shown_progress
from pipeline.options import Architectures, ListOptions
from pipeline.spread import Opt, option_group

if TYPE_CHECKING:
    from pipeline.registry.row import Row
    from pipeline.registry.tombstone import Tombstone


@option_group
class ListRowOptions(RowOptions):
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

    def show_deleted(self, tombstones: Sequence[Tombstone]) -> None:
        """Print deleted layer versions in the requested form."""
        from pipeline.registry.tombstone import TOMBSTONE_COLUMNS
        from pipeline.report.layers import tombstones_report

        rows = [each.shown() for each in tombstones]
        self.show_rows(rows, TOMBSTONE_COLUMNS, tombstones_report(tombstones))


@shared
def list_layers(options: ListOptions, token: TokenOptions, shown: ListRowOptions) -> None:
    """List the published layer versions, newest first."""
    shown.check(("--markdown", shown.as_markdown))
    exclusive(("--deleted", options.deleted), ("--markdown", shown.as_markdown))
    from pipeline.naming import Architecture
    from pipeline.registry.history import RowFilter, selected, selected_tombstones
    from pipeline.registry.registry import opened_registry
    from pipeline.registry.table import DEFAULT_REGION

    one = None if options.architecture is Architectures.ALL else options.architecture
    conditions = RowFilter(
        distribution=options.distribution or "",
        region=options.region or "",
        architecture=Architecture(one.value) if one else None,
        version=options.version or "",
        public=options.public,
    )
    aws = token.aws(options.role_arn, (options.table_region or DEFAULT_REGION,))
    with shown_progress():
        registry = opened_registry(aws, options)
        wanted = "" if options.deleted else options.distribution  # an index has no tombstones
        found = registry.of_distribution(wanted) if wanted else registry.all()
    name_left_out(found.foreign)
    if options.deleted:
        shown.show_deleted(selected_tombstones(found.tombstones, conditions))
    else:
        shown.show_list(selected(found.rows, conditions))
