"""Options of commands that talk to AWS: where, as whom, and which registry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.publish.aws.session import Aws

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
Bucket = Annotated[
    str,
    typer.Option(
        "--bucket", help="Bucket in each region for zips above 50 MB, such as NAME-{region}."
    ),
]
ReleaseGroup = Annotated[
    str, typer.Option("--release-group", help="What the layers' names end with.")
]
Runtimes = Annotated[
    str, typer.Option("--runtimes", help="Lambda runtimes, a,b,c; default: all current ones.")
]


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
