"""`ocelot components`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline.cli.options import (
    ConfigOptions,
    JsonOptions,
    run,
    shared,
    shown_progress,
    upstream_from,
)
from pipeline.options import UpstreamOptions

if TYPE_CHECKING:
    from pipeline.files import Tree


@shared
def components(upstream: UpstreamOptions, shown: JsonOptions, config: ConfigOptions) -> None:
    """List the components on offer, and who holds them."""
    from rich.console import Console

    from pipeline.build.catalog import component_rows
    from pipeline.report.components import component_tables, rows_json

    loaded = config.load()
    rows = component_rows(loaded, upstream_tree(upstream.upstream_repo, upstream.upstream_ref))
    if shown.as_json:
        typer.echo(rows_json(rows), nl=False)
        return
    console = Console(highlight=False)
    for table in component_tables(rows):
        console.print(table)


def upstream_tree(upstream_repo: str, upstream_ref: str) -> Tree:
    """Upstream's `collector/` at a ref."""
    from pipeline import paths
    from pipeline.build.upstream import read_upstream

    upstream = upstream_from(upstream_repo, upstream_ref, paths.cache_folder())
    with shown_progress():
        return run(lambda: read_upstream(upstream)).files
