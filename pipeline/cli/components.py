"""`ocelot components`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cli.options import ConfigOptions, JsonOptions, shared
from pipeline.cli.running import run, shown_progress
from pipeline.options import UpstreamOptions

if TYPE_CHECKING:
    from pipeline.files import Tree


@shared
def components(upstream: UpstreamOptions, shown: JsonOptions, config: ConfigOptions) -> None:
    """List the available components and tunings, and the distributions that contain each."""
    from pipeline.build.components import component_rows
    from pipeline.report.config import component_reports, tuning_report
    from pipeline.report.rendering import json_text

    loaded = config.load()
    rows = component_rows(loaded, upstream_tree(upstream.upstream_repo, upstream.upstream_ref))
    shown.show(json_text(rows), *component_reports(rows), tuning_report(loaded))


def upstream_tree(repository: str, ref: str) -> Tree:
    """Read upstream's `collector/` at a ref."""
    from pipeline import paths
    from pipeline.build.inputs import requested_upstream
    from pipeline.build.upstream import read_upstream

    upstream = requested_upstream(repository, ref, paths.cache_folder())
    with shown_progress():
        return run(lambda: read_upstream(upstream)).files
