"""`ocelot oidc …`: the AWS role that GitHub Actions jobs assume without a stored key."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import JsonOptions, shared
from pipeline.cli.running import run, shown_progress
from pipeline.options import OptionalTableOptions

if TYPE_CHECKING:
    from pipeline.aws.session import Aws
    from pipeline.trust.check import TrustFinding
    from pipeline.trust.job import Job
    from pipeline.trust.policy import Statement

app = typer.Typer(help="Check the AWS role of GitHub Actions jobs.", no_args_is_help=True)

# The GitHub environment whose jobs may publish, as in oidc/cloudformation.yaml.
ENVIRONMENT = "publish"
_ROLE = "AWS_ROLE_TO_ASSUME"

RoleArn = Annotated[str, typer.Option("--role-arn", help=f"ARN of the role; default: {_ROLE}.")]
RepositoryName = Annotated[
    str,
    typer.Option(
        "--repository",
        help="owner/name on GitHub; default: GITHUB_REPOSITORY, or git's origin.",
    ),
]
OwnerId = Annotated[str, typer.Option("--owner-id", help="Id of the repository's owner on GitHub.")]
RepositoryId = Annotated[
    str, typer.Option("--repository-id", help="Id of the repository on GitHub.")
]
Environment = Annotated[
    str,
    typer.Option(
        "--environment",
        help=f"GitHub environment of the job; default: {ENVIRONMENT}, unless --ref is given.",
    ),
]
Ref = Annotated[
    str,
    typer.Option("--ref", help="Branch or ref of a job without an environment, or pull_request."),
]
Workflow = Annotated[
    str,
    typer.Option(
        "--workflow",
        help="The workflow that has the job, if another repository calls it: "
        "owner/name/.github/workflows/FILE@REF.",
    ),
]


@app.command("check")
@shared
def check(
    *,
    role_arn: RoleArn = "",
    repository: RepositoryName = "",
    owner_id: OwnerId = "",
    repository_id: RepositoryId = "",
    environment: Environment = "",
    ref: Ref = "",
    workflow: Workflow = "",
    table: OptionalTableOptions,
    shown: JsonOptions,
) -> None:
    """Check that only this repository's publishing job can assume the role, and check its table.

    The role, GitHub's OIDC provider and the table are read with your own AWS credentials.
    """
    from pipeline.aws.iam import trust_policy
    from pipeline.aws.session import default_aws
    from pipeline.errors import TrustError
    from pipeline.naming import role_arn as parsed
    from pipeline.report import oidc as report
    from pipeline.trust.check import is_right, subject_decisions, trust_findings
    from pipeline.trust.job import workflow_ref
    from pipeline.trust.policy import statements

    job, notes = _job(repository, owner_id, repository_id, environment, ref)
    job = replace(job, workflow=workflow_ref(workflow))
    found = parsed(_given_role(role_arn))
    with shown_progress():
        aws = default_aws()
        policy = statements(trust_policy(aws, found))
        findings = (
            *notes,
            *trust_findings(policy, job, found.account),
            *_provider_findings(aws, policy, found.account),
            *_table_findings(aws, table),
        )
    decisions = subject_decisions(policy, job)
    text = report.check_json(str(found), job, decisions, findings)
    shown.show(text, report.findings_report(str(found), job, findings))
    if not is_right(findings):
        raise TrustError(f"{found} is not as it should be", hint="fix what is shown as a problem")


def _job(
    repository: str, owner_id: str, repository_id: str, environment: str, ref: str
) -> tuple[Job, tuple[TrustFinding, ...]]:
    """Return the job, and the findings on what is not known of it."""
    from pipeline.trust.check import unknown_template
    from pipeline.trust.job import Job, full_ref, own_repository
    from pipeline.trust.template import subject_claims

    found = run(lambda: own_repository(repository, owner_id, repository_id, os.environ, Path.cwd()))
    claims = run(lambda: subject_claims(found))
    named = environment or ("" if ref else ENVIRONMENT)
    job = Job(repository=found, environment=named, ref=full_ref(ref))
    if claims is None:
        return job, (unknown_template(found),)
    return replace(job, claims=claims), ()


def _given_role(role_arn: str) -> str:
    from pipeline.errors import UsageError

    given = role_arn or os.environ.get(_ROLE, "")
    if not given:
        raise UsageError("no role is given", hint=f"give its ARN with --role-arn, or set {_ROLE}")
    return given


def _provider_findings(
    aws: Aws, policy: tuple[Statement, ...], account: str
) -> tuple[TrustFinding, ...]:
    from pipeline.aws.iam import provider_audiences
    from pipeline.trust.check import provider_finding, providers

    arns = providers(policy, account)
    return tuple(provider_finding(each, provider_audiences(aws, each)) for each in arns)


def _table_findings(aws: Aws, options: OptionalTableOptions) -> tuple[TrustFinding, ...]:
    from pipeline.registry.registry import optional_registry
    from pipeline.trust.check import table_findings

    registry = optional_registry(aws, options)
    if registry is None:
        return ()
    return table_findings(f"{registry.table} in {registry.region}", registry.faults())
