"""Earlier states of the config folder, read from the history of its git repository.

Git only reads objects here: nothing is checked out, and no hook, filter or setting of the
repository runs a program. Only the history of HEAD counts, which is what the user has checked out:
a branch of somebody else could name any upstream.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.build import lock
from pipeline.build.git import FETCH_SECONDS, UpstreamRepository, blobs, run_git
from pipeline.errors import LockError, UpstreamError, quoted
from pipeline.files import LARGEST_RECORD, Tree, safe_path

# Commits of the lock that are searched, and files of one state of the folder.
MOST_COMMITS = 5000
MOST_FILES = 5000
# Bytes that git hands over at once.
_BATCH = 16 * 1024**2
_LINK, _FILES = "120000", ("100644", "100755")
_GIVE = "check the commit out and name its config folder with --config, or give --bundle or --zip"


@dataclass(frozen=True, kw_only=True, slots=True)
class LockHistory:
    """The history of a config folder's lock.

    Attributes:
        commits: full SHAs of those whose lock has one of the texts: those with the first text, then
            those with the second, newest first.
        searched: number of commits that change the lock.
        is_shallow: True for a clone that lacks older commits.
    """

    commits: tuple[str, ...]
    searched: int
    is_shallow: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PastEntry:
    """A file or link of a state of the folder.

    Attributes:
        mode: git's, such as 100644.
        size: bytes.
        path: below the folder.
    """

    mode: str
    sha: str
    size: int
    path: str


async def lock_history(folder: Path, *texts: str) -> LockHistory:
    """Search the history of a config folder's lock for texts.

    Args:
        folder: the config folder.
        texts: such as the SHA-256 of a zip; not empty.

    Raises:
        UpstreamError: the folder is in no git repository, or git cannot read it.
        ToolchainError: git is missing.
    """
    shallow = await _git(folder, "rev-parse", "--is-shallow-repository")
    listing = ["rev-list", "--full-history", f"--max-count={MOST_COMMITS}", "HEAD"]
    listed = await _git(folder, *listing, "--", lock.FILE_NAME)
    commits = listed.decode().split()
    locks = await _lock_blobs(folder, commits)
    having: dict[str, int] = {}
    for batch in _batches(locks.values()):
        wanted = "".join(f"{sha}\n" for sha in batch).encode()
        contents = blobs(await _git(folder, "cat-file", "--batch", data=wanted))
        for sha, content in contents.items():
            if places := [at for at, text in enumerate(texts) if text.encode() in content]:
                having[sha] = places[0]
    ranks = {each: having[sha] for each, (sha, _) in locks.items() if sha in having}
    return LockHistory(
        commits=tuple(sorted(ranks, key=lambda each: ranks[each])),  # it is stable
        searched=len(commits),
        is_shallow=shallow.strip() == b"true",
    )


async def _lock_blobs(folder: Path, commits: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return SHA and size of the lock of each commit that has one, if it is not too large."""
    names = "".join(f"{commit}:./{lock.FILE_NAME}\n" for commit in commits).encode()
    answer = await _git(folder, "cat-file", "--batch-check", data=names)
    found: dict[str, tuple[str, int]] = {}
    for commit, line in zip(commits, answer.decode(errors="replace").splitlines(), strict=True):
        sha, _, rest = line.partition(" ")
        kind, _, size = rest.partition(" ")
        if kind == "blob" and int(size) <= LARGEST_RECORD:
            found[commit] = (sha, int(size))
    return found


def _batches(found: Iterable[tuple[str, int]]) -> Iterator[list[str]]:
    """Yield the SHAs of objects, each once, in lists of at most `_BATCH` bytes if possible."""
    batch: list[str] = []
    total = 0
    for sha, size in dict(found).items():
        if batch and total + size > _BATCH:
            yield batch
            batch, total = [], 0
        batch.append(sha)
        total += size
    if batch:
        yield batch


async def past_files(folder: Path, commit: str) -> Tree:
    """Return the files of a config folder as they were at a commit.

    Args:
        folder: the config folder, as it is now.
        commit: full SHA.

    Raises:
        LockError: it has links, paths or sizes that are not accepted.
        UpstreamError: git cannot read it.
    """
    listed = await _git(folder, "ls-tree", "-r", "-z", "--long", commit)
    entries = past_entries(listed, commit)
    contents: dict[str, bytes] = {}
    for batch in _batches((each.sha, each.size) for each in entries):
        wanted = "".join(f"{sha}\n" for sha in batch).encode()
        contents |= blobs(await _git(folder, "cat-file", "--batch", data=wanted))
    return past_tree(entries, contents, commit)


def past_entries(listed: bytes, commit: str) -> tuple[PastEntry, ...]:
    """Return the files and links that `git ls-tree -r -z --long` lists.

    Raises:
        LockError: there is a submodule, a path out of the folder, or too much.
    """
    entries: list[PastEntry] = []
    for row in filter(None, listed.split(b"\0")):
        head, _, name = row.partition(b"\t")
        mode, _, sha, size = head.decode().split()
        path = name.decode(errors="replace")
        if mode not in (*_FILES, _LINK):
            raise _refused(commit, f"{quoted(path)} is a submodule")
        try:
            safe_path(path)
        except UpstreamError:
            raise _refused(commit, f"{quoted(path)} leads out of the folder") from None
        entries.append(PastEntry(mode=mode, sha=sha, size=int(size), path=path))
    total = sum(each.size for each in entries)
    if len(entries) > MOST_FILES or total > LARGEST_RECORD:
        raise _refused(commit, f"it has {len(entries)} files with {total:,} bytes")
    return tuple(entries)


def past_tree(entries: Sequence[PastEntry], contents: Mapping[str, bytes], commit: str) -> Tree:
    """Return the files of a state of the folder; a link becomes a copy of the file it leads to.

    Args:
        entries: the files and links.
        contents: by SHA.
        commit: for errors.

    Raises:
        LockError: a link does not lead to a file of the folder.
    """
    files = {each.path: contents[each.sha] for each in entries if each.mode != _LINK}
    copies: dict[str, bytes] = {}
    for each in entries:
        if each.mode == _LINK:
            target = contents[each.sha].decode(errors="replace")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(each.path), target))
            if path not in files:
                raise _refused(commit, f"{quoted(each.path)} is a link to {quoted(target)}")
            copies[each.path] = files[path]
    return {**files, **copies}


def _refused(commit: str, reason: str) -> LockError:
    return LockError(f"the config folder at commit {commit[:12]} is not used: {reason}", hint=_GIVE)


async def _git(folder: Path, *arguments: str, data: bytes | None = None) -> bytes:
    """Run git inside of the config folder, whose own paths it then takes and gives."""
    origin = UpstreamRepository(given=str(folder), url=str(folder))
    inside = ["--literal-pathspecs", "-C", str(folder), *arguments]
    return await run_git(origin, inside, seconds=FETCH_SECONDS, data=data)
