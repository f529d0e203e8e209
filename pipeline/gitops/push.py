"""A push to a source repository, as git and GitHub Actions describe it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline import progress
from pipeline.build.commits import commit_of
from pipeline.build.git import UpstreamRepository
from pipeline.errors import UpstreamError, UsageError
from pipeline.gitops.changed import Push, is_no_commit
from pipeline.gitops.source import git_inside, local_origin
from pipeline.gitops_options import PushOptions

_BRANCHES = "refs/heads/"


async def read_push(folder: Path, options: PushOptions, environment: Mapping[str, str]) -> Push:
    """Return a push to the repository of a local checkout.

    The paths are not known, and all Components count, without a base, of a base that the checkout
    lacks (a new branch, a shallow clone), and of one that is not in the history of the head (a
    forced push).

    Args:
        folder: the checkout.
        options: the user's.
        environment: the process's; GitHub Actions names repository and branch there.

    Raises:
        UsageError: the folder is no checkout, or lacks the head; repository or branch are unknown.
        ToolchainError: git is missing.
    """
    origin = local_origin(folder)
    try:
        url = options.repo_url or _actions_url(environment) or await _origin_url(origin)
        branch = options.revision_branch or await _branch(origin, environment)
        if is_no_commit(options.head):
            return Push(url=url, branch=branch, commit="", paths=())
        commit = await commit_of(origin, folder, options.head)
        paths = await _paths(origin, options.base, commit)
    except UpstreamError as error:
        details = (str(error), *error.details)
        hint = "run it in a checkout of the source repository, or name one: --source FOLDER"
        raise UsageError(f"{folder} cannot be used", hint=hint, details=details) from error
    return Push(url=url, branch=branch, commit=commit, paths=paths)


async def _paths(origin: UpstreamRepository, base: str | None, head: str) -> tuple[str, ...] | None:
    reason = ""
    if base is None:
        reason = "no base is given"
    elif is_no_commit(base):
        reason = "the branch is new"
    else:
        try:
            base = await commit_of(origin, Path(origin.url), base)
            await git_inside(origin, "merge-base", "--is-ancestor", base, head)
        except UpstreamError:
            reason = f"{base} is not known to be before {head[:12]}"
    if reason:
        progress.note(f"{reason}: all Components of the repository are released")
        return None
    options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none")
    output = await git_inside(origin, "diff", *options, str(base), head, "--")
    return tuple(os.fsdecode(each) for each in output.split(b"\0") if each)


def _actions_url(environment: Mapping[str, str]) -> str:
    """Return the URL of the repository whose workflow runs; empty outside GitHub Actions."""
    name = environment.get("GITHUB_REPOSITORY", "")
    return f"{environment.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}" if name else ""


async def _origin_url(origin: UpstreamRepository) -> str:
    try:
        return os.fsdecode((await git_inside(origin, "config", "remote.origin.url")).strip())
    except UpstreamError as error:
        raise UsageError(
            f"{origin.given} has no remote `origin`", hint="give the URL: --repo-url"
        ) from error


async def _branch(origin: UpstreamRepository, environment: Mapping[str, str]) -> str:
    ref = environment.get("GITHUB_REF", "")
    if not ref:
        try:
            output = await git_inside(origin, "symbolic-ref", "--quiet", "HEAD")
        except UpstreamError:
            output = b""
        ref = os.fsdecode(output.strip())
    if not ref.startswith(_BRANCHES):
        raise UsageError(
            f"{ref or 'a detached HEAD'} is no branch", hint="give the branch: --revision-branch"
        )
    return ref.removeprefix(_BRANCHES)
