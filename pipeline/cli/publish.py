"""`ocelot publish`."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommonOptions, JsonOptions, TokenOptions, shared
from pipeline.cli.printing import add_summary, check_file, set_output
from pipeline.cli.running import run, shown_progress
from pipeline.options import PublishOptions

if TYPE_CHECKING:
    from pipeline.aws.session import Aws
    from pipeline.publish.request import PublishRequest
    from pipeline.publish.run import PublishResult, Report
    from pipeline.registry.registry import Registry

LEFT = "nothing that was done is lost"
KEPT = "finished work is not repeated"


@shared
def publish(
    *,
    zips: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="ZIP|MANIFEST|FOLDER...",
            help="Zips with a manifest.json, manifests, or folders; default: dist/.",
        ),
    ] = None,
    options: PublishOptions,
    token: TokenOptions,
    preflight: Annotated[
        bool,
        typer.Option("--preflight", help="Only check identity, account and registry."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write the result as JSON to a file."),
    ] = None,
    common: CommonOptions,
) -> None:
    """Publish layers to all regions at once, each exactly once.

    Layers that are already published are left as they are, so an interrupted run is completed by
    the same command. Each layer first has a trial run (see `ocelot bench`); one that fails is not
    published.
    """
    from pipeline.bench.gate import check_layers
    from pipeline.publish.request import publish_request
    from pipeline.publish.run import publish as published
    from pipeline.registry.registry import optional_registry

    check_file("--output", output)
    loaded = common.load()
    paths = () if preflight else zips or [Path("dist")]
    request = publish_request(options, paths, loaded, os.environ)
    aws = token.aws(options.role_arn, request.regions)
    registry = optional_registry(aws, options)
    if preflight:
        _preflight(request, aws, registry, common)
        return
    gate = partial(check_layers, config=loaded, enabled=not options.no_bench)
    work = partial(published, request, aws, registry, gate=gate, dry_run=options.dry_run)
    _run_and_report(work, common, output)


def _run_and_report(
    work: Callable[[Report], Awaitable[None]], common: CommonOptions, output: Path | None
) -> None:
    """Publish, and report the result, after an interruption too."""
    reported: list[PublishResult] = []
    succeeded = False
    try:
        with shown_progress(verbose=common.verbose):
            run(partial(work, reported.append), left=LEFT, kept=KEPT)
        succeeded = True
    finally:  # after the progress has ended
        _report_all(reported, common, output, succeeded=succeeded)


def _report_all(
    results: list[PublishResult], shown: JsonOptions, output: Path | None, *, succeeded: bool
) -> None:
    """Report results; a file that cannot be written is a note if the work has failed itself."""
    from pipeline.errors import OutputError

    try:
        for each in results:
            report(each, shown, output)
    except OutputError as error:
        if succeeded:
            raise
        typer.echo(f"note: {error}", err=True)


def _preflight(
    request: PublishRequest, aws: Aws, registry: Registry | None, shown: JsonOptions
) -> None:
    from pipeline.publish.run import preflight
    from pipeline.report.publish import identity_json, identity_report

    with shown_progress():
        identity = run(partial(preflight, request, aws, registry))
    table = registry.table if registry else ""
    text = identity_json(identity, request.regions)
    shown.show(text, identity_report(identity, request.regions, table))


def report(done: PublishResult, shown: JsonOptions, output: Path | None = None) -> None:
    """Print the result or the plan, add it to the job summary, and write it to a file as JSON."""
    from pipeline.files import write_atomic
    from pipeline.report.publish import arns_json, publish_json, publish_report

    text, table = publish_json(done), publish_report(done)
    shown.show(text, table)
    add_summary(table, os.environ, rest=output.name if output else "")
    if done.outcomes:
        set_output("layers", arns_json(done), os.environ)
    if output:  # last: a folder that cannot be written to hides nothing
        write_atomic(output, text.encode())
