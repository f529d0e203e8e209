"""`ocelot oidc …`: who may publish without a stored key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import JsonOptions, run, shared
from pipeline.options import OptionalTableOptions

if TYPE_CHECKING:
    from pipeline.aws.session import Aws
    from pipeline.trust.check import Finding
    from pipeline.trust.job import Job
    from pipeline.trust.policy import Statement

app = typer.Typer(help="GitHub's OIDC: who may publish without a stored key.", no_args_is_help=True)

# GitHub's environment whose jobs may publish, as oidc/cloudformation.yaml has it.
ENVIRONMENT = "publish"
_ROLE = "AWS_ROLE_TO_ASSUME"

RoleArn = Annotated[str, typer.Option("--role-arn", help=f"The deployed role; default: {_ROLE}.")]
AskedRepository = Annotated[
    str,
    typer.Option("--repository", help="owner/name; default: GITHUB_REPOSITORY, or git's origin."),
]
OwnerId = Annotated[str, typer.Option("--owner-id", help="Id of the repository's owner.")]
RepositoryId = Annotated[str, typer.Option("--repository-id", help="Id of the repository.")]
Environment = Annotated[
    str,
    typer.Option(
        "--environment",
        help=f"The job's environment on GitHub; default: {ENVIRONMENT}, if no --ref.",
    ),
]
Ref = Annotated[
    str,
    typer.Option("--ref", help="Branch or ref of a job without environment, or pull_request."),
]


@app.command("check")
@shared
def check(
    *,
    role_arn: RoleArn = "",
    repository: AskedRepository = "",
    owner_id: OwnerId = "",
    repository_id: RepositoryId = "",
    environment: Environment = "",
    ref: Ref = "",
    table: OptionalTableOptions,
    shown: JsonOptions,
) -> None:
    """Tell whether a role lets in this repository's jobs, and nobody else, and see its table.

    It reads the deployed role, GitHub's provider and the table with your own credentials.
    """
    from pipeline.aws.roles import trust_policy
    from pipeline.aws.session import default_aws
    from pipeline.errors import TrustError
    from pipeline.naming import role_arn as parsed
    from pipeline.report import oidc as report
    from pipeline.report.rendering import show
    from pipeline.trust.check import entries, is_right, trust_findings
    from pipeline.trust.policy import statements

    job = _job(repository, owner_id, repository_id, environment, ref)
    found, aws = parsed(_given_role(role_arn)), default_aws()
    policy = statements(trust_policy(aws, found))
    findings = (
        *trust_findings(policy, job, found.account),
        *_provider_findings(aws, policy, found.account),
        *_table_findings(aws, table),
    )
    if shown.as_json:
        typer.echo(report.check_json(str(found), job, entries(policy, job), findings), nl=False)
    else:
        typer.echo(f"{found}: {job.context} of {job.repository}")
        show(report.findings_report(findings))
    if not is_right(findings):
        raise TrustError(f"{found} is not as it should be", hint="fix what is shown as a problem")


def _job(repository: str, owner_id: str, repository_id: str, environment: str, ref: str) -> Job:
    from pipeline.trust.job import Job, full_ref
    from pipeline.trust.repository import own_repository

    found = run(lambda: own_repository(repository, owner_id, repository_id, os.environ, Path.cwd()))
    named = environment or ("" if ref else ENVIRONMENT)
    return Job(repository=found, environment=named, ref=full_ref(ref))


def _given_role(role_arn: str) -> str:
    from pipeline.errors import UsageError

    given = role_arn or os.environ.get(_ROLE, "")
    if not given:
        raise UsageError(
            "nothing says which role is to be checked", hint=f"name it by --role-arn or {_ROLE}"
        )
    return given


def _provider_findings(
    aws: Aws, policy: tuple[Statement, ...], account: str
) -> tuple[Finding, ...]:
    from pipeline.aws.roles import provider_audiences
    from pipeline.trust.check import provider_finding, providers

    arns = providers(policy, account)
    return tuple(provider_finding(each, provider_audiences(aws, each)) for each in arns)


def _table_findings(aws: Aws, options: OptionalTableOptions) -> tuple[Finding, ...]:
    from pipeline.registry.registry import registry
    from pipeline.trust.check import table_findings

    if options.table == "none":
        return ()
    rows = registry(aws, options.table, options.table_region)
    return table_findings(f"{rows.table} in {rows.region}", rows.faults())
