"""`ocelot publish`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import defaults
from pipeline.cli import options

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.publish.aws.session import Aws
    from pipeline.publish.package import Naming, Package
    from pipeline.publish.recording import Records
    from pipeline.publish.run import Published, PublishRequested

Zips = Annotated[
    list[Path] | None,
    typer.Argument(metavar="ZIP|FOLDER...", help="Layers with their manifest; default: dist/."),
]
Regions = Annotated[
    str, typer.Option("--regions", help="A set of regions.yaml, `all`, or a list: a,b,c.")
]
Table = Annotated[
    str,
    typer.Option(
        "--table", envvar="DYNAMODB_TABLE_NAME", help="The registry's table; `none` for none."
    ),
]
TableRegion = Annotated[
    str, typer.Option("--table-region", help="Where the table is; default: AWS_REGION.")
]
LayerName = Annotated[
    str, typer.Option("--layer-name", "-l", help="What the layers' names begin with.")
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
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
Account = Annotated[str, typer.Option("--account", help="The account id that it must be.")]
RoleArn = Annotated[str, typer.Option("--role-arn", help="A role to take on by an OIDC token.")]
OidcToken = Annotated[
    str,
    typer.Option(
        "--oidc-token",
        help="Where the token is: env:NAME, file:PATH, or actions, for GitHub Actions' own.",
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write what came of it as JSON, too.")
]


def publish(
    zips: Zips = None,
    regions: Regions = "default",
    table: Table = defaults.TABLE,
    table_region: TableRegion = "",
    layer_name: LayerName = defaults.LAYER_NAME,
    release_group: ReleaseGroup = defaults.RELEASE_GROUP,
    runtimes: Runtimes = "",
    public: Public = None,
    dry_run: DryRun = False,
    account: Account = "",
    role_arn: RoleArn = "",
    oidc_token: OidcToken = "actions",
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
    aws = _aws(role_arn, oidc_token, request.regions)
    records = _records(aws, table, table_region, loaded)
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
    from datetime import UTC, datetime

    from pipeline.errors import UsageError
    from pipeline.publish.aws.session import PARTITIONS, lambda_regions
    from pipeline.publish.regions import chosen_regions
    from pipeline.publish.run import PublishRequested

    known = {partition: lambda_regions(partition) for partition in PARTITIONS}
    today = datetime.now(tz=UTC).date()
    choice = chosen_regions(config.regions, regions, known=known, today=today)
    if not choice.regions:
        reasons = tuple(f"{region}: {reason}" for region, reason in choice.skipped)
        raise UsageError(
            "there is no region left to publish to", hint="name others: --regions", details=reasons
        )
    return PublishRequested(
        packages=packages,
        partition=choice.partition,
        regions=choice.regions,
        skipped=choice.skipped,
        public=public,
        account=account,
    )


def _aws(role_arn: str, oidc_token: str, regions: tuple[str, ...]) -> Aws:
    from functools import partial

    from pipeline.github.oidc import token_of
    from pipeline.publish.aws.session import default_aws, role_aws

    if not role_arn:
        return default_aws()
    region = os.environ.get("AWS_REGION") or regions[0]
    return role_aws(role_arn, partial(token_of, oidc_token, os.environ), region)


def _records(aws: Aws, table: str, table_region: str, config: Config) -> Records | None:
    from pipeline.publish.aws.registry import registry
    from pipeline.publish.recording import Records

    return None if table == "none" else Records(registry(aws, table, table_region), config)


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
