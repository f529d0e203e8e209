"""The stack of `oidc/`, linted, deployed to moto and checked by the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jmespath
import pytest
from aws_server import ACCOUNT
from cfnlint.api import (  # pyright: ignore[reportMissingTypeStubs]
    ManualArgs,
    lint_file,
)
from faulty_proxy import FaultyProxy
from runs import Ran, run_ocelot

from pipeline.errors import AwsError, TrustError, UsageError
from pipeline.options import TABLE

OIDC = Path(__file__).parents[2] / "oidc"
TEMPLATE = OIDC / "cloudformation.yaml"
REGION = "eu-west-1"
HOST = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
# moto makes no provider by CloudFormation, and keeps an AWS::NoValue in a list of statements
PARAMETERS = {
    "GitHubOwner": "acme",
    "GitHubRepository": "layers",
    "GitHubOwnerId": "11",
    "GitHubRepositoryId": "22",
    "ProviderArn": PROVIDER,
    "BucketName": "acme-zips-{region}",
    "SsmPrefix": "/ocel",
}
OWN = ("--repository", "acme/layers", "--owner-id", "11", "--repository-id", "22")

Check = Callable[..., Ran]


def deployed(aws: FaultyProxy, **parameters: str) -> dict[str, str]:
    """The stack's outputs by their description, as the guide prints them."""
    aws.client("iam").create_open_id_connect_provider(
        Url=f"https://{HOST}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=[]
    )
    client = aws.client("cloudformation", REGION)
    client.create_stack(
        StackName="ocelot-oidc",
        TemplateBody=TEMPLATE.read_text("utf-8"),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {**PARAMETERS, **parameters}.items()
        ],
    )
    described = client.describe_stacks(StackName="ocelot-oidc")
    guide = (OIDC / "README.md").read_text("utf-8")
    (query,) = re.findall(r'--query "(.*)"', guide)
    lines: list[str] = jmespath.search(query, described)  # pyright: ignore[reportUnknownMemberType]
    return dict(line.split("=", 1) for line in lines)


def install_gh(folder: Path, answers: dict[str, object]) -> None:
    """Write a program `gh` that has these answers, by path; it fails for any other."""
    folder.mkdir(exist_ok=True)
    texts = {f"api {path}": json.dumps(answer) for path, answer in answers.items()}
    program = (
        f"#!{sys.executable}\nimport sys\n"
        f"answer = {texts!r}.get(' '.join(sys.argv[1:]))\n"
        "sys.exit('HTTP 404') if answer is None else print(answer)\n"
    )
    (folder / "gh").write_text(program)
    (folder / "gh").chmod(0o755)


REPOSITORY = "repos/acme/layers/actions/oidc/customization/sub"
ORGANISATION = "orgs/acme/actions/oidc/customization/sub"


@pytest.fixture
def check(aws: FaultyProxy, tmp_path: Path) -> Check:
    """Runs `ocelot oidc check` for acme/layers, whose subjects are GitHub's default."""
    install_gh(tmp_path / "bin", {REPOSITORY: {"use_default": True}})

    def run(*arguments: str, env: dict[str, str] | None = None) -> Ran:
        path = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
        complete = {**path, **aws.environment(region=REGION), **(env or {})}
        options = ("oidc", "check", *OWN, *arguments)
        return run_ocelot(*options, cache=tmp_path, env=complete, cwd=tmp_path)

    return run


def test_cfn_lint_finds_nothing() -> None:
    regions = ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"]
    found = lint_file(TEMPLATE, config=ManualArgs(regions=regions, include_checks=["I"]))
    assert [f"{each.linenumber}: {each.rule.id} {each.message}" for each in found] == []


def test_a_deployed_stack_passes(aws: FaultyProxy, check: Check) -> None:
    outputs = deployed(aws)
    assert set(outputs) == {
        *("AWS_ROLE_TO_ASSUME", "DYNAMODB_TABLE_NAME", "AWS_REAPER_ROLE", "AWS_READER_ROLE")
    }
    assert outputs["DYNAMODB_TABLE_NAME"] == TABLE
    ran = check("--json", env=outputs)
    assert (ran.code, ran.err) == (0, "")
    data = json.loads(ran.out)
    assert data["ok"] is True
    assert data["role"] == outputs["AWS_ROLE_TO_ASSUME"]
    assert [(each["form"], each["subject"], each["let_in"]) for each in data["subjects"]] == [
        ("names", "repo:acme/layers:environment:publish", True),
        ("ids", "repo:acme@11/layers@22:environment:publish", True),
    ]
    assert {each["state"] for each in data["findings"]} == {"ok"}
    for role, job in (
        ("AWS_REAPER_ROLE", ("--environment", "reap")),
        ("AWS_READER_ROLE", ("--ref", "main")),
    ):
        ran = check("--role-arn", outputs[role], *job)
        assert ran.code == 0, ran.out


