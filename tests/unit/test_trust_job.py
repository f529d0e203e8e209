from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.trust.job import (
    Job,
    full_ref,
    github_repository,
    remote_repository,
    workflow_ref,
)

ACME = github_repository("acme/layers")


@pytest.mark.parametrize(
    ("job", "subject"),
    [
        (Job(repository=ACME, environment="publish"), "repo:acme/layers:environment:publish"),
        (Job(repository=ACME, ref="refs/heads/main"), "repo:acme/layers:ref:refs/heads/main"),
        (Job(repository=ACME, ref="refs/tags/v1"), "repo:acme/layers:ref:refs/tags/v1"),
        (Job(repository=ACME, ref="pull_request"), "repo:acme/layers:pull_request"),
        # with an environment there is no ref; a colon is quoted
        (
            Job(repository=ACME, environment="a:b", ref="refs/heads/main"),
            "repo:acme/layers:environment:a%3Ab",
        ),
    ],
)
def test_the_subject_of_a_job(job: Job, subject: str) -> None:
    assert job.subjects == {"names": subject}


@pytest.mark.parametrize(
    ("claims", "subject"),
    [
        (("repo", "context"), "repo:acme/layers:environment:a%3Ab"),
        (("context", "repo"), "environment:a%3Ab:repo:acme/layers"),
        (("repository_owner", "ref"), "repository_owner:acme:ref:refs/heads/main"),
        (("repository", "environment"), "repository:acme/layers:environment:a%3Ab"),
    ],
)
def test_the_subject_of_a_customised_template(claims: tuple[str, ...], subject: str) -> None:
    job = Job(repository=ACME, environment="a:b", ref="refs/heads/main", claims=claims)
    assert list(job.subjects.values()) == [subject]
    assert job.unknown_claims == ()


@pytest.mark.parametrize("claim", ["repository_id", "environment", "job_workflow_ref", "", "repo:"])
def test_a_claim_whose_value_is_not_known(claim: str) -> None:
    job = Job(repository=ACME, ref="refs/heads/main", claims=("repo", claim))
    assert (job.subjects, job.unknown_claims) == ({}, (claim,))


WORKFLOW = "acme/ocelot/.github/workflows/release-layers.yml@refs/tags/v1"


def test_the_workflow_of_a_customised_template() -> None:
    job = Job(repository=ACME, claims=("repo", "job_workflow_ref"), workflow=WORKFLOW)
    assert list(job.subjects.values()) == [f"repo:acme/layers:job_workflow_ref:{WORKFLOW}"]


@pytest.mark.parametrize("text", ["", WORKFLOW, f"{WORKFLOW.partition('@')[0]}@{'0a' * 20}"])
def test_a_workflow_with_its_ref(text: str) -> None:
    assert workflow_ref(text) == text


@pytest.mark.parametrize("text", ["release-layers.yml", WORKFLOW[:-13], f"{WORKFLOW}\n", "x@y"])
def test_another_text_is_no_workflow(text: str) -> None:
    with pytest.raises(UsageError, match="is no workflow of a job"):
        workflow_ref(text)


def test_with_ids_there_is_a_second_form() -> None:
    job = Job(repository=github_repository("acme/layers", "11", "22"), environment="publish")
    assert job.subjects == {
        "names": "repo:acme/layers:environment:publish",
        "ids": "repo:acme@11/layers@22:environment:publish",
    }


@pytest.mark.parametrize("name", ["layers", "acme/", "/layers", "a/b/c", "acme/l*", "-a/b", ""])
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no repository on GitHub"):
        github_repository(name)


@pytest.mark.parametrize("ids", [("1", ""), ("", "2"), ("x", "2"), ("1", "-2"), ("0", "1")])
def test_ids_are_two_numbers(ids: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="two numbers"):
        github_repository("acme/layers", *ids)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/acme/layers", "acme/layers"),
        ("https://github.com/acme/layers.git\n", "acme/layers"),
        ("https://me:secret@github.com/acme/layers.git", "acme/layers"),
        ("git@github.com:acme/my.layers.git", "acme/my.layers"),
        ("ssh://git@github.com/acme/layers/", "acme/layers"),
        ("https://gitlab.com/acme/layers", ""),
        ("https://example.com/github.com/acme/layers", ""),
        ("https://github.com.example.com/acme/layers", ""),
        ("/srv/git/layers.git", ""),
        ("", ""),
    ],
)
def test_a_remote_on_github_names_the_repository(url: str, name: str) -> None:
    assert remote_repository(url) == name


@pytest.mark.parametrize(
    ("ref", "full"),
    [
        ("main", "refs/heads/main"),
        ("refs/tags/v1", "refs/tags/v1"),
        ("refs/pull/7/merge", "pull_request"),
        ("pull_request", "pull_request"),
        ("", ""),
    ],
)
def test_a_ref_in_full(ref: str, full: str) -> None:
    assert full_ref(ref) == full
