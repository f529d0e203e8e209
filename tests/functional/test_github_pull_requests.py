"""Pull requests on the stand-in of GitHub, for each of its faults."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from github_pulls import LONGEST_BODY, PullRequests
from github_server import NO_PULLS, READER, TOKEN, Fault, GitHubServer
from gitserver import commit, git, new_repository

from pipeline.errors import GitHubError
from pipeline.github import pull_requests
from pipeline.github.api import repository_api
from pipeline.github.pull_requests import (
    PullRequest,
    WantedPullRequest,
    close_pull_request,
    complete_pull_request,
    open_pull_requests,
    pull_requests_of,
)

BRANCH = "release/catalog-20260101-000000"
WANTED = WantedPullRequest(
    title="Release catalog (01234567)",
    body="<!-- mine -->\n\n`$(id)`",
    head=BRANCH,
    base="main",
    labels=("release", "gitops"),
    reviewers=("alice", "acme/platform"),
)


@pytest.fixture
def github(tmp_path: Path) -> Generator[GitHubServer]:
    repository = new_repository(tmp_path / "gitops.git")
    first = commit(repository, {"a.yaml": b"1\n"})
    commit(repository, {"a.yaml": b"2\n"}, branch=BRANCH, start=first)
    with GitHubServer() as server:
        server.repository.pulls.git = repository
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses take no time."""
    sleep = anyio.sleep

    async def short(seconds: float) -> None:
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(anyio, "sleep", short)


def pulls(github: GitHubServer) -> PullRequests:
    return github.repository.pulls


def complete(
    github: GitHubServer,
    wanted: WantedPullRequest = WANTED,
    number: int | None = None,
    token: str = TOKEN,
) -> tuple[PullRequest, tuple[str, ...]]:
    async def run() -> tuple[PullRequest, tuple[str, ...]]:
        async with repository_api(github.url, github.repository.name, token) as api:
            return await complete_pull_request(api, wanted, number)

    return anyio.run(run)


def listed(github: GitHubServer) -> list[int]:
    async def run() -> list[int]:
        async with repository_api(github.url, github.repository.name, TOKEN) as api:
            return [each.number for each in await open_pull_requests(api, "main")]

    return anyio.run(run)


def test_a_pull_request_is_opened_with_labels_and_reviewers(github: GitHubServer) -> None:
    made, warnings = complete(github)
    (found,) = pulls(github).items
    assert (found.title, found.body, found.head, found.base) == (
        WANTED.title,
        WANTED.body,
        BRANCH,
        "main",
    )
    assert (found.labels, found.reviewers, found.teams) == (
        ["release", "gitops"],
        ["alice"],
        ["platform"],
    )
    assert (made.number, made.url, warnings) == (1, f"{github.page}/pull/1", ())


def test_a_second_run_changes_nothing(github: GitHubServer) -> None:
    complete(github)
    before = len(github.writes())
    made, _ = complete(github)
    assert (made.number, github.writes()[before:]) == (1, [])


def test_title_and_body_are_brought_up_to_date(github: GitHubServer) -> None:
    complete(github)
    complete(github, replace(WANTED, title="Release catalog (89abcdef)", body="new"), 1)
    (found,) = pulls(github).items
    assert (found.title, found.body) == ("Release catalog (89abcdef)", "new")


def test_who_has_reviewed_is_not_requested_again(github: GitHubServer) -> None:
    complete(github)
    found = pulls(github).get("1")
    found.reviewers.remove("alice")
    found.reviews.append("alice")
    complete(github)
    assert found.reviewers == []


def test_a_refused_reviewer_is_a_warning(github: GitHubServer) -> None:
    """The token's user, who is the author, and somebody who is no collaborator."""
    made, warnings = complete(github, replace(WANTED, reviewers=("release-bot", "mallory", "bob")))
    assert len(warnings) == 2
    assert made.reviewers == {"bob"}


@pytest.mark.parametrize("kind", ["lost", "late-error"])
def test_a_lost_answer_is_looked_up(github: GitHubServer, kind: str) -> None:
    github.faults(Fault("POST", "/pulls$", kind))  # pyright: ignore[reportArgumentType]
    complete(github)
    assert len(pulls(github).items) == 1
    assert github.writes().count("POST pulls") == 1


def test_a_lost_answer_with_a_list_that_is_late_makes_no_second_one(github: GitHubServer) -> None:
    github.faults(Fault("POST", "/pulls$", "lost"), Fault("GET", "/pulls$", "stale", times=2))
    complete(github)
    assert len(pulls(github).items) == 1
    assert github.writes().count("POST pulls") == 2


@pytest.mark.parametrize("path", ["/labels$", "/requested_reviewers$", "/pulls$", "/pulls/1$"])
@pytest.mark.parametrize("kind", ["unavailable", "reset", "lost", "limited", "slow-down"])
def test_each_request_survives_a_fault(github: GitHubServer, path: str, kind: str) -> None:
    pulls(github).create({"title": "old", "body": "old", "head": BRANCH, "base": "main"})
    github.faults(Fault("", path, kind, seconds=1))  # pyright: ignore[reportArgumentType]
    made, warnings = complete(github)
    (found,) = pulls(github).items
    assert (made.title, found.body, warnings) == (WANTED.title, WANTED.body, ())
    assert (found.labels, found.reviewers) == (["release", "gitops"], ["alice"])


def test_a_server_that_stays_away_is_an_error(github: GitHubServer) -> None:
    github.faults(Fault("POST", "/pulls$", "unavailable", times=99))
    with pytest.raises(GitHubError):
        complete(github)
    assert github.writes().count("POST pulls") == pull_requests.ATTEMPTS


@pytest.mark.parametrize(("token", "named"), [(NO_PULLS, "pull-requests: write"), (READER, "pull")])
def test_a_token_that_may_not_open_one_is_told(
    github: GitHubServer, token: str, named: str
) -> None:
    with pytest.raises(GitHubError) as caught:
        complete(github, token=token)
    assert named in caught.value.hint
    assert github.writes() == ["POST pulls"]


@pytest.mark.parametrize(
    "wrong",
    [{"head": "not-there"}, {"base": "not-there"}, {"body": "x" * (LONGEST_BODY + 1)}],
)
def test_a_refusal_is_an_error_at_once(github: GitHubServer, wrong: dict[str, str]) -> None:
    with pytest.raises(GitHubError):
        complete(github, replace(WANTED, **wrong))
    assert github.writes() == ["POST pulls"]


def test_only_open_ones_from_this_repository_into_the_base_are_listed(
    github: GitHubServer,
) -> None:
    repository = pulls(github).git
    assert repository is not None
    for at in range(120):
        git(repository, "branch", f"b{at}", BRANCH)
        pulls(github).create({"title": "t", "body": None, "head": f"b{at}", "base": "main"})
    pulls(github).get("3").state = "closed"
    pulls(github).get("4").fork = "mallory/gitops"
    pulls(github).get("5").base = "develop"
    found = listed(github)
    assert sorted(found) == [number for number in range(1, 121) if number not in (3, 4, 5)]


def test_a_closed_one_of_the_branch_is_found_and_a_new_one_opened(github: GitHubServer) -> None:
    complete(github)

    async def run() -> list[tuple[int, bool]]:
        async with repository_api(github.url, github.repository.name, TOKEN) as api:
            await close_pull_request(api, 1)
            return [(each.number, each.is_open) for each in await pull_requests_of(api, BRANCH)]

    assert anyio.run(run) == [(1, False)]
    assert complete(github)[0].number == 2
