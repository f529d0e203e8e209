"""The roles of the template accept exactly the intended subjects."""

from __future__ import annotations

import pytest
from oidc_examples import IDS, OWN, ROLES, RefusedParametersError, rendered, template, trust

from pipeline.cli.oidc import ENVIRONMENT
from pipeline.options import TABLE, PublishOptions
from pipeline.trust.policy import AUDIENCE_KEY, SUBJECT_KEY, WORKFLOW_KEY, accepts

AUDIENCE = "sts.amazonaws.com"
NAMES = "repo:acme/layers"
WITH_IDS = "repo:acme@11/layers@22"
ENDS = {
    "publisher": "environment:publish",
    "reaper": "environment:reap",
    "reader": "ref:refs/heads/main",
}


def accepted(role: str, **given: str) -> list[str]:
    """Return the subjects that a role accepts; anything else in its policy fails."""
    (statement,) = trust(role, **given)
    assert (statement.effect, statement.unsupported, statement.inexact) == ("Allow", (), ())
    assert statement.actions == ("sts:AssumeRoleWithWebIdentity",)
    assert [each.account for each in statement.principals] == ["123456789012"]
    assert {each.operator for each in statement.conditions} == {"StringEquals"}
    assert statement.values(AUDIENCE_KEY) == {AUDIENCE}
    subjects = statement.values(SUBJECT_KEY) or ()
    assert not [each for each in subjects if {*each} & {*"*?$"}]
    return sorted(subjects)


@pytest.mark.parametrize(("role", "end"), ENDS.items())
def test_without_ids_one_subject_is_accepted(role: str, end: str) -> None:
    assert accepted(role) == [f"{NAMES}:{end}"]


@pytest.mark.parametrize(("role", "end"), ENDS.items())
def test_with_ids_both_forms_are_accepted(role: str, end: str) -> None:
    assert accepted(role, **IDS) == sorted([f"{NAMES}:{end}", f"{WITH_IDS}:{end}"])


@pytest.mark.parametrize(("role", "end"), ENDS.items())
def test_with_ids_the_form_with_names_can_be_refused(role: str, end: str) -> None:
    assert accepted(role, **IDS, TrustNames="false") == [f"{WITH_IDS}:{end}"]


@pytest.mark.parametrize("role", ROLES)
def test_the_names_of_environments_and_branch_are_parameters(role: str) -> None:
    given = {"PublishEnvironment": "staging", "ReapEnvironment": "Publish", "ReadBranch": "feature"}
    ends = {
        "publisher": "environment:staging",
        "reaper": "environment:Publish",
        "reader": "ref:refs/heads/feature",
    }
    assert accepted(role, **given) == [f"{NAMES}:{ends[role]}"]


@pytest.mark.parametrize("role", ROLES)
def test_an_existing_provider_is_used(role: str) -> None:
    arn = "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com"
    assert "Provider" in rendered().resources
    assert "Provider" not in rendered(ProviderArn=arn).resources
    ((principal,),) = (each.principals for each in trust(role, ProviderArn=arn))
    assert principal.name == arn


RELEASE = "acme/ocelot/.github/workflows/release-layers.yml"
TAG, COMMIT = f"{RELEASE}@refs/tags/v1", f"{RELEASE}@{'0a' * 20}"


def test_publishing_can_be_limited_to_workflows() -> None:
    (statement,) = trust("publisher", WorkflowRefs=f"{TAG},{COMMIT}")
    assert statement.values(WORKFLOW_KEY) == {TAG, COMMIT}
    policy, subject = (statement,), f"{NAMES}:{ENDS['publisher']}"
    assert accepts(policy, subject, TAG) is accepts(policy, subject, COMMIT) is True
    assert accepts(policy, subject, f"{RELEASE}@refs/heads/main") is False
    assert accepts(policy, f"{subject}x", TAG) is False


@pytest.mark.parametrize("role", ROLES)
def test_without_workflows_none_is_a_condition(role: str) -> None:
    (statement,) = trust(role)
    assert statement.values(WORKFLOW_KEY) is None


REFUSED = [
    *((name, "*") for name in template()["Parameters"]),
    *((name, "x*") for name in template()["Parameters"]),
    *((name, "${aws:username}") for name in template()["Parameters"]),
    ("GitHubOwner", "acme/layers"),
    ("GitHubOwner", "acm?"),
    ("GitHubOwner", ""),
    ("GitHubRepository", "layers:environment:publish"),
    ("GitHubRepository", "a/b"),
    ("PublishEnvironment", "publish:x"),
    ("PublishEnvironment", ""),
    ("ReapEnvironment", "publish"),  # the publisher may not reap
    ("ReadBranch", "main\n"),
    ("ReadBranch", ""),
    ("GitHubOwnerId", "0"),
    ("GitHubOwnerId", "11"),  # without the repository id
    ("GitHubRepositoryId", "22"),
    ("TrustNames", "false"),  # no subject would be left
    ("TrustNames", "yes"),
    ("ProviderArn", "arn:aws:iam::123456789012:oidc-provider/example.com"),
    (
        "ProviderArn",
        "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com/x",
    ),
    ("WorkflowRefs", RELEASE),
    ("WorkflowRefs", f"{RELEASE}@main"),
    ("WorkflowRefs", f"{TAG},{RELEASE}@refs/tags/*"),
    ("WorkflowRefs", f"{RELEASE}@0a0a0a0"),
    ("LayerName", ""),
    ("LayerName", "a"),
    ("BucketName", "{region}"),
    ("BucketName", "ab{region}"),
    ("BucketName", "abc{region}{region}"),
    ("TableName", "a/b"),
    ("Nonsense", "x"),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_parameter_that_would_accept_more_is_refused(name: str, value: str) -> None:
    with pytest.raises(RefusedParametersError):
        rendered(**{name: value})


@pytest.mark.parametrize("name", OWN)
def test_the_repository_has_no_default(name: str) -> None:
    assert "Default" not in template()["Parameters"][name]


def test_the_defaults_are_the_command_lines() -> None:
    stack = rendered()
    assert stack.parameters["PublishEnvironment"] == ENVIRONMENT
    assert stack.parameters["LayerName"] == PublishOptions().layer_name
    assert stack.parameters["TableName"] == TABLE


def test_sessions_are_short() -> None:
    stack = rendered()
    assert {stack.properties(each)["MaxSessionDuration"] for each in ROLES.values()} == {3600}
