"""The upstream collector: which repository, which commit, which files.

A ref is resolved to a commit first; the commit's `collector/` folder is then fetched shallow and
kept in the user cache as one tar a commit, with its checksum beside it. A second build of the same
commit asks the network for at most one `ls-remote`, and for nothing where the ref is a full SHA.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pipeline import files
from pipeline.build.commits import FOLDER, download_commit, read_commit
from pipeline.build.git import FETCH_SECONDS, SCP_URL, Repository, list_refs, run_git
from pipeline.config import perhaps
from pipeline.errors import UpstreamError, UsageError
from pipeline.progress import Progress

SAMPLE = "sample"
LANE = "upstream"

FULL_SHA = re.compile(r"^([0-9a-f]{40}|[0-9a-f]{64})\Z")
SHORT_SHA = re.compile(r"^[0-9a-f]{4,63}\Z")
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
        files: content by POSIX path relative to `collector/`.
    """

    repository: str
    ref: str
    commit: str
    committed: int
    files: Mapping[str, bytes] = field(repr=False)


def repository(given: str, *, sample: Path) -> Repository:
    """What a user's `--upstream-repo` means.

    Args:
        given: `owner/name`, a git URL, a path, or `sample`.
        sample: the folder that `sample` stands for.

    Raises:
        UsageError: it is none of these, or it carries a password.
    """
    if given == SAMPLE:
        return Repository(given=given, folder=sample)
    if given.startswith((".", "/", "~")):
        return _local_repository(given)
    if OWNER_NAME.match(given):
        return Repository(given=given, url=f"https://github.com/{given.removesuffix('.git')}.git")
    if SCP_URL.match(given):
        return Repository(given=given, url=given)
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
    if parts.password or ("@" in given and parts.scheme in ("http", "https")):
        raise UsageError(
            "the upstream URL carries credentials",
            hint="leave them out and let git's credential helper give them "
            "(gh auth setup-git, or git config credential.helper)",
        )
    return Repository(given=given, url=given)


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


async def fetch_source(origin: Repository, ref: str, progress: Progress, *, cache: Path) -> Source:
    """Resolve a ref and bring the files of its commit, from the cache where it has them.

    Raises:
        UpstreamError: the repository or ref cannot be reached or found, or has no `collector/`.
        ToolchainError: git is missing.
    """
    progress.begin(LANE, f"resolve {origin.given} {ref}" if origin.url else f"read {origin.given}")
    try:
        source, how = await _fetch(origin, ref, cache, progress)
    except BaseException:
        progress.end(LANE, "failed")
        raise
    progress.end(LANE, f"{source.commit[:12]} {how}")
    return source


async def _fetch(
    origin: Repository, ref: str, cache: Path, progress: Progress
) -> tuple[Source, str]:
    if origin.folder is not None:
        return folder_source(origin.given, ref, origin.folder), "read"
    store = cache / "upstream"
    commit = await _resolve(origin, ref, store, progress)
    cached = read_commit(store, commit)
    how = "from the cache" if cached else "fetched"
    if cached is None:
        progress.end(LANE, commit[:12])
        progress.begin(LANE, f"fetch {commit[:12]}")
        await download_commit(origin, commit, store)
        cached = read_commit(store, commit)
    if cached is None:
        raise UpstreamError(
            f"the cache entry of {commit} is broken right after it was written",
            hint=f"check the disk that holds {store}",
        )
    committed, content = cached
    source = Source(
        repository=origin.given,
        ref=ref,
        commit=commit,
        committed=committed,
        files=content,
    )
    return source, how


def _local_repository(given: str) -> Repository:
    try:
        path = Path(given).expanduser().resolve()
        there = path.is_dir()
    except (RuntimeError, ValueError):  # no such user, a NUL
        path, there = Path(given), False
    if not there:
        raise UsageError(f"upstream folder {given} does not exist", hint="check the path")
    if (path / ".git").exists() or (path / "objects").is_dir():
        return Repository(given=given, url=str(path))
    return Repository(given=given, folder=path)


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
    content = files.read_tree(root)
    return Source(
        repository=given,
        ref=ref,
        commit=files.tree_digest(content, "sha1"),
        committed=0,
        files=content,
    )


async def _resolve(origin: Repository, ref: str, store: Path, progress: Progress) -> str:
    """The full SHA that a ref means, asking as little as possible."""
    sha = ref.lower()
    if FULL_SHA.match(sha):
        return sha
    names = [
        f"{prefix}{ref}{peeled}"
        for prefix in ("refs/tags/", "refs/heads/", "")
        for peeled in ("^{}", "")
    ]
    heads = await list_refs(origin, *names)
    for name in names:
        if name in heads:
            return heads[name]
    if SHORT_SHA.match(sha):
        return await _resolve_short(origin, sha, store, progress)
    known = {name.split("/", 2)[-1] for name in await list_refs(origin, "refs/*")}
    raise UpstreamError(
        f"{origin.given} has no branch or tag {ref!r}{perhaps(ref, known)}",
        hint="give a branch, a tag or a commit's SHA with --upstream-ref",
    )


async def _resolve_short(origin: Repository, ref: str, store: Path, progress: Progress) -> str:
    """A short SHA, looked up in the history, of which only the commits are fetched and kept."""
    name = hashlib.sha256(origin.url.encode()).hexdigest()[:16]
    history = store / f"history-{name}.txt"
    found = _candidates(history, ref)
    if not found:
        progress.line(LANE, "reading the history for a short SHA")
        await _read_history(origin, history)
        found = _candidates(history, ref)
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


async def _read_history(origin: Repository, history: Path) -> None:
    """Write the SHAs of all commits of branches and tags, one a line."""
    files.check_writable(history.parent)
    with tempfile.TemporaryDirectory(dir=history.parent, prefix=".fetch-") as temporary:
        bare = str(Path(temporary) / "repository.git")
        clone = ["clone", "--quiet", "--bare", "--filter=tree:0", "--", origin.url, bare]
        await run_git(origin, clone, seconds=FETCH_SECONDS)
        commits = await run_git(origin, ["-C", bare, "rev-list", "--all"], seconds=FETCH_SECONDS)
    files.write_atomic(history, commits)


def _redacted(text: str) -> str:
    return re.sub(r"^(.*?//)?.*@", r"\1…@", text)
