"""The upstream collector: which repository, which commit, which files.

A ref is resolved to a commit first; the commit is then fetched alone, and its files that a build
can need are kept in the user cache, see `commits`. A second build of the same commit needs at most
one `ls-remote` of the network, and none where the ref is a full SHA.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

from pipeline import files, progress
from pipeline.build.commits import KeptCommit, download_commit, has_commit, read_commit
from pipeline.build.git import SCP_URL, UpstreamRepository, real_url
from pipeline.build.refs import FULL_SHA, find_ref
from pipeline.build.source_files import FOLDER, FolderFiles, build_files
from pipeline.errors import UpstreamError, UsageError
from pipeline.process import masked

SAMPLE = "sample"
LANE = "upstream"

# A subset of what `git check-ref-format` allows, without a leading dash.
REF = re.compile(r"^(?!-)(?!.*(\.\.|@\{|//))[A-Za-z0-9._/+@-]{1,200}(?<![./])\Z")
OWNER_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+\Z")
SCHEMES = ("https", "http", "ssh", "git", "file")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Upstream's `collector/` at one commit.

    Attributes:
        repository: what the user typed.
        ref: what the user typed.
        commit: full SHA; for a plain folder the SHA-1 of its content.
        committed: the commit's time, seconds since the epoch; 0 for a plain folder.
        files: content by POSIX path from `collector/`; see `source_files`.
        left_out: what is in no build, each with the reason.
        origin: the URL that git read instead, by the user's url.<base>.insteadOf; else empty.
    """

    repository: str
    ref: str
    commit: str
    committed: int
    files: Mapping[str, bytes] = field(repr=False)
    left_out: tuple[str, ...] = ()
    origin: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """The commit that a ref means now.

    Attributes:
        commit: full SHA; for a plain folder the SHA-1 of its content.
        kind: what the ref is; a tag is not expected to move.
    """

    commit: str
    kind: Literal["branch", "tag", "commit", "folder"]


class UpstreamReader(Protocol):
    """A repository at a ref: read by this machine's git, by an engine's, or as it lies there."""

    @property
    def given(self) -> str:
        """The repository, as the user typed it."""
        ...

    @property
    def ref(self) -> str:
        """The ref, as the user typed it."""
        ...

    async def resolve(self) -> Resolved:
        """Return the commit that the ref means now.

        Raises:
            UpstreamError: the repository or ref cannot be reached or found.
            ToolchainError: git is missing.
        """
        ...

    async def read(self, commit: str) -> Source:
        """Return the files of a commit; those of a plain folder whichever commit is named.

        Raises:
            UpstreamError: the commit cannot be fetched, or has no `collector/`.
            ToolchainError: git is missing.
        """
        ...


async def read_upstream(upstream: UpstreamReader) -> Source:
    """Resolve a ref and read the files of its commit."""
    return await upstream.read((await upstream.resolve()).commit)


def upstream_repository(given: str, *, sample: Path) -> UpstreamRepository:
    """Return the repository that `--upstream-repo` names.

    Args:
        given: `owner/name`, a git URL, a path, or `sample`.
        sample: the folder that `sample` stands for.

    Raises:
        UsageError: it is none of these, or it carries a password or a query.
    """
    if given == SAMPLE:
        return UpstreamRepository(given=given, folder=sample)
    if given.startswith((".", "/", "~")):
        return _local_repository(given)
    if OWNER_NAME.match(given):
        return UpstreamRepository(
            given=given, url=f"https://github.com/{given.removesuffix('.git')}.git"
        )
    if SCP_URL.match(given):
        return UpstreamRepository(given=given, url=given)
    try:
        parts = urlsplit(given)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in SCHEMES or not (parts.netloc or parts.scheme == "file"):
        raise UsageError(
            f"upstream repository {_redacted(given)!r} is no repository",
            hint="give owner/name, a git URL (https, ssh, file), a path that starts with ./ or /, "
            "or sample",
        )
    over_http = parts.scheme in ("http", "https")
    if parts.password or (over_http and ("@" in given or parts.query)):
        raise UsageError(
            "the upstream URL carries credentials, or a query, which may hold some",
            hint="leave them out and let git's credential helper give them "
            "(gh auth setup-git, or git config credential.helper)",
        )
    return UpstreamRepository(given=given, url=given)


def check_ref(ref: str) -> str:
    """The ref itself, if git could have such a one.

    Raises:
        UsageError: it could not.
    """
    if not REF.match(ref):
        raise UsageError(
            f"{ref!r} cannot be an upstream ref", hint="give a branch, a tag or a commit's SHA"
        )
    return ref


