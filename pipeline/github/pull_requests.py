"""Pull requests of a repository: found, opened, and brought to what is wanted.

A request whose answer was lost is looked up before it is sent again: GitHub has at most one open
pull request from one branch to another, so a second one is never made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import anyio

from pipeline import progress
from pipeline.errors import RUN_AGAIN, GitHubError
from pipeline.github.api import Json, LookAgainError, RepositoryApi

# Attempts of a request that writes, with a look before each, and pauses of 1, 2, 4 and 8 seconds.
ATTEMPTS = 5
_LANE = "github"


@dataclass(frozen=True, kw_only=True, slots=True)
class PullRequest:
    """A pull request as GitHub shows it.

    Attributes:
        head: its branch.
        base: the branch into which it is merged.
        is_own: True if its branch is in this repository, not in a fork.
        reviewers: of whom a review was requested; those of teams as owner/team.
        url: of its page.
    """

    number: int
    title: str
    body: str
    head: str
    base: str
    is_own: bool
    is_open: bool
    author: str
    labels: frozenset[str]
    reviewers: frozenset[str]
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedPullRequest:
    """A pull request as it should be.

    Attributes:
        head: its branch, which is on the server.
        base: the branch into which it is to be merged.
        labels: that it must have; others stay.
        reviewers: users, and teams as owner/team.
    """

    title: str
    body: str = field(repr=False)
    head: str
    base: str
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()


async def open_pull_requests(api: RepositoryApi, base: str) -> list[PullRequest]:
    """Return the open pull requests into a branch, from branches of this repository.

    Raises:
        GitHubError: GitHub refuses, or does not answer.
    """
    listed = await api.listed("/pulls", state="open", base=base)
    found = [_pull_request(each, api.repository) for each in listed]
    return [each for each in found if each.is_own]


async def pull_requests_of(api: RepositoryApi, head: str) -> list[PullRequest]:
    """Return all pull requests from a branch of this repository: open, merged and closed ones.

    Raises:
        GitHubError: GitHub refuses, or does not answer.
    """
    owner = api.repository.partition("/")[0]
    listed = await api.listed("/pulls", state="all", head=f"{owner}:{head}")
    found = [_pull_request(each, api.repository) for each in listed]
    return [each for each in found if each.is_own and each.head == head]


async def complete_pull_request(
    api: RepositoryApi, wanted: WantedPullRequest, number: int | None = None
) -> tuple[PullRequest, tuple[str, ...]]:
    """Open a pull request, or update the one that is there.

    Args:
        api: of the repository.
        wanted: the pull request as it should be.
        number: of the open one to update; None to open one, unless its branch has one.

    Returns:
        The pull request, and warnings on labels and reviewers that GitHub refuses.

    Raises:
        GitHubError: GitHub refuses, or does not answer.
    """
    found = await _found(api, number) if number else await _opened(api, wanted)
    text = {"title": wanted.title, "body": wanted.body}
    if (found.title, found.body) != (wanted.title, wanted.body):
        with progress.step(_LANE, f"update pull request {found.number}"):
            await _repeated(lambda: api.write("PATCH", f"/pulls/{found.number}", dict(text)))
    warnings: list[str] = []
    if missing := [each for each in wanted.labels if each not in found.labels]:
        address = f"/issues/{found.number}/labels"
        warnings += await _added(api, address, {"labels": missing}, f"labels {', '.join(missing)}")
    for each in await _missing_reviewers(api, wanted, found):
        team = each.partition("/")[2]
        body = {"team_reviewers": [team]} if team else {"reviewers": [each]}
        address = f"/pulls/{found.number}/requested_reviewers"
        warnings += await _added(api, address, body, f"reviewer {each}")
    return await _found(api, found.number), tuple(warnings)


async def close_pull_request(api: RepositoryApi, number: int) -> None:
    """Close a pull request without merging it.

    Raises:
        GitHubError: GitHub refuses, or does not answer.
    """
    await _repeated(lambda: api.write("PATCH", f"/pulls/{number}", {"state": "closed"}))


async def _found(api: RepositoryApi, number: int) -> PullRequest:
    shown = await api.found(f"/pulls/{number}")
    if shown is None:
        raise GitHubError(f"pull request {number} is not there any more", hint=RUN_AGAIN)
    return _pull_request(shown, api.repository)


async def _opened(api: RepositoryApi, wanted: WantedPullRequest) -> PullRequest:
    """Return the open pull request from a branch; open it if there is none."""
    body = {"title": wanted.title, "body": wanted.body, "head": wanted.head, "base": wanted.base}
    for attempt in range(1, ATTEMPTS + 1):
        known = [each for each in await pull_requests_of(api, wanted.head) if each.is_open]
        if found := [each for each in known if each.base == wanted.base]:
            return found[0]
        try:
            with progress.step(_LANE, f"open a pull request from {wanted.head}"):
                return _pull_request(await api.write("POST", "/pulls", body), api.repository)
        except LookAgainError as error:
            if attempt == ATTEMPTS:
                raise GitHubError(str(error), hint=RUN_AGAIN) from None
            progress.note(f"{error}; looking for the pull request")
            await anyio.sleep(2 ** (attempt - 1))
    raise AssertionError  # the last attempt has returned or raised


async def _missing_reviewers(
    api: RepositoryApi, wanted: WantedPullRequest, found: PullRequest
) -> list[str]:
    """Return who neither was requested to review nor has done so."""
    missing = [each for each in wanted.reviewers if each not in found.reviewers]
    if not missing:
        return []
    reviews = await api.listed(f"/pulls/{found.number}/reviews")
    done = {_login(each) for each in reviews}
    return [each for each in missing if each not in done]


async def _added(
    api: RepositoryApi, address: str, body: Mapping[str, Sequence[str]], name: str
) -> list[str]:
    """Add to a pull request; return a warning if GitHub refuses that."""
    try:
        await _repeated(lambda: api.write("POST", address, dict(body)))
    except GitHubError as error:
        return [f"{name} could not be set: {error}"]
    return []


async def _repeated(send: Callable[[], Awaitable[object]]) -> None:
    """Send a request that has the same effect if it is done twice, until it is answered."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await send()
        except LookAgainError as error:
            if attempt == ATTEMPTS:
                raise GitHubError(str(error), hint=RUN_AGAIN) from None
            await anyio.sleep(2 ** (attempt - 1))
        else:
            return


def _pull_request(shown: Mapping[str, Any], repository: str) -> PullRequest:
    owner = repository.partition("/")[0]
    fork = cast("Json | None", shown["head"]["repo"])  # None for a fork that was deleted
    teams = {f"{owner}/{each['slug']}" for each in shown.get("requested_teams", ())}
    return PullRequest(
        number=shown["number"],
        title=shown["title"],
        body=shown["body"] or "",
        head=shown["head"]["ref"],
        base=shown["base"]["ref"],
        is_own=fork is not None and fork["full_name"].lower() == repository.lower(),
        is_open=shown["state"] == "open",
        author=_login(shown),
        labels=frozenset(each["name"] for each in shown["labels"]),
        reviewers=frozenset({each["login"] for each in shown["requested_reviewers"]} | teams),
        url=shown["html_url"],
    )


def _login(shown: Mapping[str, Any]) -> str:
    account = cast("Json | None", shown["user"])  # None for an account that was deleted
    return account["login"] if account else ""
