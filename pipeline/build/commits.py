"""Upstream's commits in the user cache: the `collector/` folder of each as one tar.

Beside a tar is a record with its checksum and the commit's time. An incomplete entry counts as
absent. Files are exported as git stores them, whatever attributes and settings there are.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import posixpath
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import files
from pipeline.build.git import FETCH_SECONDS, SilentError, UpstreamRepository, run_git
from pipeline.errors import UpstreamError
from pipeline.files import Tree

FOLDER = "collector"
SHA_256_DIGITS = 64

# Exceptions of reading an entry with any content.
_BROKEN = (
    *(OSError, ArithmeticError, LookupError, TypeError, ValueError),
    *(RecursionError, tarfile.TarError),
)

# These attributes override all others: files are exported as git stores them.
_PLAIN = "* -text -ident -filter -working-tree-encoding -export-subst -export-ignore\n"


def not_upstream(message: str) -> UpstreamError:
    """Return the error for a repository without the structure of upstream."""
    return UpstreamError(
        message,
        hint="the repository must be of the shape of open-telemetry/opentelemetry-lambda; "
        "check --upstream-repo and --upstream-ref",
    )


async def download_commit(origin: UpstreamRepository, sha: str, store: Path) -> str:
    """Fetch one commit and keep its collector/ as a tar.

    Args:
        origin: the repository.
        sha: full SHA of the commit, or of an annotated tag's own object.
        store: a folder of such entries.

    Returns:
        The commit's full SHA; for a tag's object that of the commit that it leads to.

    Raises:
        UpstreamError: the commit cannot be reached, does not exist, or has no `collector/`.
    """
    files.ensure_writable(store)
    with tempfile.TemporaryDirectory(dir=store, prefix=".fetch-") as temporary:
        bare = Path(temporary) / "repository.git"
        await _init_bare(origin, bare, sha)
        commit = await _fetch_commit(origin, bare, sha)
        inside = ["-C", str(bare)]
        show = [*inside, "show", "-s", "--no-show-signature", "--format=%ct"]
        committed = int(await run_git(origin, [*show, commit]))
        if not await run_git(origin, [*inside, "ls-tree", "-d", commit, "--", FOLDER]):
            raise not_upstream(f"{origin.given} at {commit[:12]} has no folder {FOLDER}/")
        tar = await _archive(origin, bare, commit)
    _keep(store, commit, committed, tar)
    return commit


async def _archive(origin: UpstreamRepository, bare: Path, commit: str) -> bytes:
    """A tar of collector/, and of the files and folders beside it that its links lead to."""
    inside = ["--literal-pathspecs", "-C", str(bare)]
    archive = [*inside, "archive", "--format=tar", commit, "--", FOLDER]
    tar = await run_git(origin, archive, seconds=FETCH_SECONDS)
    if not (beside := _beside(tar)):
        return tar
    listed = await run_git(origin, [*inside, "ls-tree", "-z", "--name-only", commit, "--", *beside])
    present = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return await run_git(origin, [*archive, *present], seconds=FETCH_SECONDS)


def _beside(tar: bytes) -> list[str]:
    """The paths beside collector/, in the repository, that links in a tar lead to."""
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        targets = {_target(member) for member in archive if member.issym()}
    return sorted(
        each
        for each in targets
        if each.partition("/")[0] not in ("", ".", "..", FOLDER) and "\0" not in each
    )


def keep_commit(store: Path, commit: str, committed: int, tree: Tree) -> None:
    """Write a commit's files as an entry of a store, the same bytes for the same files.

    Args:
        store: a folder of such entries.
        commit: full SHA.
        committed: the commit's time, seconds since the epoch.
        tree: content by path below `collector/`.
    """
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name in sorted(tree):
            info = tarfile.TarInfo(f"{FOLDER}/{name}")
            info.size = len(tree[name])
            archive.addfile(info, io.BytesIO(tree[name]))
    _keep(store, commit, committed, tar.getvalue())


def _keep(store: Path, commit: str, committed: int, tar: bytes) -> None:
    record = {"sha256": hashlib.sha256(tar).hexdigest(), "committed": committed}
    files.write_atomic(store / f"{commit}.tar", tar)
    files.write_atomic(store / f"{commit}.json", json.dumps(record).encode())


async def _fetch_commit(origin: UpstreamRepository, bare: Path, sha: str) -> str:
    """Bring a commit into a repository, alone where the server gives single commits.

    Returns:
        Its SHA, once it is sure that the object is a commit or a tag of one.
    """
    fetch = ["-C", str(bare), "fetch", "--quiet", "--no-tags"]
    try:
        shallow = [*fetch, "--depth=1", "--", origin.url, sha]
        await run_git(origin, shallow, seconds=FETCH_SECONDS)
    except SilentError:
        raise
    except UpstreamError:
        # Some servers hand out only what a branch or tag points to.
        whole = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        await run_git(origin, [*fetch, "--", origin.url, *whole], seconds=FETCH_SECONDS)
    try:
        peel = ["-C", str(bare), "rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}"]
        return (await run_git(origin, peel)).decode().strip()
    except UpstreamError as error:
        raise UpstreamError(
            f"{origin.given} has no commit {sha}",
            hint="give a branch, a tag or a commit's SHA with --upstream-ref",
        ) from error


async def _init_bare(origin: UpstreamRepository, path: Path, commit: str) -> None:
    form = "sha256" if len(commit) == SHA_256_DIGITS else "sha1"
    init = ["init", "--quiet", "--bare", f"--object-format={form}", str(path)]
    await run_git(origin, init)
    attributes = path / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text(_PLAIN)


@dataclass(frozen=True, kw_only=True)
class KeptCommit:
    """A commit as a store has it.

    Attributes:
        committed: the commit's time, seconds since the epoch.
        files: content by path below `collector/`.
        left_out: what lies there and is in no build, each with the reason.
    """

    committed: int
    files: Tree = field(repr=False)
    left_out: tuple[str, ...] = ()


def read_commit(store: Path, commit: str) -> KeptCommit | None:
    """Return a commit as a store has it; None where it is absent or broken."""
    try:
        record = json.loads((store / f"{commit}.json").read_bytes())
        tar = (store / f"{commit}.tar").read_bytes()
        if hashlib.sha256(tar).hexdigest() != record["sha256"]:
            return None
        content, left_out = _tar_files(tar, commit)
        return KeptCommit(committed=int(record["committed"]), files=content, left_out=left_out)
    except _BROKEN:
        return None


def name_problem(path: str) -> str:
    """Return why a build cannot have a file of this name; empty if it can."""
    if "\\" in path:
        return "a backslash in its name"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "a name that is not UTF-8"
    return ""


def left_out_note(path: str, why: str) -> str:
    """Return a path that is in no build with the reason, in characters that can be printed."""
    return f"{path.encode(errors='backslashreplace').decode()} ({why})"


def _tar_files(tar: bytes, commit: str) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files below collector/ in a tar, with links followed; and what is left out."""
    content: dict[str, bytes] = {}
    left_out: list[str] = []
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        members = {member.name: member for member in archive}
        for name, member in members.items():
            if not (member.isreg() or member.isdir() or member.issym()):
                raise not_upstream(f"{name} at {commit[:12]} is neither a file nor a link")
            found = _linked(members, member) if member.issym() else {name: member}
            if not found and name.startswith(f"{FOLDER}/"):
                left_out.append(left_out_note(name, "it leads to no file of the repository"))
            for path, each in found.items():
                inside = path.startswith(f"{FOLDER}/")
                if why := name_problem(path):
                    left_out += [left_out_note(path, why)] if inside else []
                    continue
                relative = files.safe_path(path.removeprefix(f"{FOLDER}/"))
                if each.isreg() and inside:
                    stream = archive.extractfile(each)
                    content[relative] = stream.read() if stream else b""
    return content, tuple(left_out)


def _linked(
    members: Mapping[str, tarfile.TarInfo], link: tarfile.TarInfo
) -> dict[str, tarfile.TarInfo]:
    """The files that a symbolic link stands for, by the paths that they have through it.

    There are none for a link out of the tar, in a circle, or to a folder that it lies in.
    """
    found = _followed(members, link)
    if found is None or link.name.startswith(f"{found.name}/"):
        return {}
    if found.isreg():
        return {link.name: found}
    below = f"{found.name}/"
    inside = {
        f"{link.name}/{name.removeprefix(below)}": _followed(members, member)
        for name, member in members.items()
        if name.startswith(below)
    }
    return {path: each for path, each in inside.items() if each and each.isreg()}


def _followed(
    members: Mapping[str, tarfile.TarInfo], member: tarfile.TarInfo
) -> tarfile.TarInfo | None:
    """The member that a symbolic link leads to; None for a link out of the tar or in a circle."""
    found: tarfile.TarInfo | None = member
    for _ in members:
        if found is None or not found.issym():
            return found
        found = members.get(_target(found))
    return None if found is None or found.issym() else found


def _target(link: tarfile.TarInfo) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(link.name), link.linkname))
