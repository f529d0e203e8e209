"""Whom the roles of the template let in: exactly the intended subjects, and nobody else."""

from __future__ import annotations

import pytest
from oidc_examples import IDS, OWN, rendered, template, trust

from pipeline import defaults
from pipeline.errors import UsageError
from pipeline.trust.job import Job, Repository, Token, strangers
from pipeline.trust.policy import lets_in
from pipeline.trust.stack import ROLES

AUDIENCE = "sts.amazonaws.com"
NAMES = "repo:acme/layers"
WITH_IDS = "repo:acme@11/layers@22"

SUBJECTS = (
    f"{NAMES}:environment:publish",
    f"{NAMES}:environment:reap",
    f"{NAMES}:ref:refs/heads/main",
    f"{WITH_IDS}:environment:publish",
    f"{WITH_IDS}:environment:reap",
    f"{WITH_IDS}:ref:refs/heads/main",
    # another repository, another owner, a fork
    "repo:acme/other:environment:publish",
    "repo:other/layers:environment:publish",
    "repo:somebody/layers:ref:refs/heads/main",
    # another branch, a tag, a pull request, another environment
    f"{NAMES}:ref:refs/heads/feature",
    f"{NAMES}:ref:refs/heads/main2",
    f"{NAMES}:ref:refs/heads/Main",
    f"{NAMES}:ref:refs/tags/main",
    f"{NAMES}:ref:refs/tags/v1",
    f"{NAMES}:pull_request",
    f"{NAMES}:environment:staging",
    # another case
    f"{NAMES}:environment:Publish",
    f"{NAMES}:environment:PUBLISH",
    "repo:Acme/layers:environment:publish",
    "repo:acme/Layers:environment:publish",
    # what looks alike
    f"{NAMES}:environment:publish2",
    f"{NAMES}:environment:publish:ref:refs/heads/main",
    f"{NAMES}:environment:publis",
    f"{NAMES}-x:environment:publish",
    f"x{NAMES}:environment:publish",
    "repo:acme-x/layers:environment:publish",
    "repo:x-acme/layers:environment:publish",
    "repo:acme/layers/x:environment:publish",
    f"{NAMES}:environment:publish ",
    f"{NAMES}:environment:*",
    f"{NAMES}:*",
    "*",
    "",
    # other ids, or ids in the wrong places
    "repo:acme@11/layers@23:environment:publish",
    "repo:acme@12/layers@22:environment:publish",
    "repo:acme@22/layers@11:environment:publish",
    "repo:acme@11/layers:environment:publish",
    "repo:acme/layers@22:environment:publish",
    "repo:acme@11/layers@220:environment:publish",
    "repo:other@11/layers@22:environment:publish",
)
ENDS = {
    "publisher": "environment:publish",
    "reaper": "environment:reap",
    "reader": "ref:refs/heads/main",
}


def let_in(role: str, audience: str | None = AUDIENCE, **given: str) -> list[str]:
    """Those of the subjects that a role lets in."""
    policy = trust(role, **given)
    answers = {
        subject: lets_in(policy, Token(label="", subject=subject, audience=audience))
        for subject in SUBJECTS
    }
    assert None not in answers.values()
    return [subject for subject, answer in answers.items() if answer]


@pytest.mark.parametrize(("role", "end"), ENDS.items())
def test_without_ids_one_subject_is_let_in(role: str, end: str) -> None:
    assert let_in(role) == [f"{NAMES}:{end}"]


@pytest.mark.parametrize(("role", "end"), ENDS.items())
def test_with_ids_both_forms_are_let_in(role: str, end: str) -> None:
    assert let_in(role, **IDS) == [f"{NAMES}:{end}", f"{WITH_IDS}:{end}"]


