"""`ocelot oidc …`: who may publish without a stored key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import defaults
from pipeline.cli import aws_options, options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.trust.check import Finding
    from pipeline.trust.job import Job
    from pipeline.trust.policy import Statement

app = typer.Typer(help="GitHub's OIDC: who may publish without a stored key.", no_args_is_help=True)

_ROLE = "AWS_ROLE_TO_ASSUME"

Template = Annotated[
    Path | None,
    typer.Option("--template", help="Check a template instead: oidc/cloudformation.yaml."),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", metavar="NAME=VALUE", help="A parameter of the template."),
]
Role = Annotated[
    str, typer.Option("--role", help="Which role of the template: publisher, reaper or reader.")
]
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
        help=f"The job's environment on GitHub; default: {defaults.ENVIRONMENT}, if no --ref.",
    ),
]
Ref = Annotated[
    str,
    typer.Option("--ref", help="Branch or ref of a job without environment, or pull_request."),
]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A role that was read.

    Attributes:
        name: for people.
        account: empty where it is not known.
        besides: what there is to say of the provider and the table.
    """

    name: str
    policy: tuple[Statement, ...]
    account: str
    besides: tuple[Finding, ...]


@app.command("check")
def check(
    role_arn: RoleArn = "",
    template: Template = None,
    parameter: Parameters = None,
    role: Role = "publisher",
    repository: AskedRepository = "",
    owner_id: OwnerId = "",
    repository_id: RepositoryId = "",
    environment: Environment = "",
    ref: Ref = "",
    table: aws_options.Table = defaults.TABLE,
    table_region: aws_options.TableRegion = "",
    as_json: options.AsJson = False,
) -> None:
    """Tell whether a role lets in this repository's jobs, and nobody else, and see its table.

    It reads the role as it is deployed, with your own credentials, or as a template would make it.
    """
    options.exclusive(("--role-arn", bool(role_arn)), ("--template", bool(template)))
    from pipeline.errors import TrustError
    from pipeline.report import oidc as report
    from pipeline.trust.check import entries, trust_findings, well

    job = _job(repository, owner_id, repository_id, environment, ref)
    if template:
        checked = _from_template(template, parameter or [], role, job, table_region)
    else:
        checked = _deployed(role_arn or os.environ.get(_ROLE, ""), table, table_region)
    findings = (*trust_findings(checked.policy, job, checked.account), *checked.besides)
    if as_json:
        told = report.check_json(checked.name, job, entries(checked.policy, job), findings)
        typer.echo(told, nl=False)
    else:
        from rich.console import Console

        console = Console(highlight=False)
        console.print(f"{checked.name}: {job.context} of {job.repository}", markup=False)
        console.print(report.findings_table(findings))
    if not well(findings):
        raise TrustError(
            f"{checked.name} is not as it should be", hint="mend what is told as a problem"
        )


def _job(repository: str, owner_id: str, repository_id: str, environment: str, ref: str) -> Job:
    from pipeline.github.repository import own_repository
    from pipeline.trust.job import Job, full_ref

    found = options.run(
        lambda: own_repository(repository, owner_id, repository_id, os.environ, Path.cwd())
    )
    named = environment or ("" if ref else defaults.ENVIRONMENT)
    return Job(repository=found, environment=named, ref=full_ref(ref))


def _from_template(path: Path, parameters: list[str], role: str, job: Job, region: str) -> Checked:
    from pipeline.publish.table import DEFAULT_REGION
    from pipeline.trust import stack
    from pipeline.trust.policy import statements
    from pipeline.trust.template import read_template

    given: Mapping[str, str] = stack.given_parameters(parameters)
    rendered = stack.render_stack(read_template(path), given, job.repository, region)
    return Checked(
        name=f"the {role} of {path}",
        policy=statements(stack.role_policy(rendered, role)),
        account="",
        besides=tuple(stack.stack_table_findings(rendered, region or DEFAULT_REGION)),
    )


def _deployed(role_arn: str, table: str, table_region: str) -> Checked:
    from pipeline.errors import UsageError

    if not role_arn:
        raise UsageError(
            "nothing says which role is to be checked",
            hint=f"name it by --role-arn or {_ROLE}, or a template by --template",
        )
    from pipeline.naming import role_arn as parsed
    from pipeline.publish.aws.registry import registry
    from pipeline.publish.aws.roles import provider_audiences, trust_policy
    from pipeline.publish.aws.session import default_aws
    from pipeline.trust.check import provider_finding, providers
    from pipeline.trust.policy import statements
    from pipeline.trust.stack import table_findings

    role, aws = parsed(role_arn), default_aws()
    policy = statements(trust_policy(aws, role))
    found = [
        provider_finding(each, provider_audiences(aws, each))
        for each in providers(policy, role.account)
    ]
    if table != "none":
        rows = registry(aws, table, table_region)
        found += table_findings(f"{rows.table} in {rows.region}", rows.faults())
    return Checked(name=str(role), policy=policy, account=role.account, besides=tuple(found))
