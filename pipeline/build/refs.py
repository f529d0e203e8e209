"""The commit that a branch, a tag or a short SHA of a repository on a server means."""

from __future__ import annotations

import hashlib
import re
import shlex
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline import files, progress
from pipeline.build.git import (
    FETCH_SECONDS,
    UpstreamRepository,
    default_branch,
    list_refs,
    run_git,
)
from pipeline.config.entries import suggestion
from pipeline.errors import UpstreamError

FULL_SHA = re.compile(r"^([0-9a-f]{40}|[0-9a-f]{64})\Z")
SHORT_SHA = re.compile(r"^[0-9a-f]{4,63}\Z")
_LANE = "upstream"
_TAGS_FIRST = ("refs/tags/", "refs/heads/", "")


@dataclass(frozen=True, kw_only=True)
class FoundRef:
    """The commit that a ref means now.

    Attributes:
        commit: full SHA.
        kind: what the ref is.
    """

    commit: str
    kind: Literal["branch", "tag", "commit"]


async def find_ref(
    origin: UpstreamRepository, ref: str, store: Path, *, option: str, is_branch: bool = False
) -> FoundRef:
    """Return the commit of a branch, a tag or a short SHA; a tag counts before a branch.

    Args:
        origin: the repository.
        ref: no full SHA.
        store: a folder that keeps the SHAs of histories, for short ones.
        option: by which the user gives a ref, for errors.
        is_branch: True if it can be nothing else.

    Raises:
        UpstreamError: the repository cannot be read, or has no such ref.
    """
    prefixes = ("refs/heads/",) if is_branch else _TAGS_FIRST
    names = [f"{prefix}{ref}{peeled}" for prefix in prefixes for peeled in ("^{}", "")]
    sha = "" if is_branch else ref.lower()
    tags = ("refs/tags/*",) if SHORT_SHA.match(sha) else ()
    heads = await list_refs(origin, *names, *tags)
    for name in names:
        if name in heads:
            kind = "tag" if name.startswith("refs/tags/") else "branch"
            return FoundRef(commit=heads[name], kind=kind)
    if SHORT_SHA.match(sha):
        tagged = {
            commit
            for name, commit in heads.items()
            if name.endswith("^{}") and heads.get(name.removesuffix("^{}"), "").startswith(sha)
        }
        return FoundRef(commit=await _resolve_short(origin, sha, store, tagged), kind="commit")
    raise await _no_ref(origin, ref, option, is_branch=is_branch)


async def _no_ref(
    origin: UpstreamRepository, ref: str, option: str, *, is_branch: bool
) -> UpstreamError:
    patterns = "refs/heads/*" if is_branch else "refs/*"
    known = {name.split("/", 2)[-1] for name in await list_refs(origin, patterns)}
    default = await default_branch(origin)
    kind = "branch" if is_branch else "branch or tag"
    return UpstreamError(
        f"{origin.given} has no {kind} {ref!r}{suggestion(ref, known)}",
        hint=f"its default branch is {default}: {option} {shlex.quote(default)}"
        if default
        else f"give a branch, a tag or a commit's SHA with {option}",
    )


async def _resolve_short(
    origin: UpstreamRepository, ref: str, store: Path, tagged: Collection[str]
) -> str:
    """A short SHA, looked up in the history, of which only the commits are fetched and kept.

    Args:
        origin: the repository.
        ref: the short SHA.
        store: a folder that keeps the histories.
        tagged: the commits of the annotated tags whose own object's SHA begins so.
    """
    name = hashlib.sha256(origin.url.encode()).hexdigest()[:16]
    history = store / f"history-{name}.txt"
    found = _candidates(history, ref)
    if not found:
        progress.line(_LANE, "reading the history for a short SHA")
        await _read_history(origin, history)
        found = _candidates(history, ref)
    found = tuple(sorted({*found, *tagged}))
    if len(found) == 1:
        return found[0]
    raise UpstreamError(
        f"{origin.given} has {'more than one' if found else 'no'} commit {ref}",
        hint="give more of the SHA" if found else "give a branch, a tag or a commit's SHA",
        details=found,
    )


def _candidates(history: Path, ref: str) -> tuple[str, ...]:
    """The commits whose SHA begins with the ref."""
    try:
        commits = history.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return ()
    return tuple(each for each in commits if each.startswith(ref) and FULL_SHA.match(each))


async def _read_history(origin: UpstreamRepository, history: Path) -> None:
    """Write the SHAs of all commits of branches and tags, one a line."""
    files.ensure_writable(history.parent)
    with tempfile.TemporaryDirectory(dir=history.parent, prefix=".fetch-") as temporary:
        bare = str(Path(temporary) / "repository.git")
        # of a local clone a filter saves nothing, and costs a process for each object that it lacks
        filtered = [] if origin.clone else ["--filter=tree:0"]
        clone = ["clone", "--quiet", "--bare", *filtered, "--", origin.url, bare]
        await run_git(origin, clone, seconds=FETCH_SECONDS)
        commits = await run_git(origin, ["-C", bare, "rev-list", "--all"], seconds=FETCH_SECONDS)
    files.write_atomic(history, commits)
