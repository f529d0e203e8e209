"""Options of commands that talk to AWS: where, as whom, and which registry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.publish.aws.session import Aws
    from pipeline.publish.recording import Records
    from pipeline.publish.regions import RegionChoice

Regions = Annotated[
    str, typer.Option("--regions", help="A set of regions.yaml, `all`, or a list: a,b,c.")
]
Table = Annotated[
    str,
    typer.Option(
        "--table", envvar="DYNAMODB_TABLE_NAME", help="The registry's table; `none` for none."
    ),
]
TableName = Annotated[
    str,
    typer.Option("--table", envvar="DYNAMODB_TABLE_NAME", help="The registry's DynamoDB table."),
]
TableRegion = Annotated[
    str,
    typer.Option(
        "--table-region",
        help="Where the table is; default: AWS_REGION, the profile's region, or us-east-1.",
    ),
]
LayerName = Annotated[
    str, typer.Option("--layer-name", "-l", help="What the layers' names begin with.")
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


def chosen(config: Config, regions: str) -> RegionChoice:
    """The regions that `--regions` means.

    Raises:
        UsageError: it means none, all of them are in quarantine, or they are of two partitions.
    """
    from datetime import UTC, datetime

    from pipeline.errors import UsageError
    from pipeline.publish.aws.session import PARTITIONS, lambda_regions
    from pipeline.publish.regions import chosen_regions

    known = {partition: lambda_regions(partition) for partition in PARTITIONS}
    today = datetime.now(tz=UTC).date()
    choice = chosen_regions(config.regions, regions, known=known, today=today)
    if not choice.regions:
        reasons = tuple(f"{region}: {reason}" for region, reason in choice.skipped)
        raise UsageError(
            "there is no region left to work in", hint="name others: --regions", details=reasons
        )
    return choice


def opened_aws(role_arn: str, oidc_token: str, regions: tuple[str, ...]) -> Aws:
    """Who asks AWS: a role taken on by a token, or the environment's own identity.

    Args:
        role_arn: empty for the environment's own.
        oidc_token: where the role's token is.
        regions: the first one's STS is asked where AWS_REGION names none.

    Raises:
        AwsError: there is no such identity.
        UsageError: the token cannot be had.
    """
    from functools import partial

    from pipeline.github.oidc import token_of
    from pipeline.publish.aws.session import default_aws, role_aws

    if not role_arn:
        return default_aws()
    region = os.environ.get("AWS_REGION") or regions[0]
    return role_aws(role_arn, partial(token_of, oidc_token, os.environ), region)


def opened_records(aws: Aws, table: str, table_region: str, config: Config) -> Records | None:
    """The registry that the options name; None for `none`.

    Raises:
        UsageError: its region is none.
    """
    from pipeline.publish.aws.registry import registry
    from pipeline.publish.recording import Records

    return None if table == "none" else Records(registry(aws, table, table_region), config)
