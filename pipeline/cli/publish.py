"""`ocelot publish`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import gate
from pipeline.cli.options import CommonOptions, TokenOptions, run, shared, shown_progress
from pipeline.options import PublishOptions, ReleaseGroupOptions

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.publish.asked import PublishAsked
    from pipeline.publish.run import Published, Publishing

LEFT = "nothing that was done is lost"
KEPT = "what is done is not done twice"


@shared
def publish(
    *,
    zips: Annotated[
        list[Path] | None,
        typer.Argument(metavar="ZIP|FOLDER...", help="Layers with their manifest; default: dist/."),
    ] = None,
    options: PublishOptions,
    token: TokenOptions,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Only check identity, account and registry.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write what came of it as JSON, too.")
    ] = None,
    common: CommonOptions,
) -> None:
    """Publish layers to every region at once, each exactly once.

    What is there already is not published again; run the same command again to go on. A layer
    that does not run on the bench is not published.
    """
    loaded = common.load()
    if preflight:
        _check_identity(opened(options, token, (), loaded), as_json=common.as_json)
        return
    publishing = opened(options, token, zips or [Path("dist")], loaded)
    publishing.dry_run = options.dry_run
    if not publishing.dry_run:
        wanted = not options.no_bench
        gate.check_publishing(publishing, loaded, wanted=wanted, verbose=common.verbose)
    tell = partial(report, output=output, as_json=common.as_json)
    carry_out(publishing, tell, verbose=common.verbose)


def _check_identity(publishing: Publishing, *, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    from pipeline.publish.run import preflight

    request, aws, records = publishing.request, publishing.aws, publishing.records
    who = run(partial(preflight, request, aws, records))
    if as_json:
        typer.echo(json.dumps({**asdict(who), "regions": request.regions}))
    else:
        table = f", {records.registry.table}" if records else ""
        typer.echo(f"checked: {who.arn}{table}; regions: {', '.join(request.regions)}")


def opened(
    options: ReleaseGroupOptions, token: TokenOptions, zips: Sequence[Path], config: Config
) -> Publishing:
    """What publishes zips.

    Args:
        options: what the user wants published where.
        token: by which a role is taken on.
        zips: none, where they are still to be built.
        config: tells of regions and distributions.

    Raises:
        UsageError: an option or a zip cannot be used.
        AwsError: there is no such identity.
    """
    from pipeline.cache import publish_journal
    from pipeline.publish.run import Publishing

    asked = publish_asked(options)
    request = asked.requested(zips, config)
    aws = token.aws(options.role_arn, request.regions)
    records = asked.records(aws, config)
    return Publishing(request=request, aws=aws, records=records, journal=publish_journal())


def publish_asked(options: ReleaseGroupOptions) -> PublishAsked:
    """The options, as publishing takes them."""
    from pipeline.publish.asked import PublishAsked, naming

    return PublishAsked(
        naming=naming(options.layer_name, options.release_group, options.runtimes),
        regions=options.regions,
        public=options.public,
        account=options.account,
        bucket=options.bucket,
        table=options.table,
        table_region=options.table_region,
    )


def carry_out(publishing: Publishing, tell: Callable[[Published], None], *, verbose: bool) -> None:
    """Publish, and tell what came of it, also where a signal ended it.

    Raises:
        PublishError: a target is not as it should be.
        InterruptedBuildError: a signal ended it.
    """
    from pipeline.errors import InterruptedBuildError
    from pipeline.publish.run import check_outcomes

    try:
        with shown_progress(verbose=verbose) as publishing.progress:
            done = run(publishing.publish, left=LEFT, kept=KEPT)
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