CUSTOMISED = {"use_default": False, "include_claim_keys": ["repository_id", "context"]}


@pytest.mark.parametrize(
    ("answers", "code", "forms", "noted"),
    [
        ({}, 0, ["names", "ids"], True),
        ({REPOSITORY: "no template"}, 0, ["names", "ids"], True),
        ({REPOSITORY: {"use_default": False}}, 0, ["names", "ids"], True),
        ({REPOSITORY: {"use_default": False}, ORGANISATION: {}}, 0, ["names", "ids"], False),
        (
            {REPOSITORY: {"use_default": False, "include_claim_keys": ["repo", "context"]}},
            *(0, ["names", "ids"], False),
        ),
        ({REPOSITORY: CUSTOMISED}, 14, ["customised claims"], True),
        (
            {REPOSITORY: {"use_default": False}, ORGANISATION: CUSTOMISED},
            *(14, ["customised claims"], True),
        ),
        (
            {REPOSITORY: {"use_default": False, "include_claim_keys": ["repo", "actor"]}},
            *(14, [], True),
        ),
    ],
)
def test_a_customised_subject_is_considered(
    aws: FaultyProxy,
    check: Check,
    tmp_path: Path,
    answers: dict[str, object],
    code: int,
    forms: list[str],
    noted: bool,  # noqa: FBT001
) -> None:
    install_gh(tmp_path / "bin", answers)
    ran = check("--json", env=deployed(aws))
    assert ran.code == code, ran.out
    data = json.loads(ran.out)
    assert [each["form"] for each in data["subjects"]] == forms
    assert any(each["place"] == "template" for each in data["findings"]) is noted


def test_publishing_uses_the_stacks_table(aws: FaultyProxy, check: Check, tmp_path: Path) -> None:
    outputs = deployed(aws, TableName="Mine")
    table = aws.client("dynamodb", REGION).describe_table(TableName="Mine")["Table"]
    assert table["DeletionProtectionEnabled"] is True
    from publish_examples import dist  # noqa: PLC0415

    dist(tmp_path / "dist")
    published = run_ocelot(
        *("publish", tmp_path / "dist", "--dry-run", "--regions", REGION, "--json"),
        cache=tmp_path,
        env={**aws.environment(region=REGION), **outputs},
        cwd=tmp_path,
    )
    assert published.code == 0, published.err
    gone = check(env={**outputs, "DYNAMODB_TABLE_NAME": "Other"})
    assert gone.code == TrustError.exit_code
    assert "there is no table Other" in gone.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--environment", "Publish"), "environment:Publish is not accepted"),
        (("--environment", "reap"), "environment:publish is accepted, too"),
        (("--ref", "main"), "refs/heads/main is not accepted"),
        (("--repository-id", "23"), "repo:acme@11/layers@22:environment:publish is accepted, too"),
    ],
)
def test_a_role_that_does_not_match_the_job_fails(
    aws: FaultyProxy, check: Check, arguments: tuple[str, ...], message: str
) -> None:
    ran = check(*arguments, env=deployed(aws))
    assert ran.code == TrustError.exit_code
    assert message in " ".join(ran.out.replace("│", " ").split())
    assert "is not as it should be" in ran.err


def test_a_role_that_accepts_too_much_fails(aws: FaultyProxy, check: Check) -> None:
    outputs = deployed(aws)
    arn = outputs["AWS_ROLE_TO_ASSUME"]
    wide: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Federated": PROVIDER},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringLike": {f"{HOST}:sub": "repo:acme/*"}},
        },
    }
    aws.client("iam").update_assume_role_policy(
        RoleName=arn.rpartition("/")[2], PolicyDocument=json.dumps(wide)
    )
    ran = check("--json", env=outputs)
    assert ran.code == TrustError.exit_code
    data = json.loads(ran.out)
    assert data["ok"] is False
    found = "\n".join(each["found"] for each in data["findings"] if each["state"] == "problem")
    assert f"there is no condition on {HOST}:aud" in found
    assert "repo:acme/* is no exact condition" in found


