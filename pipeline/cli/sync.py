"""`ocelot layers sync`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from pipeline import defaults
from pipeline.cli import aws_options, options

if TYPE_CHECKING:
    from pipeline.publish.sync.run import Synced


def sync(
    regions: aws_options.Regions = defaults.REGIONS,
    layer_name: aws_options.LayerName = defaults.LAYER_NAME,
    table: aws_options.TableName = defaults.TABLE,
    table_region: aws_options.TableRegion = "",
    account: aws_options.Account = "",
    role_arn: aws_options.RoleArn = "",
    oidc_token: aws_options.OidcToken = "actions",
    dry_run: aws_options.DryRun = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.ConfigFolder = None,
) -> None:
    """Find rows without a layer and layers without a row, and repair the registry.

    The layers themselves are never changed. What is in doubt is told and left alone.
    """
    from pipeline import project
    from pipeline.config import load_config
    from pipeline.publish.asked import region_choice
    from pipeline.publish.aws.registry import registry
    from pipeline.publish.recording import Records
    from pipeline.publish.sync import run

    loaded = load_config(project.config_folder(config))
    choice = region_choice(loaded, regions)
    request = run.SyncRequested(
        base=layer_name,
        partition=choice.partition,
        regions=choice.regions,
        skipped=choice.skipped,
        account=account,
    )
    aws = aws_options.opened_aws(role_arn, oidc_token, choice.regions)
    records = Records(registry(aws, table, table_region), loaded)
    with options.shown_progress(verbose=verbose) as progress:

        async def work() -> Synced:
            return await run.sync(request, aws, records, progress=progress, dry_run=dry_run)

        done = options.run(
            work, left="no row was left half-written", kept="what is done is not done twice"
        )
    _report(done, as_json=as_json, dry_run=dry_run)
    if not dry_run:
        run.check_synced(done)


def _report(done: Synced, *, as_json: bool, dry_run: bool) -> None:
    from rich.console import Console

    from pipeline.github.annotations import append_summary
    from pipeline.report import sync as report

    if as_json:
        typer.echo(report.synced_json(done), nl=False)
    else:
        console = Console(highlight=False)
        if report.synced_rows(done):
            console.print(report.synced_table(done))
        console.print(report.synced_summary(done))
    if not dry_run:
        append_summary(report.synced_markdown(done), os.environ)
