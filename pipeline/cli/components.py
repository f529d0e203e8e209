"""`ocelot components`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline import defaults
from pipeline.cli import options

if TYPE_CHECKING:
    from pipeline.files import Tree


def components(
    upstream_repo: options.UpstreamRepo = defaults.UPSTREAM_REPO,
    upstream_ref: options.UpstreamRef = defaults.UPSTREAM_REF,
    as_json: options.AsJson = False,
    config: options.ConfigFolder = None,
) -> None:
    """List the components on offer, and who holds them."""
    from rich.console import Console

    from pipeline import project
    from pipeline.build.catalog import component_rows
    from pipeline.config import load_config
    from pipeline.report.components import component_tables, rows_json

    loaded = load_config(project.config_folder(config))
    rows = component_rows(loaded, upstream_tree(upstream_repo, upstream_ref))
    if as_json:
        typer.echo(rows_json(rows), nl=False)
        return
    console = Console(highlight=False)
    for table in component_tables(rows):
        console.print(table)


def upstream_tree(upstream_repo: str, upstream_ref: str) -> Tree:
    """Upstream's `collector/` at a ref."""
    from pipeline import project
    from pipeline.build.upstream import read_upstream

    upstream = options.upstream_from(upstream_repo, upstream_ref, project.cache_folder())
    with options.shown_progress():
        return options.run(lambda: read_upstream(upstream)).files
