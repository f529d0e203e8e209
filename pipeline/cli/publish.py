"""`ocelot publish`."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommonOptions, TokenOptions, run, shared, shown_progress
from pipeline.options import PublishOptions

if TYPE_CHECKING:
    from pipeline.aws.session import Aws
    from pipeline.publish.request import PublishRequest
    from pipeline.publish.run import Published
    from pipeline.registry.registry import Registry

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
    from pipeline.bench.gate import check_layers
    from pipeline.publish.request import opened_registry, publish_request
    from pipeline.publish.run import publish as published

    loaded = common.load()
    given = () if preflight else zips or [Path("dist")]
    request = publish_request(options, given, loaded)
    aws = token.aws(options.role_arn, request.regions)
    registry = opened_registry(options, aws)
    if preflight:
        _check_identity(request, aws, registry, as_json=common.as_json)
        return
    gate = partial(check_layers, config=loaded, enabled=not options.no_bench)
    work = partial(published, request, aws, registry, gate=gate, dry_run=options.dry_run)
    show = partial(report, output=output, as_json=common.as_json)
    carry_out(work, show, verbose=common.verbose)


def _check_identity(
    request: PublishRequest, aws: Aws, registry: Registry | None, *, as_json: bool
) -> None:
    import json
    from dataclasses import asdict

    from pipeline.publish.run import preflight

    who = run(partial(preflight, request, aws, registry))
    if as_json:
        typer.echo(json.dumps({**asdict(who), "regions": request.regions}))
    else:
        table = f", {registry.table}" if registry else ""
        typer.echo(f"checked: {who.arn}{table}; regions: {', '.join(request.regions)}")


def carry_out(
    work: Callable[[Callable[[Published], None]], Awaitable[None]],
    show: Callable[[Published], None],
    *,
    verbose: bool,
) -> None:
    """Publish, then show what was reported, after an interruption too.

    Args:
        work: publishes; it is given what takes its report.
        show: shows the report, when no progress is shown any more.
        verbose: whether to show every line of progress.

    Raises:
        PublishError: a target is not as it should be.
        InterruptedBuildError: a signal ended it.
    """
    reported: list[Published] = []
    try:
        with shown_progress(verbose=verbose):
            run(partial(work, reported.append), left=LEFT, kept=KEPT)
    finally:
        for each in reported:
            show(each)


def report(done: Published, *, output: Path | None, as_json: bool) -> None:
    """Tell what came of it, or what would: as a table or JSON, in the job summary, in a file."""
    from pipeline.files import write_atomic
    from pipeline.github.annotations import append_summary
    from pipeline.report import publish as reports
    from pipeline.report.rendering import markdown, show

    text, table = reports.published_json(done), reports.published_report(done)
    if as_json:
        typer.echo(text, nl=False)
    else:
        show(table)
    if done.outcomes:
        append_summary(markdown(table), os.environ)
    if output:  # last: a folder that cannot be written to hides nothing
        write_atomic(output, text.encode())
