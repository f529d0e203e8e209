"""Pull requests on the stand-in of GitHub, bound to a bare repository, and GitHub's rules on them.

https://docs.github.com/en/rest/pulls/pulls
https://docs.github.com/en/rest/pulls/review-requests
https://docs.github.com/en/rest/issues/labels
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LONGEST_BODY = 65_536


class RefusedError(Exception):
    """A request that GitHub refuses."""

    def __init__(self, status: int, message: str, *errors: dict[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, **({"errors": list(errors)} if errors else {})}


@dataclass
class PullRequest:
    """A pull request; `fork` is the name of the repository of its branch, if it is another one."""

    number: int
    title: str
    body: str
    head: str
    base: str
    author: str
    state: str = "open"
    fork: str = ""
    merged: bool = False
    labels: list[str] = field(default_factory=list[str])
    reviewers: list[str] = field(default_factory=list[str])
    teams: list[str] = field(default_factory=list[str])
    reviews: list[str] = field(default_factory=list[str])


@dataclass
class PullRequests:
    """The pull requests of a repository.

    Attributes:
        git: the bare repository, with the branches.
        name: owner/name.
        user: who sends the requests, and so is the author.
        collaborators: who may review, besides the user.
    """

    git: Path | None = None
    name: str = "acme/gitops"
    user: str = "release-bot"
    collaborators: tuple[str, ...] = ("alice", "bob")
    teams: tuple[str, ...] = ("platform",)
    items: list[PullRequest] = field(default_factory=list[PullRequest])

    @property
    def open(self) -> list[PullRequest]:
        return [each for each in self.items if each.state == "open"]

    def sha(self, branch: str) -> str:
        """The commit of a branch; empty if there is no such branch."""
        command = ["git", "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"]
        done = subprocess.run(command, cwd=self.git, stdout=subprocess.PIPE, check=False)
        return done.stdout.decode().strip()

    def json(self, each: PullRequest) -> dict[str, Any]:
        return {
            "number": each.number,
            "title": each.title,
            "body": each.body or None,
            "state": each.state,
            "merged_at": "2026-01-01T00:00:00Z" if each.merged else None,
            "html_url": f"https://github.example/{self.name}/pull/{each.number}",
            "user": {"login": each.author},
            "head": {
                "ref": each.head,
                "sha": self.sha(each.head),
                "repo": {"full_name": each.fork or self.name},
            },
            "base": {"ref": each.base},
            "labels": [{"name": name} for name in each.labels],
            "requested_reviewers": [{"login": name} for name in each.reviewers],
            "requested_teams": [{"slug": name} for name in each.teams],
        }

    def get(self, number: str) -> PullRequest:
        found = [each for each in self.items if each.number == int(number)]
        if not found:
            raise RefusedError(404, "Not Found")
        return found[0]

    def list(self, query: Mapping[str, str]) -> list[PullRequest]:
        """Newest first, filtered by state, base and head, which must name its owner."""
        state, base = query.get("state", "open"), query.get("base")
        owner, _, head = query.get("head", "").partition(":")
        return [
            each
            for each in reversed(self.items)
            if state in ("all", each.state)
            and base in (None, each.base)
            and (not head or (each.head, (each.fork or self.name).split("/")[0]) == (head, owner))
        ]

    def create(self, wanted: Mapping[str, Any]) -> PullRequest:
        head, base = wanted["head"], wanted["base"]
        for name, branch in (("head", head), ("base", base)):
            if not self.sha(branch):
                raise _invalid(field=name, code="invalid")
        if any((each.head, each.base) == (head, base) for each in self.open if not each.fork):
            owner = self.name.partition("/")[0]
            raise _invalid(
                code="custom", message=f"A pull request already exists for {owner}:{head}."
            )
        if self.sha(head) == self.sha(base):
            raise _invalid(code="custom", message=f"No commits between {base} and {head}")
        made = PullRequest(len(self.items) + 1, "", "", head, base, self.user)
        self.set(made, wanted)
        self.items.append(made)
        return made

    def set(self, each: PullRequest, wanted: Mapping[str, Any]) -> None:
        if len(wanted.get("body") or "") > LONGEST_BODY:
            message = f"body is too long (maximum is {LONGEST_BODY} characters)"
            raise _invalid(code="custom", field="body", message=message)
        each.title = wanted.get("title", each.title)
        each.body = wanted.get("body", each.body)
        each.state = wanted.get("state", each.state)

    def request_reviews(self, each: PullRequest, wanted: Mapping[str, Any]) -> None:
        reviewers, teams = wanted.get("reviewers", []), wanted.get("team_reviewers", [])
        if each.author in reviewers:
            raise RefusedError(422, "Review cannot be requested from pull request author.")
        if {*reviewers} - {*self.collaborators} or {*teams} - {*self.teams}:
            raise RefusedError(
                422,
                "Reviews may only be requested from collaborators. One or more of the users or "
                f"teams you specified is not a collaborator of the {self.name} repository.",
            )
        each.reviewers += [name for name in reviewers if name not in each.reviewers]
        each.teams += [name for name in teams if name not in each.teams]


def _invalid(**error: str) -> RefusedError:
    return RefusedError(422, "Validation Failed", {"resource": "PullRequest", **error})


Body = Mapping[str, Any]


def _list(pulls: PullRequests, query: Body) -> Any:  # noqa: ANN401
    return [pulls.json(each) for each in pulls.list(query)]


def _get(pulls: PullRequests, _query: Body, number: str) -> Any:  # noqa: ANN401
    return pulls.json(pulls.get(number))


def _create(pulls: PullRequests, _query: Body, body: Body) -> Any:  # noqa: ANN401
    return pulls.json(pulls.create(body))


def _change(pulls: PullRequests, _query: Body, number: str, body: Body) -> Any:  # noqa: ANN401
    each = pulls.get(number)
    pulls.set(each, body)
    return pulls.json(each)


def _reviews(pulls: PullRequests, _query: Body, number: str) -> Any:  # noqa: ANN401
    return [{"user": {"login": name}, "state": "APPROVED"} for name in pulls.get(number).reviews]


def _request(pulls: PullRequests, _query: Body, number: str, body: Body) -> Any:  # noqa: ANN401
    each = pulls.get(number)
    pulls.request_reviews(each, body)
    return pulls.json(each)


def _label(pulls: PullRequests, _query: Body, number: str, body: Body) -> Any:  # noqa: ANN401
    each = pulls.get(number)
    each.labels += [name for name in body["labels"] if name not in each.labels]
    return [{"name": name} for name in each.labels]


PULL_ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", "/pulls", _list),
    ("GET", "/pulls/([0-9]+)", _get),
    ("GET", "/pulls/([0-9]+)/reviews", _reviews),
    ("POST", "/pulls", _create),
    ("PATCH", "/pulls/([0-9]+)", _change),
    ("POST", "/pulls/([0-9]+)/requested_reviewers", _request),
    ("POST", "/issues/([0-9]+)/labels", _label),
]
