"""Upstream's commits in the user cache: the files of each that a build can need, as one tar.

Beside a tar is a record with its checksum and the commit's time. An entry that is incomplete, or of
an earlier version of ocelot, counts as absent. Files are exported as git stores them, whatever
attributes and settings there are.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.build.git import FETCH_SECONDS, SilentError, UpstreamRepository, run_git
from pipeline.build.modules import replaced_folders
from pipeline.build.source_files import (
    FOLDER,
    TarFiles,
    beside,
    build_files,
    from_collector,
    repository_tree,
)
from pipeline.errors import UpstreamError
from pipeline.files import Tree, ensure_writable, write_atomic
from pipeline.record import Record

SHA_256_DIGITS = 64
_VERSION = 2

# Exceptions of reading an entry with any content; pydantic's is a ValueError.
_BROKEN = (OSError, ArithmeticError, LookupError, ValueError, RecursionError, tarfile.TarError)

# These attributes override all others: files are exported as git stores them.
_PLAIN = "* -text -ident -filter -working-tree-encoding -export-subst -export-ignore\n"


@dataclass(frozen=True, kw_only=True)
class KeptCommit:
    """A commit as a store has it.

    Attributes:
        committed: the commit's time, seconds since the epoch.
        files: content by path from `collector/`; see `source_files`.
        left_out: what is in no build, each with the reason.
    """

    committed: int
    files: Tree = field(repr=False)
    left_out: tuple[str, ...] = ()


class _CommitRecord(Record):
    """The content of an entry's record.

    Attributes:
        version: of the entry's form; those of version 1 have none, and lack files.
        sha256: of the tar.
    """

    version: Literal[2]
    sha256: str
    committed: int
    left_out: tuple[str, ...] = ()


def not_upstream(message: str) -> UpstreamError:
    """Return the error for a repository without the structure of upstream."""
    return UpstreamError(
        message,
        hint="the repository must be of the shape of open-telemetry/opentelemetry-lambda; "
        "check --upstream-repo and --upstream-ref",
    )


async def download_commit(origin: UpstreamRepository, sha: str, store: Path) -> str:
    """Fetch one commit and keep the files of it that a build can need.

    Args:
        origin: the repository.
        sha: full SHA of the commit, or of an annotated tag's own object.
        store: a folder of such entries.

    Returns:
        The commit's full SHA; for a tag's object that of the commit that it leads to.

    Raises:
        UpstreamError: the commit cannot be reached, does not exist, or has no `collector/`.
    """
    ensure_writable(store)
    with tempfile.TemporaryDirectory(dir=store, prefix=".fetch-") as temporary:
        bare = Path(temporary) / "repository.git"
        await init_bare(origin, bare, sha)
        commit = await fetch_commit(origin, bare, sha)
        inside = ["-C", str(bare)]
        committed = await commit_time(origin, bare, commit)
        if not await run_git(origin, [*inside, "ls-tree", "-d", commit, "--", FOLDER]):
            raise not_upstream(f"{origin.given} at {commit[:12]} has no folder {FOLDER}/")
        tree, left_out = await _exported(origin, bare, commit)
    keep_commit(store, commit, KeptCommit(committed=committed, files=tree, left_out=left_out))
    return commit


async def _exported(
    origin: UpstreamRepository, bare: Path, commit: str
) -> tuple[Tree, tuple[str, ...]]:
    """The files that a build can need, and what is left out.

    The whole repository is exported only if collector/ alone does not have all of them.
    """
    tree, left_out = await _archived(origin, bare, commit, FOLDER)
    if left_out or beside(replaced_folders(tree.get("go.mod", b""))):
        return await _archived(origin, bare, commit)
    return tree, left_out


async def _archived(
    origin: UpstreamRepository, bare: Path, commit: str, *paths: str
) -> tuple[Tree, tuple[str, ...]]:
    tar = bare.parent / "commit.tar"
    archive = ["-C", str(bare), "archive", "--format=tar", f"--output={tar}", commit, "--", *paths]
    await run_git(origin, archive, seconds=FETCH_SECONDS)
    with tarfile.open(tar, mode="r:") as opened:
        return build_files(TarFiles(opened))


def keep_commit(store: Path, commit: str, kept: KeptCommit) -> None:
    """Write a commit's files as an entry of a store, the same bytes for the same files.

    Args:
        store: a folder of such entries.
        commit: full SHA.
        kept: the files, and what is left out of them.
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in sorted(repository_tree(kept.files).items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    tar = stream.getvalue()
    record = _CommitRecord(
        version=_VERSION,
        sha256=hashlib.sha256(tar).hexdigest(),
        committed=kept.committed,
        left_out=kept.left_out,
    )
    write_atomic(store / f"{commit}.tar", tar)
    write_atomic(store / f"{commit}.json", record.model_dump_json().encode())


async def fetch_commit(
    origin: UpstreamRepository, bare: Path, sha: str, *, filters: Sequence[str] = ()
) -> str:
    """Bring a commit into a repository, alone where the server gives single commits.

    Args:
        origin: the repository that has the commit.
        bare: the one that it is brought into.
        sha: full SHA of the commit, or of an annotated tag's own object.
        filters: options of `git fetch` that leave objects out.

    Returns:
        Its SHA, once it is sure that the object is a commit or a tag of one.
    """
    fetch = ["-C", str(bare), "fetch", "--quiet", "--no-tags", *filters]
    try:
        shallow = [*fetch, "--depth=1", "--", origin.url, sha]
        await run_git(origin, shallow, seconds=FETCH_SECONDS)
    except SilentError:
        raise
    except UpstreamError:
        # Some servers hand out only what a branch or tag points to.
        whole = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        await run_git(origin, [*fetch, "--", origin.url, *whole], seconds=FETCH_SECONDS)
    return await commit_of(origin, bare, sha)


async def commit_of(origin: UpstreamRepository, folder: Path, name: str) -> str:
    """Return the SHA of a commit in a clone, by its name or that of a tag.

    Raises:
        UpstreamError: the clone has no such commit.
    """
    try:
        peel = ["-C", str(folder), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
        return (await run_git(origin, peel)).decode().strip()
    except UpstreamError as error:
        raise UpstreamError(
            f"{origin.given} has no commit {name}",
            hint="give a branch, a tag or a commit's SHA that it has",
        ) from error


async def commit_time(origin: UpstreamRepository, folder: Path, commit: str) -> int:
    """Return the time of a commit in a clone, in seconds since the epoch."""
    show = ["-C", str(folder), "show", "-s", "--no-show-signature", "--format=%ct", commit]
    return int(await run_git(origin, show))


async def init_bare(origin: UpstreamRepository, path: Path, commit: str) -> None:
    """Make an empty repository that exports files as git stores them, for commits like this one."""
    form = "sha256" if len(commit) == SHA_256_DIGITS else "sha1"
    kind = ["--bare", "--template=", f"--object-format={form}"]
    init = ["init", "--quiet", *kind, str(path)]
    await run_git(origin, init)
    attributes = path / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text(_PLAIN)


def has_commit(store: Path, commit: str) -> bool:
    """Return True if a store has the record of a commit; its files may be broken."""
    try:
        return bool(_record(store, commit))
    except _BROKEN:
        return False


def _record(store: Path, commit: str) -> _CommitRecord:
    return _CommitRecord.model_validate_json((store / f"{commit}.json").read_bytes())


def read_commit(store: Path, commit: str) -> KeptCommit | None:
    """Return a commit as a store has it; None where it is absent or broken.

    Raises:
        UpstreamError: the tar has something else than files inside the repository.
    """
    try:
        record = _record(store, commit)
        tar = (store / f"{commit}.tar").read_bytes()
        if hashlib.sha256(tar).hexdigest() != record.sha256:
            return None
        content = _tar_files(tar, commit)
    except _BROKEN:
        return None
    return KeptCommit(committed=record.committed, files=content, left_out=record.left_out)


def _tar_files(tar: bytes, commit: str) -> dict[str, bytes]:
    content: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is None:
                raise not_upstream(f"{member.name} at {commit[:12]} is no file")
            content[from_collector(member.name)] = stream.read()
    return content
