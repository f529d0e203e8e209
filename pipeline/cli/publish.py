"""`ocelot publish`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import defaults
from pipeline.cli import aws_options, gate, options

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.publish.asked import PublishAsked
    from pipeline.publish.aws.session import Aws
    from pipeline.publish.run import Published, Publishing

LEFT = "nothing that was done is lost"
KEPT = "what is done is not done twice"

Zips = Annotated[
    list[Path] | None,
    typer.Argument(metavar="ZIP|FOLDER...", help="Layers with their manifest; default: dist/."),
]
Public = Annotated[
    bool | None,
    typer.Option("--public/--private", help="Who may use the layers; default: as it is."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write what came of it as JSON, too.")
]


def publish(
    zips: Zips = None,
    regions: aws_options.Regions = defaults.REGIONS,
    table: aws_options.Table = defaults.TABLE,
    table_region: aws_options.TableRegion = "",
    layer_name: aws_options.LayerName = defaults.LAYER_NAME,
    release_group: aws_options.ReleaseGroup = defaults.RELEASE_GROUP,
    runtimes: aws_options.Runtimes = "",
    public: Public = None,
    dry_run: aws_options.DryRun = False,
    account: aws_options.Account = "",
    role_arn: aws_options.RoleArn = "",
    oidc_token: aws_options.OidcToken = "actions",
    bucket: aws_options.Bucket = "",
    bench: gate.Bench = True,
    output: Output = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.ConfigFolder = None,
) -> None:
    """Publish layers to every region at once, each exactly once.

    What is there already is not published again; run the same command again to go on. A layer
    that does not run on the bench is not published.
    """
    from pipeline import project
    from pipeline.config import load_config
    from pipeline.publish.asked import PublishAsked, naming

    asked = PublishAsked(
        naming=naming(layer_name, release_group, runtimes),
        regions=regions,
        public=public,
        account=account,
        bucket=bucket,
        table=table,
        table_region=table_region,
    )
    loaded = load_config(project.config_folder(config))
    who = partial(aws_options.opened_aws, role_arn, oidc_token)
    publishing = opened(asked, zips or [Path("dist")], loaded, who)
    publishing.dry_run = dry_run
    if not dry_run:
        gate.check_publishing(publishing, loaded, wanted=bench, verbose=verbose)
    carry_out(publishing, partial(report, output=output, as_json=as_json), verbose=verbose)


def opened(
    asked: PublishAsked,
    zips: Sequence[Path],
    config: Config,
    who: Callable[[tuple[str, ...]], Aws],
) -> Publishing:
    """What publishes zips.

    Args:
        asked: the options.
        zips: none, where they are still to be built.
        config: tells of regions and distributions.
        who: opens AWS for regions.

    Raises:
        UsageError: an option or a zip cannot be used.
        AwsError: there is no such identity.
    """
    from pipeline.cache import publish_journal
    from pipeline.publish.run import Publishing

    request = asked.requested(zips, config)
    aws = who(request.regions)
    records = asked.records(aws, config)
    return Publishing(request=request, aws=aws, records=records, journal=publish_journal())


def carry_out(publishing: Publishing, tell: Callable[[Published], None], *, verbose: bool) -> None:
    """Publish, and tell what came of it, also where a signal ended it.

    Raises:
        PublishError: a target is not as it should be.
        InterruptedBuildError: a signal ended it.
    """
    from pipeline.errors import InterruptedBuildError
    from pipeline.publish.run import check_outcomes

    try:
        with options.shown_progress(verbose=verbose) as publishing.progress:
            done = options.run(publishing.publish, left=LEFT, kept=KEPT)
    except InterruptedBuildError:
        if publishing.ledger.outcomes:
            tell(publishing.so_far())
        raise
    tell(done)
    check_outcomes(done.outcomes)


def report(done: Published, *, output: Path | None, as_json: bool) -> None:
    """Tell what came of it, or what would: as a table or JSON, in the job summary, in a file."""
    from rich.console import Console

    from pipeline.files import write_atomic
    from pipeline.github.annotations import append_summary
    from pipeline.report import publish as reports

    text = reports.published_json(done)
    console = Console(highlight=False)
    if as_json:
        typer.echo(text, nl=False)
    elif done.outcomes:
        console.print(reports.outcome_table(done.outcomes))
        for arn in reports.outcome_arns(done.outcomes):
            console.print(arn, markup=False, soft_wrap=True)
        console.print(reports.outcome_summary(done.outcomes))
    else:
        console.print(reports.plan_table(done.plan))
    if done.outcomes:
        append_summary(reports.published_markdown(done), os.environ)
    if output:  # last: a folder that cannot be written to hides nothing
        write_atomic(output, text.encode())