@pytest.mark.parametrize(("role", "end"), ENDS.items())
def test_names_need_not_be_trusted_where_there_are_ids(role: str, end: str) -> None:
    assert let_in(role, **IDS, TrustNames="false") == [f"{WITH_IDS}:{end}"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("audience", [None, "", "https://github.com/acme", "sts.amazonaws.com.cn"])
def test_a_token_for_somebody_else_is_not_let_in(role: str, audience: str | None) -> None:
    assert let_in(role, audience, **IDS) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_token_without_a_subject_is_not_let_in(role: str) -> None:
    assert lets_in(trust(role, **IDS), Token(label="", subject=None)) is False


@pytest.mark.parametrize("role", ROLES)
def test_the_names_of_environments_and_branch_are_parameters(role: str) -> None:
    given = {"PublishEnvironment": "staging", "ReapEnvironment": "Publish", "ReadBranch": "feature"}
    ends = {
        "publisher": "environment:staging",
        "reaper": "environment:Publish",
        "reader": "ref:refs/heads/feature",
    }
    assert let_in(role, **given) == [f"{NAMES}:{ends[role]}"]


@pytest.mark.parametrize("role", ROLES)
def test_the_only_way_in_is_githubs_provider_by_exact_values(role: str) -> None:
    (statement,) = trust(role, **IDS)
    assert statement.strange == ()
    assert statement.actions == ("sts:AssumeRoleWithWebIdentity",)
    (principal,) = statement.principals
    assert (principal.kind, principal.account) == ("Federated", "123456789012")
    assert {each.operator for each in statement.conditions} == {"StringEquals"}
    values = [value for each in statement.conditions for value in each.values]
    assert not [value for value in values if "*" in value or "?" in value or "$" in value]


@pytest.mark.parametrize("role", ROLES)
def test_the_provider_may_be_there_already(role: str) -> None:
    arn = "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com"
    assert "Provider" in rendered().resources
    assert "Provider" not in rendered(ProviderArn=arn).resources
    ((principal,),) = (each.principals for each in trust(role, ProviderArn=arn))
    assert principal.name == arn


REFUSED = [
    *((name, "*") for name in template().mapping["Parameters"]),
    *((name, "x*") for name in template().mapping["Parameters"]),
    *((name, "${aws:username}") for name in template().mapping["Parameters"]),
    ("GitHubOwner", "acme/layers"),
    ("GitHubOwner", "acm?"),
    ("GitHubOwner", ""),
    ("GitHubRepository", "layers:environment:publish"),
    ("GitHubRepository", "a/b"),
    ("PublishEnvironment", "publish:x"),
    ("PublishEnvironment", ""),
    ("ReapEnvironment", "publish"),  # who publishes does not reap
    ("ReadBranch", "main\n"),
    ("ReadBranch", ""),
    ("GitHubOwnerId", "0"),
    ("GitHubOwnerId", "11"),  # without that of the repository
    ("GitHubRepositoryId", "22"),
    ("TrustNames", "false"),  # then nobody would be trusted
    ("TrustNames", "yes"),
    ("ProviderArn", "arn:aws:iam::123456789012:oidc-provider/example.com"),
    (
        "ProviderArn",
        "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com/x",
    ),
    ("LayerName", ""),
    ("LayerName", "a"),
    ("BucketName", "{region}"),
    ("BucketName", "ab{region}"),
    ("BucketName", "abc{region}{region}"),
    ("TableName", "a/b"),
    ("Nonsense", "x"),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_parameter_that_would_let_in_more_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        rendered(**{name: value})
    assert "refuses these parameters" in str(caught.value)
    assert caught.value.details


@pytest.mark.parametrize("name", OWN)
def test_who_is_let_in_has_no_default(name: str) -> None:
    assert "Default" not in template().mapping["Parameters"][name]


def test_the_defaults_are_the_command_lines() -> None:
    stack = rendered()
    assert stack.parameters["PublishEnvironment"] == defaults.ENVIRONMENT
    assert stack.parameters["LayerName"] == defaults.LAYER_NAME
    assert stack.parameters["TableName"] == defaults.TABLE


def test_sessions_are_short() -> None:
    stack = rendered()
    assert {stack.properties(each)["MaxSessionDuration"] for each in ROLES.values()} == {3600}


@pytest.mark.parametrize("role", ROLES)
def test_nobody_of_the_strangers_is_let_in(role: str) -> None:
    end = ENDS[role]
    repository = Repository(owner="acme", name="layers", owner_id="11", repository_id="22")
    environment = end.removeprefix("environment:") if end.startswith("environment:") else ""
    job = Job(repository=repository, environment=environment, ref=end.partition("ref:")[2])
    policy = trust(role, **IDS)
    assert len(strangers(job)) > 20
    assert {lets_in(policy, each) for each in strangers(job)} == {False}
