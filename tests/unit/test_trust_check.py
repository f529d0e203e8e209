"""Findings of `ocelot oidc check` on good and bad trust policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from oidc_examples import IDS, trust

from pipeline.registry.table import TableFault
from pipeline.trust.check import (
    TrustFinding,
    is_right,
    provider_finding,
    providers,
    subject_decisions,
    table_findings,
    trust_findings,
)
from pipeline.trust.job import GitHubRepository, Job
from pipeline.trust.policy import accepts, statements

ACCOUNT = "123456789012"
HOST = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
SUB, AUD = f"{HOST}:sub", f"{HOST}:aud"
AUDIENCE = "sts.amazonaws.com"
OWN = "repo:acme/layers:environment:publish"
OWN_WITH_IDS = "repo:acme@11/layers@22:environment:publish"

NAMED = GitHubRepository(owner="acme", name="layers")
KNOWN = GitHubRepository(owner="acme", name="layers", owner_id="11", repository_id="22")
JOB = Job(repository=NAMED, environment="publish")
KNOWN_JOB = Job(repository=KNOWN, environment="publish")

GOOD = {"StringEquals": {AUD: AUDIENCE, SUB: OWN}}


def statement(condition: Mapping[str, Any] | None = None, **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    """A correct statement with changes; None removes an element."""
    elements = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": PROVIDER},
        "Condition": GOOD if condition is None else condition,
        **changed,
    }
    return {name: value for name, value in elements.items() if value is not None}


def found(*given: dict[str, Any], job: Job = JOB) -> tuple[TrustFinding, ...]:
    return trust_findings(statements({"Statement": list(given)}), job, ACCOUNT)


def problems(*given: dict[str, Any], job: Job = JOB) -> str:
    """Return all problems as one text; each must have a place and a remedy."""
    wrong = [each for each in found(*given, job=job) if each.state == "problem"]
    assert all(each.place and each.remedy for each in wrong)
    return "\n".join(f"{each.place}: {each.found}" for each in wrong)


def test_a_good_policy_has_no_problems() -> None:
    assert problems(statement()) == ""
    assert is_right(found(statement()))
    assert f"{OWN} is accepted" in [each.found for each in found(statement())]


def test_the_shipped_role_accepts_only_its_own_job() -> None:
    policy = trust("publisher", **IDS)
    assert is_right(trust_findings(policy, KNOWN_JOB, ACCOUNT))
    other = Job(repository=GitHubRepository(owner="acme", name="other"), environment="publish")
    assert not is_right(trust_findings(policy, other, ACCOUNT))


def test_missing_ids_are_noted() -> None:
    (note,) = [each for each in found(statement()) if each.state == "note"]
    assert "are not given" in note.found
    assert "--owner-id" in note.remedy


def test_one_accepted_form_is_enough_and_the_other_is_noted() -> None:
    states = [(each.place, each.state) for each in found(statement(), job=KNOWN_JOB)]
    assert states[:2] == [("subject with names", "ok"), ("subject with ids", "note")]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ({}, f"there is no condition on {SUB}"),
        ({}, f"there is no condition on {AUD}"),
        ({"StringEquals": {AUD: AUDIENCE}}, f"there is no condition on {SUB}"),
        ({"StringEquals": {SUB: OWN}}, f"there is no condition on {AUD}"),
        (
            {"StringEquals": {AUD: AUDIENCE}, "StringLike": {SUB: "repo:acme/*"}},
            f"StringLike {SUB} repo:acme/* is no exact condition",
        ),
        (
            {"StringEquals": {AUD: AUDIENCE}, "StringLike": {SUB: [OWN, "repo:acme/layers:*"]}},
            "is no exact condition",
        ),
        (
            {"StringEquals": {SUB: OWN}, "StringLike": {AUD: "*"}},
            f"StringLike {AUD} * is no exact condition",
        ),
        (
            {"StringEquals": {AUD: AUDIENCE}, "StringEqualsIfExists": {SUB: OWN}},
            f"StringEqualsIfExists {SUB}",
        ),
        ({"ForAllValues:StringEquals": {AUD: AUDIENCE, SUB: OWN}}, "ForAllValues:StringEquals"),
        (
            {"StringEquals": {AUD: AUDIENCE}, "StringEqualsIgnoreCase": {SUB: OWN}},
            f"StringEqualsIgnoreCase {SUB}",
        ),
        (
            {"StringEquals": {AUD: AUDIENCE}, "StringNotEquals": {SUB: "repo:evil/x"}},
            f"StringNotEquals {SUB}",
        ),
        ({"StringEquals": {AUD: [AUDIENCE, "example.com"], SUB: OWN}}, "tokens for example.com"),
        (
            {"StringEquals": {AUD: AUDIENCE, SUB: [OWN, "repo:acme/layers:pull_request"]}},
            "repo:acme/layers:pull_request is accepted, too",
        ),
        (
            {"StringEquals": {AUD: AUDIENCE, SUB: "repo:other/layers:environment:publish"}},
            f"{OWN} is not accepted",
        ),
        (
            {"StringEquals": {AUD: AUDIENCE, SUB: "repo:acme/layers:environment:Publish"}},
            f"{OWN} is not accepted",
        ),
    ],
)
def test_a_condition_that_is_too_wide_or_too_narrow_is_a_problem(
    condition: Mapping[str, Any], problem: str
) -> None:
    assert problem in problems(statement(condition))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"Principal": "*"}, "the principal is *"),
        ({"Principal": {"AWS": "*"}}, "the principal is *"),
        ({"Principal": {"AWS": "arn:aws:iam::210987654321:root"}}, "is not GitHub's provider"),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, "is not GitHub's provider"),
        ({"Principal": {"Federated": "accounts.google.com"}}, "is not GitHub's provider"),
        ({"Principal": {"Federated": f"{PROVIDER}/enterprise"}}, "is not GitHub's provider"),
        (
            {"Principal": {"Federated": [PROVIDER, "cognito-identity.amazonaws.com"]}},
            "Federated cognito-identity.amazonaws.com is not GitHub's provider",
        ),
        (
            {"Principal": {"Federated": PROVIDER.replace(ACCOUNT, "210987654321")}},
            "the provider is of account 210987654321",
        ),
        ({"Action": "sts:*"}, "the action sts:* is a wildcard"),
        ({"Action": "*"}, "the action * is a wildcard"),
        ({"Action": "STS:Assume*"}, "the action STS:Assume* is a wildcard"),
        ({"Action": "s*"}, "the action s* is a wildcard"),
        (
            {"Action": "sts:AssumeRole", "Principal": {"AWS": "210987654321"}},
            "AWS 210987654321 is not GitHub's provider",
        ),
        ({"NotAction": "sts:TagSession", "Action": None}, "NotAction is not supported"),
        ({"NotPrincipal": {"AWS": "x"}, "Principal": None}, "NotPrincipal is not supported"),
        ({"Effect": "allow"}, "the effect allow is not supported"),
        ({"Condition": ["x"]}, "its conditions are not supported"),
        ({"Condition": {"StringEquals": OWN}}, "its conditions are not supported"),
    ],
)
def test_another_statement_is_a_problem(changed: dict[str, Any], problem: str) -> None:
    assert problem in problems(statement(), statement(**changed))


@pytest.mark.parametrize(
    "more",
    [
        {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
        {"StringEquals": {f"{HOST}:actor": "octocat"}},
        {"StringLike": {SUB: "repo:${aws:username}/*"}},
        {"Bool": {"aws:SecureTransport": "true"}},
    ],
)
def test_an_unsupported_condition_leaves_the_decision_open(more: dict[str, Any]) -> None:
    both = {**GOOD, **more}
    if "StringEquals" in more:
        both = {"StringEquals": {**GOOD["StringEquals"], **more["StringEquals"]}}
    text = problems(statement(both))
    assert f"no decision on {OWN}" in text
    assert next(iter(more)) in text
    (entry,) = subject_decisions(statements({"Statement": statement(both)}), JOB)
    assert entry.let_in is None


def test_deny_takes_precedence() -> None:
    denied = statement({"StringEquals": {SUB: OWN}}, Effect="Deny")
    assert f"{OWN} is not accepted" in problems(statement(), denied)


@pytest.mark.parametrize(
    "condition", [{"StringLike": {SUB: "repo:acme/*"}}, {"Bool": {"aws:x": "true"}}]
)
def test_a_deny_statement_that_is_not_exact_is_a_problem(condition: dict[str, Any]) -> None:
    text = problems(statement(), statement(condition, Effect="Deny"))
    assert f"no decision on {OWN}" in text
    assert next(iter(condition)) in text


def test_a_deny_statement_for_other_subjects_is_no_problem() -> None:
    denied = statement({"StringEquals": {SUB: "repo:evil/layers:pull_request"}}, Effect="Deny")
    assert problems(statement(), denied) == ""


def test_an_empty_policy_accepts_nothing() -> None:
    assert f"{OWN} is not accepted" in problems()
    assert accepts(statements({}), OWN) is False


def test_a_statement_for_session_tags_is_no_problem() -> None:
    tags = statement({}, Action="sts:TagSession")
    assert problems(statement(), tags) == ""


def test_the_case_of_keys_is_ignored() -> None:
    upper = {"StringEquals": {AUD.upper(): AUDIENCE, SUB.title(): OWN}}
    assert problems(statement(upper)) == ""


def test_a_pattern_without_wildcards_is_exact() -> None:
    assert problems(statement({"StringLike": {AUD: AUDIENCE, SUB: OWN}})) == ""


def test_conditions_on_one_key_narrow_each_other() -> None:
    both = {
        "StringEquals": {AUD: AUDIENCE, SUB: [OWN, "repo:acme/layers:pull_request"]},
        "StringLike": {SUB: OWN},
    }
    assert problems(statement(both)) == ""


@pytest.mark.parametrize("more", [{SUB: "repo:acme/*"}, {SUB: "repo:acme/layers:?ull_request"}])
def test_a_wildcard_beside_an_exact_condition_is_a_problem(more: dict[str, str]) -> None:
    (pattern,) = more.values()
    assert pattern in problems(statement({**GOOD, "StringLike": more}))


def test_a_subject_with_ids_is_a_problem_until_the_ids_are_given() -> None:
    both = statement({"StringEquals": {AUD: AUDIENCE, SUB: [OWN, OWN_WITH_IDS]}})
    assert f"{OWN_WITH_IDS} is accepted, but its ids are not known" in problems(both)
    assert problems(both, job=KNOWN_JOB) == ""
    wrong = Job(
        repository=GitHubRepository(owner="acme", name="layers", owner_id="11", repository_id="23"),
        environment="publish",
    )
    assert f"{OWN_WITH_IDS} is accepted, too" in problems(both, job=wrong)


def test_only_providers_of_the_account_are_checked() -> None:
    other = PROVIDER.replace(ACCOUNT, "210987654321")
    named = {"Federated": [PROVIDER, other, "accounts.google.com", PROVIDER]}
    policy = statements({"Statement": statement(Principal=named)})
    assert providers(policy, ACCOUNT) == (PROVIDER,)


@pytest.mark.parametrize(
    ("audiences", "state", "found"),
    [
        ((AUDIENCE, "x"), "ok", f"accepts tokens for {AUDIENCE}"),
        (("x",), "problem", f"accepts no tokens for {AUDIENCE}"),
        ((), "problem", "accepts no tokens"),
        (None, "problem", "there is no provider"),
    ],
)
def test_a_provider_must_exist_and_accept_the_audience(
    audiences: tuple[str, ...] | None, state: str, found: str
) -> None:
    finding = provider_finding(PROVIDER, audiences)
    assert finding.state == state
    assert found in finding.found


def test_a_table_is_a_problem_for_each_fault() -> None:
    faults = [
        TableFault(message="no key", hint="make it again"),
        TableFault(message="no index", hint="add"),
    ]
    assert [each.state for each in table_findings("rows", faults)] == ["problem", "problem"]
    assert [each.state for each in table_findings("rows", [])] == ["ok"]


def test_a_pattern_in_string_equals_lets_nobody_in() -> None:
    pattern = "repo:acme/layers:*"
    alone = found(statement({"StringEquals": {AUD: AUDIENCE, SUB: pattern}}))
    assert not is_right(alone)
    assert not [each.found for each in alone if each.found.endswith("is accepted, too")]
    (dead,) = [each for each in alone if "literally" in each.found]
    assert pattern in dead.found
    beside = found(statement({"StringEquals": {AUD: AUDIENCE, SUB: [OWN, pattern]}}))
    assert is_right(beside)
    assert [each.place for each in beside if "literally" in each.found] == ["statement 1"]


@pytest.mark.parametrize("odd", [f"{OWN} ", f" {OWN}", f"{OWN}\n", f"{OWN}\u00a0"])
def test_a_blank_in_a_subject_is_visible(odd: str) -> None:
    text = problems(statement({"StringEquals": {AUD: AUDIENCE, SUB: odd}}))
    assert f"{odd!a} lets no job in" in text
    assert f"{OWN} is not accepted" in text


def test_a_letter_that_only_looks_right_is_visible() -> None:
    odd = OWN.replace("a", "\u0430", 1)
    text = problems(statement({"StringEquals": {AUD: AUDIENCE, SUB: [OWN, odd]}}))
    assert "\\u0430cme" in text


WORKFLOW = "acme/ocelot/.github/workflows/release-layers.yml@refs/tags/v1"
OTHER = WORKFLOW.replace("v1", "v2")
CALLED = replace(JOB, workflow=WORKFLOW)


def for_workflows(*names: str) -> dict[str, Any]:
    return statement(
        {"StringEquals": {**GOOD["StringEquals"], f"{HOST}:job_workflow_ref": list(names)}}
    )


def test_a_job_of_the_named_workflow_is_accepted() -> None:
    findings = found(for_workflows(WORKFLOW), job=CALLED)
    assert is_right(findings)
    assert WORKFLOW not in str([each for each in findings if each.state == "note"])


def test_a_job_of_another_workflow_is_not_accepted() -> None:
    assert f"{OWN} is not accepted" in problems(for_workflows(OTHER), job=CALLED)


def test_a_policy_about_workflows_needs_the_jobs() -> None:
    wrong = [each for each in found(for_workflows(WORKFLOW)) if each.state == "problem"]
    assert [WORKFLOW in each.found for each in wrong] == [True]
    assert "--workflow" in wrong[0].remedy


def test_further_workflows_are_noted() -> None:
    findings = found(for_workflows(WORKFLOW, OTHER), job=CALLED)
    assert is_right(findings)
    assert [each.found for each in findings if OTHER in each.found]


def test_a_policy_about_no_workflow_is_noted_where_one_was_named() -> None:
    findings = found(statement(), job=CALLED)
    assert is_right(findings)
    assert [each.remedy for each in findings if WORKFLOW in each.remedy]


def test_a_pattern_of_workflows_is_a_problem() -> None:
    like = {f"{HOST}:job_workflow_ref": "acme/ocelot/.github/workflows/release-layers.yml@*"}
    assert "is no exact condition" in problems(statement({**GOOD, "StringLike": like}), job=CALLED)


CUSTOMISED = ("repository_owner_id", "repository_id", "context")
BY_IDS = "repository_owner_id:11:repository_id:22:environment:publish"


def test_the_subject_of_a_customised_template_is_checked() -> None:
    job = replace(KNOWN_JOB, claims=CUSTOMISED)
    good = found(statement({"StringEquals": {AUD: AUDIENCE, SUB: BY_IDS}}), job=job)
    assert is_right(good)
    text = problems(statement(), job=job)
    assert f"{BY_IDS} is not accepted" in text
    assert f"{OWN} is accepted, too" in text


@pytest.mark.parametrize(
    ("job", "claims"),
    [(JOB, CUSTOMISED), (KNOWN_JOB, ("repo", "context", "job_workflow_ref")), (JOB, ("actor",))],
)
def test_a_template_with_unknown_values_is_a_problem(job: Job, claims: tuple[str, ...]) -> None:
    every = statement({"StringEquals": {AUD: AUDIENCE, SUB: [OWN, BY_IDS]}})
    wrong = problems(every, job=replace(job, claims=claims))
    assert "template" in wrong
    assert claims[-1] in wrong
