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
    from pipeline.build.catalog import component_rows
    from pipeline.report.build import component_reports
    from pipeline.report.rendering import json_text, show

    loaded = config.load()
    rows = component_rows(loaded, upstream_tree(upstream.upstream_repo, upstream.upstream_ref))
    if shown.as_json:
        typer.echo(json_text(rows), nl=False)
    else:
        show(*component_reports(rows))


def upstream_tree(upstream_repo: str, upstream_ref: str) -> Tree:
    """Upstream's `collector/` at a ref."""
    from pipeline import paths
    from pipeline.build.upstream import read_upstream

    upstream = upstream_from(upstream_repo, upstream_ref, paths.cache_folder())
    with shown_progress():
        return run(lambda: read_upstream(upstream)).files