RELEASE = "acme/ocelot/.github/workflows/release-layers.yml"


def test_a_role_for_one_workflow_is_checked_with_it(aws: FaultyProxy, check: Check) -> None:
    refs = [f"{RELEASE}@refs/tags/v1", f"{RELEASE}@refs/tags/v2"]
    outputs = deployed(aws, WorkflowRefs=",".join(refs))
    assert check("--workflow", refs[1], env=outputs).code == 0
    for arguments in ((), ("--workflow", f"{RELEASE}@refs/tags/v3")):
        ran = check("--json", *arguments, env=outputs)
        assert ran.code == TrustError.exit_code
        wrong = [each for each in json.loads(ran.out)["findings"] if each["state"] == "problem"]
        assert {each["place"].partition(" with")[0] for each in wrong} == {"subject"}


def test_a_provider_that_is_missing_or_wrong_fails(aws: FaultyProxy, check: Check) -> None:
    outputs, iam = deployed(aws), aws.client("iam")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)
    gone = check("--json", env=outputs)
    assert (gone.code, "there is no provider" in gone.out) == (TrustError.exit_code, True)
    iam.create_open_id_connect_provider(Url=f"https://{HOST}", ClientIDList=["x"])
    other = check("--json", env=outputs)
    assert (other.code, "accepts no tokens for" in other.out) == (TrustError.exit_code, True)


def test_a_missing_role_is_an_error(check: Check) -> None:
    ran = check("--role-arn", f"arn:aws:iam::{ACCOUNT}:role/missing")
    assert (ran.code, ran.out) == (AwsError.exit_code, "")
    assert "iam:GetRole must be allowed" in ran.err


def test_a_role_of_another_account_is_an_error(aws: FaultyProxy, check: Check) -> None:
    arn = deployed(aws)["AWS_ROLE_TO_ASSUME"].replace(ACCOUNT, "210987654321")
    ran = check("--role-arn", arn)
    assert ran.code == AwsError.exit_code
    assert "use credentials of the role's account" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no role is given"),
        (("--role-arn", "publisher"), "is no ARN of a role"),
        (("--owner-id", "x"), "two numbers"),
        (("--workflow", "release-layers.yml"), "is no workflow of a job"),
    ],
)
def test_options_that_cannot_be_used_are_usage_errors(
    check: Check, arguments: tuple[str, ...], message: str
) -> None:
    ran = check(*arguments)
    assert (ran.code, ran.out) == (UsageError.exit_code, "")
    assert message in ran.err


@pytest.mark.parametrize("env", [{}, {"GITHUB_REPOSITORY": "acme/layers"}])
def test_the_repository_is_gits_or_the_jobs(
    aws: FaultyProxy, tmp_path: Path, env: dict[str, str]
) -> None:
    if not env:
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        remote = ["git", "remote", "add", "origin", "git@github.com:acme/layers.git"]
        subprocess.run(remote, cwd=tmp_path, check=True)
    env = {**deployed(aws), **env}
    ran = run_ocelot(
        *("oidc", "check", "--json", "--owner-id", "11", "--repository-id", "22"),
        cache=tmp_path,
        env={**aws.environment(region=REGION), **env},
        cwd=tmp_path,
    )
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["repository"] == "acme/layers"


def test_a_job_in_github_has_its_ids(aws: FaultyProxy, tmp_path: Path) -> None:
    env = {
        **deployed(aws),
        "GITHUB_REPOSITORY": "acme/layers",
        "GITHUB_REPOSITORY_OWNER_ID": "11",
        "GITHUB_REPOSITORY_ID": "22",
    }
    ran = run_ocelot(
        *("oidc", "check", "--json"),
        cache=tmp_path,
        env={**aws.environment(region=REGION), **env},
        cwd=tmp_path,
    )
    assert [each["form"] for each in json.loads(ran.out)["subjects"]] == ["names", "ids"]


def test_without_a_repository_there_is_a_usage_error(tmp_path: Path) -> None:
    ran = run_ocelot("oidc", "check", cache=tmp_path, cwd=tmp_path)
    assert ran.code == UsageError.exit_code
    assert "--repository owner/name" in ran.err
