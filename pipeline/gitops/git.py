"""A clone of the GitOps repository without a work tree: read, committed to and pushed in memory.

The clone is bare and has single commits only, in a temporary folder. Commits are made of git's own
objects: no hook, filter, index or attribute changes what is written. Every path that is not changed
stays as it is.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from enum import Enum, auto
from pathlib import Path

import anyio

from pipeline import progress
from pipeline.build.git import blobs
from pipeline.build.refs import FULL_SHA
from pipeline.config.entries import suggestion
from pipeline.errors import RUN_AGAIN, GitOpsError, UsageError, quoted
from pipeline.gitops.objects import (
    Commit,
    NewCommit,
    Snapshot,
    commit_object,
    snapshot,
    tree_entries,
)
from pipeline.gitops.remote import (
    Remote,
    UnansweredError,
    failure,
    git_result,
    read_remote,
    run_git,
)

LANE = "gitops"
# Attempts of a push whose answer was lost, and that was not done.
PUSHES = 3

_BRANCH = re.compile(
    r"(?![-/])(?!.*(\.\.|@\{|//|/\.|\.lock(/|\Z)))[A-Za-z0-9._/+@-]{1,200}(?<![./])"
)
# The depth of a fetch by which git brings the whole history.
WHOLE = 2**31 - 1
_SHA_256_DIGITS = 64
# Reasons of git and of servers for refusing a push because another one came first.
_RACE = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|incorrect old value"
    r"|failed to (update|lock) ref|reference already exists"
)


class Pushed(Enum):
    """The end of a push that was not refused."""

    DONE = auto()
    FORESTALLED = auto()  # the branch is not where it was expected


def checked_branch(name: str) -> str:
    """Return the name of a branch.

    Raises:
        UsageError: git could not have such a branch.
    """
    if not _BRANCH.fullmatch(name):
        raise UsageError(
            f"{quoted(name)} cannot be the name of a branch", hint="give a branch: --branch"
        )
    return name


@asynccontextmanager
async def cloned(origin: Remote, branch: str) -> AsyncGenerator[Clone]:
    """Clone the newest commit of a branch into a temporary folder.

    Args:
        origin: the repository.
        branch: the base of changes.

    Raises:
        GitOpsError: the repository cannot be read, is empty, or lacks the branch.
        UsageError: git could not have such a branch.
        ToolchainError: git is missing.
    """
    checked_branch(branch)
    with tempfile.TemporaryDirectory(prefix="ocelot-gitops-") as folder:
        clone = Clone(origin, branch, Path(folder) / "repository.git")
        with progress.step(LANE, f"clone {origin.given} {branch}") as step:
            await clone.begin()
            step.result = clone.base[:12]
        yield clone


async def snapshot_at(origin: Remote, ref: str) -> Snapshot:
    """Return the files of a branch, tag or commit of a repository.

    Args:
        origin: the repository.
        ref: a full SHA, or the name of a tag or branch; a tag counts before a branch.

    Raises:
        GitOpsError: the repository cannot be read, or has no such ref.
        UsageError: git could not have such a ref.
        ToolchainError: git is missing.
    """
    checked_branch(ref)
    with tempfile.TemporaryDirectory(prefix="ocelot-gitops-") as folder:
        clone = Clone(origin, ref, Path(folder) / "repository.git")
        with progress.step(LANE, f"read {origin.given} {ref}") as step:
            commit = await clone.begin_at()
            step.result = commit[:12]
            return await clone.snapshot(commit)


class Clone:
    """A bare clone.

    Attributes:
        origin: the repository.
        branch: the base of changes.
        base: SHA of its newest commit, as of the last look.
        heads: SHAs of all branches by name, as of the last look.
    """

    def __init__(self, origin: Remote, branch: str, folder: Path) -> None:
        self.origin = origin
        self.branch = branch
        self.base = ""
        self.heads: Mapping[str, str] = {}
        self._folder = folder

    async def begin(self) -> None:
        """Make the folder, and fetch the base."""
        await self._look()
        await self._init(self.base)
        await self.fetch(self.branch)

    async def begin_at(self) -> str:
        """Make the folder, fetch `branch`, which may be a tag or a full SHA, and return its SHA."""
        output = await read_remote(self.origin, ["ls-remote", "--", self.origin.url])
        rows = [line.split("\t", 1) for line in output.decode(errors="replace").splitlines()]
        refs = {name: sha for sha, name in rows}
        if FULL_SHA.match(self.branch):
            refs[self.branch] = self.branch
        names = (f"refs/tags/{self.branch}", f"refs/heads/{self.branch}", self.branch)
        found = next((refs[name] for name in names if name in refs), None)
        if found is None:
            known = {name.split("/", 2)[-1] for name in refs}
            raise GitOpsError(
                f"{self.origin.given} has no branch or tag {quoted(self.branch)}"
                f"{suggestion(self.branch, known)}",
                hint="name one of its branches, its tags, or a commit's full SHA",
            )
        await self._init(found)
        options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1"]
        fetch = [*self._inside, "fetch", *options, "--", self.origin.url, found]
        await read_remote(self.origin, fetch)
        return found

    async def _init(self, commit: str) -> None:
        form = "sha256" if len(commit) == _SHA_256_DIGITS else "sha1"
        kind = ["--bare", "--template=", f"--object-format={form}"]
        await run_git(self.origin, ["init", "--quiet", *kind, str(self._folder)])

    async def look(self) -> None:
        """Look at the branches again, and fetch the base if it has moved."""
        before = self.base
        await self._look()
        if self.base != before:
            await self.fetch(self.branch)

    async def _look(self) -> None:
        output = await read_remote(self.origin, ["ls-remote", "--heads", "--", self.origin.url])
        rows = [line.split("\t", 1) for line in output.decode(errors="replace").splitlines()]
        self.heads = {name.removeprefix("refs/heads/"): sha for sha, name in rows}
        if not self.heads:
            raise GitOpsError(
                f"{self.origin.given} has no branch: it is empty",
                hint=f"push the resources of OpenChoreo to its branch {self.branch} first",
            )
        if self.branch not in self.heads:
            raise GitOpsError(
                f"{self.origin.given} has no branch {quoted(self.branch)}"
                f"{suggestion(self.branch, self.heads)}",
                hint="name one: --branch, or `branch` in config/gitops.yaml",
            )
        self.base = self.heads[self.branch]

    async def fetch(self, *branches: str, depth: int = 1) -> None:
        """Fetch the newest commits of branches that are there.

        Args:
            branches: their names.
            depth: number of commits of each history; `WHOLE` for all.
        """
        specs = [f"+refs/heads/{each}:refs/remotes/origin/{each}" for each in branches]
        options = ["--quiet", "--no-tags", "--no-write-fetch-head", f"--depth={depth}"]
        await read_remote(
            self.origin, [*self._inside, "fetch", *options, "--", self.origin.url, *specs]
        )

    async def snapshot(self, commit: str) -> Snapshot:
        """Return the files of a commit or tree, all read by one process.

        Raises:
            GitOpsError: a path is not UTF-8.
        """
        tree = (await self._git("rev-parse", f"{commit}^{{tree}}")).decode().strip()
        entries = tree_entries(await self._git("ls-tree", "-r", "-z", "--full-tree", tree))
        wanted = "".join(f"{sha}\n" for sha in {each.sha for each in entries if each.is_blob})
        output = await self._git("cat-file", "--batch", data=wanted.encode())
        return snapshot(tree, entries, blobs(output))

    async def read_commit(self, sha: str) -> Commit:
        """Return a commit that was fetched or made."""
        return commit_object(sha, await self._git("cat-file", "commit", sha))

    async def commit(self, new: NewCommit) -> str:
        """Make a commit, and return its SHA."""
        made = await self._git("fast-import", "--quiet", "--force", data=new.orders())
        return made.decode().strip()

    async def merged(self, ours: str, theirs: str) -> str:
        """Return the SHA of the tree in which two commits with their histories are merged.

        Raises:
            GitOpsError: they conflict; the details name the files.
        """
        options = ["--write-tree", "-z", "--name-only", "--no-messages"]
        code, output, errors = await git_result(
            self.origin, [*self._inside, "merge-tree", *options, ours, theirs]
        )
        tree, *names = [part.decode(errors="replace") for part in output.split(b"\0") if part]
        if code == 0:
            return tree
        if code == 1:
            raise GitOpsError(
                f"the commits of others on the pull request's branch conflict with {self.branch}",
                hint="solve that on the branch, or close the pull request, and run again",
                details=tuple(names),
            )
        raise failure(self.origin, errors)

    async def is_ancestor(self, older: str, newer: str) -> bool:
        """Return True if a commit is another one or in its history, as far as it was fetched."""
        arguments = [*self._inside, "merge-base", "--is-ancestor", older, newer]
        code, _, _ = await git_result(self.origin, arguments)
        return code == 0

    async def history(self, head: str, without: str = "") -> tuple[Commit, ...]:
        """Return a commit and the history of it that was fetched, newest first.

        Args:
            head: SHA of the commit.
            without: SHA of a commit whose history is left out; empty for none.
        """
        excluded = [f"^{without}"] if without else []
        output = await self._git("rev-list", "--topo-order", head, *excluded)
        return tuple([await self.read_commit(sha) for sha in output.decode().split()])

    async def changed_blobs(self, before: str, after: str) -> dict[str, str]:
        """Return the SHAs of files that two commits have differently, by path; 0s if removed."""
        output = await self._git("diff-tree", "-r", "-z", "--no-renames", before, after)
        heads, paths = output.decode(errors="replace").split("\0")[:-1:2], output.split(b"\0")[1::2]
        return {
            path.decode(errors="replace"): head.split()[3]
            for head, path in zip(heads, paths, strict=True)
        }

    async def blob_shas(self, commit: str) -> dict[str, str]:
        """Return the SHAs of a commit's files by path."""
        listed = await self._git("ls-tree", "-r", "-z", "--full-tree", commit)
        return {each.path: each.sha for each in tree_entries(listed)}

    async def has(self, commit: str) -> bool:
        """Return True if a commit was fetched."""
        arguments = [*self._inside, "cat-file", "-e", f"{commit}^{{commit}}"]
        code, _, _ = await git_result(self.origin, arguments)
        return code == 0

    async def push(self, commit: str, branch: str, expected: str | None) -> Pushed:
        """Push a commit as a branch, if the branch is still where it is expected.

        An answer that was lost is looked up, and the push repeated if it was not done.

        Args:
            commit: its SHA; empty to remove the branch.
            branch: the name.
            expected: SHA at which the branch is; None if it must not be there.

        Raises:
            UnansweredError: the server does not answer.
            GitOpsError: the server refuses; its own lines are the details.
        """
        for attempt in range(1, PUSHES + 1):
            try:
                return await self._push(commit, branch, expected)
            except UnansweredError:
                await self.look()
                if self.heads.get(branch) == commit:
                    return Pushed.DONE
                if self.heads.get(branch) != expected:
                    return Pushed.FORESTALLED
                if attempt == PUSHES:
                    raise
                await anyio.sleep(2 ** (attempt - 1))
        raise AssertionError  # the last attempt has returned or raised

    async def _push(self, commit: str, branch: str, expected: str | None) -> Pushed:
        ref = f"refs/heads/{branch}"
        lease = f"--force-with-lease={ref}:{expected or ''}"
        options = ["--porcelain", "--no-verify", lease]
        arguments = ["push", *options, "--", self.origin.url, f"{commit}:{ref}"]
        code, output, errors = await git_result(self.origin, [*self._inside, *arguments])
        if code == 0:
            self.heads = {**self.heads, branch: commit}
            return Pushed.DONE
        report = output.decode(errors="replace")
        refused = [line for line in report.splitlines() if line.startswith("!")]
        if not refused:
            raise failure(self.origin, errors)
        if any(_RACE.search(line) for line in (*refused, errors)):
            return Pushed.FORESTALLED
        error = failure(self.origin, errors)
        raise GitOpsError(
            f"{self.origin.given} refuses the push to {branch}",
            hint="see the server's own lines: a rule for branches, or a hook, may forbid it; then "
            f"{RUN_AGAIN}",
            details=error.details,
        )

    @property
    def _inside(self) -> tuple[str, ...]:
        return ("-C", str(self._folder))

    async def _git(self, *arguments: str, data: bytes | None = None) -> bytes:
        return await run_git(self.origin, [*self._inside, *arguments], data)
