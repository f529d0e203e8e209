"""Upstream's sources in a folder, for commands that have neither git nor its server.

`ocelot sources` resolves a ref and reads the commits that later commands need. A command that finds
the folder in `OCELOT_SOURCES` takes them from there: same repository, ref, commit, time and files,
so that it decides and builds the same. The folder has `sources.json`, what each ref means, and
`upstream/`, the commits as the user cache has them. The same commits give the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline import progress
from pipeline.build.commits import KeptCommit, keep_commit, read_commit
from pipeline.build.lock import Locked, commit_to_build
from pipeline.build.upstream import Resolved, Source, UpstreamReader, kept_source
from pipeline.errors import LockError, ToolchainError, UpstreamError
from pipeline.files import LARGEST_RECORD, read_regular, write_atomic
from pipeline.record import Record

VARIABLE = "OCELOT_SOURCES"
INDEX = "sources.json"
COMMITS = "upstream"


class ResolvedRef(Record):
    """The commit that a ref of a repository means; see `Resolved`.

    Attributes:
        origin: see `Source`.
    """

    repository: str
    ref: str
    commit: str
    kind: Literal["branch", "tag", "commit", "folder"]
    origin: str = ""


class SourceIndex(Record):
    """The content of `sources.json`."""

    version: Literal[1] = 1
    refs: tuple[ResolvedRef, ...] = ()

    def find(self, repository: str, ref: str) -> ResolvedRef | None:
        """Return the entry of a repository's ref, if there is one."""
        found = (each for each in self.refs if (each.repository, each.ref) == (repository, ref))
        return next(found, None)


async def gather_sources(
    upstream: UpstreamReader, entries: Sequence[Locked | None], folder: Path
) -> tuple[str, ...]:
    """Put the commits that builds of a ref need into a folder.

    Where the repository cannot be reached, the locked commits are read.

    Args:
        upstream: the repository and ref.
        entries: the lock's entry of each build; None for one that has none.
        folder: it may have sources of other refs.

    Returns:
        Full SHAs.

    Raises:
        UpstreamError, ToolchainError: a commit cannot be had.
    """
    now = None
    try:
        now = await upstream.resolve()
    except (UpstreamError, ToolchainError) as error:
        if None in entries:
            raise
        progress.note(f"{error}; reading the locked commits")
    return await gather_commits(upstream, needed_commits(now, entries), folder, now=now)


def needed_commits(now: Resolved | None, entries: Sequence[Locked | None]) -> tuple[str, ...]:
    """The commits that builds of a ref need, sorted.

    Args:
        now: what the ref means; None where that is not known.
        entries: the lock's entry of each build; None for one that has none.
    """
    commits: set[str] = set()
    for entry in entries:
        if now is None:
            commits |= {entry.commit} if entry else set()
            continue
        try:
            commits.add(commit_to_build(entry, now)[0])
        except LockError:  # the build itself will fail by it
            continue
    return tuple(sorted(commits))


async def gather_commits(
    upstream: UpstreamReader, commits: Collection[str], folder: Path, *, now: Resolved | None = None
) -> tuple[str, ...]:
    """Put commits into a folder, and note what the ref means.

    Args:
        upstream: the repository and ref.
        commits: full SHAs; a plain folder has one commit, whichever is requested.
        folder: it may have sources of other refs.
        now: what the ref means; None where that is not known.

    Returns:
        The full SHAs of what was read.
    """
    sources = [await upstream.read(each) for each in commits]
    for source in sources:
        kept = KeptCommit(committed=source.committed, files=source.files, left_out=source.left_out)
        keep_commit(folder / COMMITS, source.commit, kept)
    if now:
        index = read_index(folder)
        meant = ResolvedRef(
            repository=upstream.given,
            ref=upstream.ref,
            commit=now.commit,
            kind=now.kind,
            origin=sources[0].origin if sources else "",
        )
        others = [each for each in index.refs if each != index.find(upstream.given, upstream.ref)]
        refs = sorted([*others, meant], key=lambda each: (each.repository, each.ref))
        text = SourceIndex(refs=tuple(refs)).model_dump_json(indent=1)
        write_atomic(folder / INDEX, f"{text}\n".encode())
    return tuple(source.commit for source in sources)


def read_index(folder: Path) -> SourceIndex:
    """Return the index of a folder of sources; an empty one where there is none.

    Raises:
        UpstreamError: it cannot be read.
    """
    try:
        return SourceIndex.model_validate_json(read_regular(folder / INDEX, LARGEST_RECORD))
    except FileNotFoundError:
        return SourceIndex()
    except (OSError, ValueError) as error:  # pydantic's is a ValueError
        raise UpstreamError(
            f"{folder / INDEX} cannot be read", hint="run ocelot sources again, into a new folder"
        ) from error


@dataclass(frozen=True, kw_only=True)
class GatheredUpstream:
    """A repository at a ref, as `gather_sources` found it; see `UpstreamReader`.

    Attributes:
        folder: what `ocelot sources` wrote.
    """

    given: str
    ref: str
    folder: Path

    async def resolve(self) -> Resolved:
        """See `UpstreamReader.resolve`."""
        if meant := read_index(self.folder).find(self.given, self.ref):
            return Resolved(commit=meant.commit, kind=meant.kind)
        raise self._missing("what it means")

    async def read(self, commit: str) -> Source:
        """See `UpstreamReader.read`."""
        meant = read_index(self.folder).find(self.given, self.ref)
        if meant and meant.kind == "folder":
            commit = meant.commit
        found = read_commit(self.folder / COMMITS, commit)
        if found is None:
            raise self._missing(commit)
        return kept_source(self, commit, found, origin=meant.origin if meant else "")

    def _missing(self, what: str) -> UpstreamError:
        return UpstreamError(
            f"{VARIABLE}={self.folder} does not have {what} of {self.given} at {self.ref}",
            hint="run ocelot sources for it",
        )
