"""A change of the GitOps repository, delivered as a branch and a pull request.

1. The newest base is cloned, and the branch looked for on which the same delivery is open.
2. The caller proposes changes of the files that are there; see `branches` for commits of others.
3. Without a change nothing is pushed. An older commit of a source does not replace a newer one.
4. The changes are committed, and pushed if the branch is still where it was seen. If another push
   came first, it begins again at 1, with the newest base.
5. The pull request is opened, or updated.

A run that was killed leaves nothing, a branch, or an incomplete pull request. The next run finds
them, and completes them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlsplit

from pipeline import progress
from pipeline.build.git import GITOPS_VARIABLE
from pipeline.config.gitops import CommitIdentity
from pipeline.errors import RUN_AGAIN, GitOpsError, UsageError, quoted
from pipeline.github.api import RepositoryApi, repository_api
from pipeline.github.pull_requests import (
    PullRequest,
    WantedPullRequest,
    close_pull_request,
    complete_pull_request,
    open_pull_requests,
)
from pipeline.gitops.branches import DeliveryStart, OpenBranch, open_branch, start
from pipeline.gitops.git import LANE, Clone, Pushed, cloned
from pipeline.gitops.objects import NewCommit
from pipeline.gitops.repository import GitOpsRepository, read_repository
from pipeline.gitops.texts import (
    DeliveryTexts,
    Marker,
    ReleasedCommit,
    body_marker,
    branch_name,
    compare_url,
)

if TYPE_CHECKING:
    from pipeline.gitops.manifests import Change
    from pipeline.gitops.remote import Remote

# Times that other pushes may come first before a run gives up.
ATTEMPTS = 5

Result = TypeVar("Result")


class Outcome(StrEnum):
    """The end of a delivery."""

    UNCHANGED = "unchanged"  # the base has all of it, or the open branch
    PLANNED = "planned"  # a dry run
    PUSHED = "pushed"  # a branch, without a pull request
    OPENED = "opened"  # a pull request
    UPDATED = "updated"  # the open one


@dataclass(frozen=True, kw_only=True)
class DeliveryTarget:
    """The repository to deliver to, and how.

    Attributes:
        remote: the GitOps repository.
        branch: base of the pull request.
        identity: of the commits.
        labels: of the pull request.
        reviewers: of the pull request.
        api_url: of GitHub's API.
        pull_request: False to push the branch alone.
        dry_run: push nothing.
        replace_newer: an older commit may replace a newer one that is open.
    """

    remote: Remote
    branch: str
    identity: CommitIdentity
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    api_url: str
    pull_request: bool = True
    dry_run: bool = False
    replace_newer: bool = False


@dataclass(frozen=True, kw_only=True)
class Proposal(Generic[Result]):
    """Changes of the repository's files.

    Attributes:
        changes: by path; empty if the files are as wanted.
        texts: of commit and pull request.
        source: commit that is released; None where nothing of a source is.
        result: for the caller.
        warnings: for the user.
    """

    changes: tuple[Change, ...]
    texts: DeliveryTexts
    result: Result
    source: ReleasedCommit | None = None
    warnings: tuple[str, ...] = ()


Propose = Callable[[GitOpsRepository], Awaitable[Proposal[Result]]]
Key = str | Callable[[GitOpsRepository], str]


@dataclass(frozen=True, kw_only=True)
class Delivered(Generic[Result]):
    """A delivery and what was done for it.

    Attributes:
        outcome: see `Outcome`.
        proposal: of the last attempt.
        base: SHA of the base's newest commit.
        branch: name of the pushed or open branch; empty for none.
        commit: SHA of its newest commit; empty for none.
        pull_request: as GitHub shows it; None without one.
        compare: address at which the host compares the branch; empty if it is not known.
        kept: number of commits of others that stay on the branch.
        notes: for the user.
    """

    outcome: Outcome
    proposal: Proposal[Result]
    base: str
    branch: str = ""
    commit: str = ""
    pull_request: PullRequest | None = None
    compare: str = ""
    kept: int = 0
    notes: tuple[str, ...] = field(default=())


async def deliver(
    target: DeliveryTarget, key: Key, prefix: str, propose: Propose[Result]
) -> Delivered[Result]:
    """Deliver a change, and return what was done.

    Args:
        target: where to.
        key: of the delivery, such as `release demo/shop/catalog development`, or a function that
            returns it; there is one open pull request of each.
        prefix: of its branches' names, such as `release/catalog-`.
        propose: returns the changes; it is called again if the base has moved.

    Raises:
        GitOpsError: the repository cannot be read or pushed, or a newer commit is open.
        GitHubError: GitHub refuses, or does not answer.
        UsageError: pull requests are not possible there.
    """
    async with _api(target) as api, cloned(target.remote, target.branch) as clone:
        work = _Delivery(target=target, key=key, prefix=prefix, clone=clone, api=api)
        for attempt in range(1, ATTEMPTS + 1):
            if attempt > 1:
                progress.note("another run has pushed meanwhile; beginning again")
                await clone.look()
            if result := await work.attempt(propose):
                return result
    raise GitOpsError(f"other pushes came first {ATTEMPTS} times", hint=RUN_AGAIN)


@dataclass(frozen=True, kw_only=True)
class _Delivery:
    """One delivery with the clone and the API that it uses."""

    target: DeliveryTarget
    key: Key
    prefix: str
    clone: Clone
    api: RepositoryApi | None

    async def attempt(self, propose: Propose[Result]) -> Delivered[Result] | None:
        """Deliver to the base as it is; return None if another push came first."""
        base = await self.clone.snapshot(self.clone.base)
        repository = read_repository(base.files, base.links)
        key = self.key if isinstance(self.key, str) else self.key(repository)
        found = await open_branch(self.clone, self.api, key, self.prefix)
        begun = await start(self.clone, found, base, self._identity)
        if begun.snapshot is not base:
            repository = read_repository(begun.snapshot.files, begun.snapshot.links)
        proposal = await propose(repository)
        marker = Marker(key=key, source=proposal.source)
        result = Delivered(
            outcome=Outcome.UNCHANGED,
            proposal=proposal,
            base=self.clone.base,
            kept=len(begun.kept),
            notes=(*proposal.warnings, *(found.notes if found else ())),
        )
        if not proposal.changes:
            return await self._unchanged(result, found)
        if found and not self.target.replace_newer:
            check_not_older(proposal.source, found)
        now = datetime.now(UTC)
        name = found.name if found else branch_name(self.prefix, now, self.clone.heads)
        result = replace(result, branch=name, compare=self._compare(name))
        if self.target.dry_run:
            open_one = found.pull_request if found else None
            return replace(result, outcome=Outcome.PLANNED, pull_request=open_one)
        return await self._push(result, found, begun, marker)

    @property
    def _identity(self) -> str:
        return f"{self.target.identity.name} <{self.target.identity.email}>"

    def _compare(self, branch: str) -> str:
        return compare_url(self.target.remote, self.target.branch, branch)

    async def _unchanged(
        self, result: Delivered[Result], found: OpenBranch | None
    ) -> Delivered[Result]:
        """Return the result for files that are as wanted, with the open branch if there is one."""
        if not found:
            return result
        if result.kept:  # the branch has it already, below commits of others
            return replace(
                result,
                branch=found.name,
                commit=found.tip.sha,
                pull_request=found.pull_request,
                compare=self._compare(found.name),
            )
        note = f"the branch {found.name} is open with other changes: close it if it is not wanted"
        return replace(result, notes=(*result.notes, note))

    async def _push(
        self,
        result: Delivered[Result],
        found: OpenBranch | None,
        begun: DeliveryStart,
        marker: Marker,
    ) -> Delivered[Result] | None:
        """Commit and push, unless the branch is as wanted; then complete the pull request."""
        proposal = result.proposal
        message = proposal.texts.message(marker, self.clone.base)
        commit = await self.clone.commit(
            NewCommit(
                start=begun.snapshot,
                changes={each.path: each.after for each in proposal.changes},
                message=message,
                parents=begun.parents,
                identity=self.target.identity,
                time=int(time.time()),
            )
        )
        made, tip = await self.clone.read_commit(commit), found.tip if found else None
        same = tip and (made.tree, made.parents, made.message) == (
            tip.tree,
            tip.parents,
            tip.message,
        )
        if tip and same:
            result = replace(result, commit=tip.sha)
        else:
            with progress.step(LANE, f"push {result.branch}") as step:
                expected = tip.sha if tip else None
                pushed = await self.clone.push(commit, result.branch, expected)
                step.result = commit[:12]
            if pushed is Pushed.FORESTALLED:
                return None
            result = replace(result, commit=commit, outcome=Outcome.PUSHED)
        return await self._complete(result, found, marker)

    async def _complete(
        self, result: Delivered[Result], found: OpenBranch | None, marker: Marker
    ) -> Delivered[Result] | None:
        """Open the pull request, or update it, if there is to be one.

        Returns:
            None if another run has opened one at the same time: then this one is withdrawn.
        """
        if self.api is None:
            return result
        proposal, target = result.proposal, self.target
        texts = proposal.texts
        wanted = WantedPullRequest(
            title=texts.title or texts.subject,
            body=texts.body(marker, proposal.changes),
            head=result.branch,
            base=target.branch,
            labels=target.labels,
            reviewers=target.reviewers,
        )
        number = found.pull_request.number if found and found.pull_request else None
        made, warnings = await complete_pull_request(self.api, wanted, number)
        if number is None and await has_older(self.api, made, marker.key):
            await close_pull_request(self.api, made.number)
            await self.clone.push("", result.branch, result.commit)
            return None
        outcome = Outcome.UPDATED if number else Outcome.OPENED
        if number and result.outcome is Outcome.UNCHANGED:
            outcome = Outcome.UNCHANGED
        notes = (*result.notes, *warnings)
        return replace(result, outcome=outcome, pull_request=made, notes=notes)


async def has_older(api: RepositoryApi, made: PullRequest, key: str) -> bool:
    """Return True if an older pull request of the same delivery is open.

    Raises:
        GitHubError: GitHub refuses, or does not answer.
    """
    return any(
        each.number < made.number and (mark := body_marker(each.body)) and mark.key == key
        for each in await open_pull_requests(api, made.base)
    )


def check_not_older(source: ReleasedCommit | None, found: OpenBranch) -> None:
    """Check that a commit does not replace a newer one.

    Raises:
        GitOpsError: the branch that is open releases a newer one.
    """
    newer = found.marker.source
    if source is None or newer is None or source.time >= newer.time or source.sha == newer.sha:
        return
    where = found.pull_request.url if found.pull_request else f"the branch {found.name}"
    raise GitOpsError(
        f"{where} releases the commit {newer.sha[:8]}, which is newer than {source.sha[:8]}",
        hint="close it first, or replace what it releases by this one: --replace-newer",
    )


def github_repository(remote: Remote, api_url: str) -> str:
    """Return owner/name of a repository on the GitHub whose API this is.

    Raises:
        UsageError: it is on another host.
    """
    api = (urlsplit(api_url).hostname or "").lower()
    host = remote.host.lower().removeprefix("ssh.")
    parts = remote.path.split("/")
    if host and api in (host, f"api.{host}") and len(parts) == len(("owner", "name")):
        return remote.path
    raise UsageError(
        f"{quoted(remote.given)} is not on the GitHub of {api_url}",
        hint="push the branch alone: --no-pr; or give the API of your GitHub: --api-url "
        "https://HOST/api/v3",
    )


@asynccontextmanager
async def _api(target: DeliveryTarget) -> AsyncGenerator[RepositoryApi | None]:
    """Open GitHub's API; None without pull requests, and for a dry run without a token."""
    if not target.pull_request or (target.dry_run and not target.remote.token):
        yield None
        return
    repository = github_repository(target.remote, target.api_url)
    if not target.remote.token:
        raise UsageError(
            "a pull request needs a token",
            hint=f"set {GITOPS_VARIABLE} or GITHUB_TOKEN, or push the branch alone: --no-pr",
        )
    async with repository_api(target.api_url, repository, target.remote.token) as api:
        yield api
