"""`ocelot layers sync`."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import typer

from pipeline.cli.options import CommonOptions, TokenOptions, run, shared, shown_progress
from pipeline.options import SyncOptions

if TYPE_CHECKING:
    from pipeline.registry.sync.run import Synced


@shared
def sync(options: SyncOptions, token: TokenOptions, common: CommonOptions) -> None:
    """Find rows without a layer and layers without a row, and repair the registry.

    The layers themselves are never changed. What is in doubt is told and left alone.
    """
    from pipeline.publish.request import region_choice
    from pipeline.registry.registry import registry
    from pipeline.registry.sync import run as syncing

    loaded = common.load()
    choice = region_choice(loaded, options.regions)
    aws = token.aws(options.role_arn, choice.regions)
    rows = registry(aws, options.table, options.table_region)
    only_shown = options.dry_run
    work = partial(
        syncing.sync,
        *(choice, aws, rows, loaded.distributions),
        base=options.layer_name,
        account=options.account,
        dry_run=only_shown,
    )
    with shown_progress(verbose=common.verbose):
        done = run(work, left="no row was left half-written", kept="what is done is not done twice")
    _report(done, as_json=common.as_json, dry_run=only_shown)
    if not only_shown:
        syncing.check_synced(done)


def _report(done: Synced, *, as_json: bool, dry_run: bool) -> None:
    from pipeline.github.annotations import append_summary
    from pipeline.report.rendering import markdown, show
    from pipeline.report.sync import synced_json, synced_report

    report = synced_report(done)
    if as_json:
        typer.echo(synced_json(done), nl=False)
    else:
        show(report)
    if not dry_run:
        append_summary(markdown(report), os.environ)