@dataclass(frozen=True, kw_only=True)
class HostUpstream:
    """Upstream by this machine's git, or a plain folder of it; see `UpstreamReader`.

    Attributes:
        cache: the user cache, where commits are kept.
    """

    origin: UpstreamRepository
    ref: str
    cache: Path

    @property
    def given(self) -> str:
        """The repository, as the user typed it."""
        return self.origin.given

    async def resolve(self) -> Resolved:
        """See `UpstreamReader.resolve`."""
        if self.origin.folder is not None:
            source = folder_source(self.given, self.ref, self.origin.folder)
            return Resolved(commit=source.commit, kind="folder")
        if self.origin.is_also_a_folder:
            progress.note(f"{self.given} means GitHub's; ./{self.given} would be the folder here")
        with progress.step(LANE, f"resolve {self.given} {self.ref}") as step:
            found = await _resolve(self.origin, self.ref, self.cache / "upstream")
            step.result = found.commit[:12]
        return found

    async def read(self, commit: str) -> Source:
        """See `UpstreamReader.read`."""
        if self.origin.folder is None:
            return await self._commit(commit)
        with progress.step(LANE, f"read {self.given}") as step:
            source = folder_source(self.given, self.ref, self.origin.folder)
            step.result = f"{source.commit[:12]} read"
        return _noted(source)

    async def _commit(self, commit: str) -> Source:
        store = self.cache / "upstream"
        with progress.step(LANE, f"fetch {commit[:12]}") as step:
            cached = read_commit(store, commit)
            step.result = f"{commit[:12]} {'from the cache' if cached else 'fetched'}"
            if cached is None:
                found = await download_commit(self.origin, commit, store)
                if found != commit:
                    raise UpstreamError(
                        f"{commit} is no commit but a tag's object; the tag's commit is {found}",
                        hint="give that commit with --upstream-ref; if the lock has the tag, "
                        "run ocelot lock --upgrade",
                    )
                cached = read_commit(store, commit)
        if cached is None:
            raise UpstreamError(
                f"the cache entry of {commit} is broken right after it was written",
                hint=f"check the disk that holds {store}",
            )
        return kept_source(self, commit, cached, origin=await self._other_url())

    async def _other_url(self) -> str:
        """Return the URL that git reads instead of the one given; empty if that is the same."""
        real = await real_url(self.origin)
        if real == self.origin.url:
            return ""
        progress.note(f"{self.given} is read from {masked(real)}, by git's url.<base>.insteadOf")
        return real


def _local_repository(given: str) -> UpstreamRepository:
    try:
        path = Path(given).expanduser().resolve()
        present = path.is_dir()
    except (RuntimeError, ValueError):  # no such user, a NUL
        path, present = Path(given), False
    if not present:
        raise UsageError(f"upstream folder {given} does not exist", hint="check the path")
    if (path / ".git").exists() or (path / "objects").is_dir():
        return UpstreamRepository(given=given, url=str(path))
    return UpstreamRepository(given=given, folder=path)


def folder_source(given: str, ref: str, folder: Path) -> Source:
    """Upstream's sources as they lie in a folder without git.

    Raises:
        UpstreamError: it has no `collector/`.
    """
    root = folder / FOLDER
    if not root.is_dir():
        sample = " in this installation: it comes with a checkout" if given == SAMPLE else ""
        raise UpstreamError(
            f"{given} has no folder {FOLDER}/{sample}",
            hint=f"give a folder that has upstream's {FOLDER}/ in it, or run ocelot in a checkout",
        )
    content, left_out = build_files(FolderFiles(folder))
    return Source(
        repository=given,
        ref=ref,
        commit=files.tree_digest(content, "sha1"),
        committed=0,
        files=content,
        left_out=left_out,
    )


def kept_source(upstream: UpstreamReader, commit: str, kept: KeptCommit, *, origin: str) -> Source:
    """Return a commit of an upstream as a store has it; report what is left out of it."""
    source = Source(
        repository=upstream.given,
        ref=upstream.ref,
        commit=commit,
        committed=kept.committed,
        files=kept.files,
        left_out=kept.left_out,
        origin=origin,
    )
    return _noted(source)


def _noted(source: Source) -> Source:
    """Report what is left out of a source, and return the source."""
    if source.left_out:
        progress.note(f"left out of the build: {', '.join(source.left_out)}")
    return source


async def _resolve(origin: UpstreamRepository, ref: str, store: Path) -> Resolved:
    """The commit that a ref means, asking as little as possible."""
    sha = ref.lower()
    if FULL_SHA.match(sha):
        if not has_commit(store, sha):
            sha = await download_commit(origin, sha, store)
        return Resolved(commit=sha, kind="commit")
    found = await find_ref(origin, ref, store, option="--upstream-ref")
    return Resolved(commit=found.commit, kind=found.kind)


def _redacted(text: str) -> str:
    return re.sub(r"^(.*?//)?.*@", r"\1…@", text)
