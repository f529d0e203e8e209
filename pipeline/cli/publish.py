"""`ocelot publish`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import defaults
from pipeline.cli import aws_options, options

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.publish.package import Naming, Package
    from pipeline.publish.run import Published, PublishRequested

Zips = Annotated[
    list[Path] | None,
    typer.Argument(metavar="ZIP|FOLDER...", help="Layers with their manifest; default: dist/."),
]
ReleaseGroup = Annotated[
    str, typer.Option("--release-group", help="What the layers' names end with.")
]
Runtimes = Annotated[
    str, typer.Option("--runtimes", help="Lambda runtimes, a,b,c; default: all current ones.")
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
    regions: aws_options.Regions = "default",
    table: aws_options.Table = defaults.TABLE,
    table_region: aws_options.TableRegion = "",
    layer_name: aws_options.LayerName = defaults.LAYER_NAME,
    release_group: ReleaseGroup = defaults.RELEASE_GROUP,
    runtimes: Runtimes = "",
    public: Public = None,
    dry_run: aws_options.DryRun = False,
    account: aws_options.Account = "",
    role_arn: aws_options.RoleArn = "",
    oidc_token: aws_options.OidcToken = "actions",
    output: Output = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.ConfigFolder = None,
) -> None:
    """Publish layers to every region at once, each exactly once.

    What is there already is not published again; run the same command again to go on.
    """
    from rich.console import Console

    from pipeline import project
    from pipeline.cache import cache_folder
    from pipeline.config import load_config
    from pipeline.publish import run
    from pipeline.publish.package import read_packages
    from pipeline.report.progress import shown_progress

    loaded = load_config(project.config_folder(config))
    packages = read_packages(zips or [Path("dist")], _naming(layer_name, release_group, runtimes))
    request = _request(loaded, packages, regions, public=public, account=account)
    aws = aws_options.opened_aws(role_arn, oidc_token, request.regions)
    records = aws_options.opened_records(aws, table, table_region, loaded)
    console = Console(stderr=True, highlight=False)
    with shown_progress(console, os.environ, verbose=verbose) as progress:

        async def work() -> Published:
            return await run.publish(
                request,
                aws,
                records,
                journal=cache_folder() / "publish.jsonl",
                progress=progress,
                dry_run=dry_run,
            )

        done = options.run(work)
    _report(done, output, as_json=as_json)
    run.check_outcomes(done.outcomes)


def _naming(layer_name: str, release_group: str, runtimes: str) -> Naming:
    from pipeline.publish.package import RUNTIMES, Naming

    named = tuple(word.strip() for word in runtimes.split(",") if word.strip())
    return Naming(base=layer_name, release_group=release_group, runtimes=named or RUNTIMES)


def _request(
    config: Config,
    packages: tuple[Package, ...],
    regions: str,
    *,
    public: bool | None,
    account: str,
) -> PublishRequested:
    from pipeline.publish.run import PublishRequested

    choice = aws_options.chosen(config, regions)
    return PublishRequested(
        packages=packages,
        partition=choice.partition,
        regions=choice.regions,
        skipped=choice.skipped,
        public=public,
        account=account,
    )


def _report(done: Published, output: Path | None, *, as_json: bool) -> None:
    from rich.console import Console

    from pipeline.files import write_atomic
    from pipeline.github.annotations import append_summary
    from pipeline.report import publish as report

    text = (
        report.outcome_json(done.outcomes, done.plan)
        if done.outcomes
        else report.plan_json(done.plan)
    )
    console = Console(highlight=False)
    if as_json:
        typer.echo(text, nl=False)
    elif done.outcomes:
        console.print(report.outcome_table(done.outcomes))
        for arn in report.outcome_arns(done.outcomes):
            console.print(arn, markup=False, soft_wrap=True)
        console.print(report.outcome_summary(done.outcomes))
    else:
        console.print(report.plan_table(done.plan))
    if done.outcomes:
        append_summary(report.outcome_markdown(done.outcomes), os.environ)
    if output:  # last: a folder that cannot be written to hides nothing
        write_atomic(output, text.encode())
