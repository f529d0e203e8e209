"""The branch of a delivery that an earlier run pushed, and the files that the next one changes.

A branch is known by the trailers of ocelot's commit on it, or by the mark of its pull request. If
it has nothing but that one commit, the delivery is made anew on the newest base, and the branch is
replaced. Commits of others stay: the newest base is merged into their branch, and the delivery is
made anew on top of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.github.pull_requests import PullRequest, open_pull_requests, pull_requests_of
from pipeline.gitops.git import WHOLE
from pipeline.gitops.texts import (
    Marker,
    body_marker,
    commit_base,
    commit_marker,
    is_branch_of,
)

if TYPE_CHECKING:
    from pipeline.github.api import RepositoryApi
    from pipeline.gitops.git import Clone
    from pipeline.gitops.objects import Commit, Snapshot

# The newest branches of a component that may be left of a run that was killed.
_LEFT = 3
# Commits of a branch among which ocelot's own is looked for.
_DEPTH = 50


@dataclass(frozen=True, kw_only=True)
class OpenBranch:
    """The branch of a delivery, as it is on the server.

    Attributes:
        tip: its newest commit.
        marker: of ocelot's newest commit on it, or of its pull request.
        pull_request: the open one; None if there is none, or none was looked for.
        notes: for the user.
    """

    name: str
    tip: Commit
    marker: Marker
    pull_request: PullRequest | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeliveryStart:
    """The files to which a delivery is applied.

    Attributes:
        snapshot: of the base, or of a branch with commits of others and the base merged into it.
        parents: of the new commit.
        kept: the commits of others.
    """

    snapshot: Snapshot
    parents: tuple[str, ...]
    kept: tuple[Commit, ...] = ()


async def open_branch(
    clone: Clone, api: RepositoryApi | None, key: str, prefix: str
) -> OpenBranch | None:
    """Return the branch on which a delivery is open; None if there is none.

    Args:
        clone: of the GitOps repository.
        api: GitHub's; None without pull requests.
        key: of the delivery.
        prefix: of the names of its branches.

    Raises:
        GitOpsError: the repository cannot be read.
        GitHubError: GitHub refuses, or does not answer.
    """
    if api is not None and (found := await _of_pull_request(clone, api, key)):
        return found
    names = sorted((each for each in clone.heads if is_branch_of(prefix, each)), reverse=True)
    for name in names[:_LEFT]:
        await clone.fetch(name, depth=_DEPTH)
        commits = await clone.history(clone.heads[name])
        marker = _newest_marker(commits)
        if marker is None or marker.key != key or await _is_merged(clone, commits):
            continue
        if api is None or not await _had_pull_request(api, name):
            return OpenBranch(name=name, tip=commits[0], marker=marker)
    return None


async def _of_pull_request(clone: Clone, api: RepositoryApi, key: str) -> OpenBranch | None:
    listed = await open_pull_requests(api, clone.branch)
    found = [each for each in listed if (mark := body_marker(each.body)) and mark.key == key]
    found = [each for each in found if each.head in clone.heads and each.head != clone.branch]
    if not found:
        return None
    first, *others = sorted(found, key=lambda each: each.number)
    await clone.fetch(first.head, depth=_DEPTH)
    commits = await clone.history(clone.heads[first.head])
    own = _newest_marker(commits)
    marker = own if own and own.key == key else _mark(first)
    notes = [f"{each.url} is of the same component: close it" for each in others]
    return OpenBranch(
        name=first.head, tip=commits[0], marker=marker, pull_request=first, notes=tuple(notes)
    )


def _mark(pull_request: PullRequest) -> Marker:
    return body_marker(pull_request.body) or Marker(key="")


async def _had_pull_request(api: RepositoryApi, name: str) -> bool:
    return bool(await pull_requests_of(api, name))


def _newest_marker(commits: Sequence[Commit]) -> Marker | None:
    return next((mark for each in commits if (mark := commit_marker(each))), None)


async def _is_merged(clone: Clone, commits: Sequence[Commit]) -> bool:
    """Return True if the base has all changes of a branch, however they were merged."""
    made = next((each for each in commits if commit_marker(each)), None)
    if made is None or not await clone.has(made.parents[0]):
        return False
    changed = await clone.changed_blobs(made.parents[0], commits[0].sha)
    return bool(changed) and changed.items() <= (await clone.blob_shas(clone.base)).items()


def is_made_by_ocelot(commit: Commit, identity: str) -> bool:
    """Return True for a commit that ocelot made on the base, unchanged since.

    Args:
        commit: the newest one of a branch.
        identity: of ocelot's commits, as `Name <address>`.
    """
    return _is_of(commit, identity) and commit.parents == (commit_base(commit),)


def _is_of(commit: Commit, identity: str) -> bool:
    return (commit.author, commit.committer) == (identity, identity)


async def start(
    clone: Clone, found: OpenBranch | None, files: Snapshot, identity: str
) -> DeliveryStart:
    """Return the files to which the delivery is applied.

    Args:
        clone: of the GitOps repository.
        found: the branch that is open.
        files: of the base.
        identity: of ocelot's commits, as `Name <address>`.

    Raises:
        GitOpsError: the commits of others conflict with the base.
    """
    base = clone.base
    if found is None or is_made_by_ocelot(found.tip, identity):
        return DeliveryStart(snapshot=files, parents=(base,))
    await clone.fetch(clone.branch, found.name, depth=WHOLE)
    added = await clone.history(found.tip.sha, without=base)
    kept = tuple(each for each in added if not _is_of(each, identity))
    if not kept:
        return DeliveryStart(snapshot=files, parents=(base,))
    if await clone.is_ancestor(base, found.tip.sha):
        return DeliveryStart(
            snapshot=await clone.snapshot(found.tip.sha), parents=(found.tip.sha,), kept=kept
        )
    merged = await clone.snapshot(await clone.merged(found.tip.sha, base))
    return DeliveryStart(snapshot=merged, parents=(found.tip.sha, base), kept=kept)
