"""The source of a release: which commit it is, and its files in a folder.

A commit is fetched alone, and its files are written as git stores them: no attributes, filters,
hooks or submodules have an effect, and no LFS object is fetched. `--source` takes the commit of a
local checkout instead.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread

from pipeline import progress
from pipeline.build.commits import commit_of, commit_time, fetch_commit, init_bare
from pipeline.build.git import (
    CREDENTIAL_VARIABLE,
    FETCH_SECONDS,
    UpstreamRepository,
    access_hint,
    run_git,
)
from pipeline.build.refs import FULL_SHA, find_ref
from pipeline.config.entries import LFS_POINTER, suggestion
from pipeline.errors import GitOpsError, UpstreamError, UsageError, quoted
from pipeline.files import ensure_writable, output_errors
from pipeline.gitops.parameters import BuildParameters, DockerBuild
from pipeline.gitops.remote import ATTEMPTS, is_unanswered

Result = TypeVar("Result")

LANE = "source"
_LONGEST_POINTER = 1024  # bytes: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
_SHOWN = 10  # lines of git's status in an error


@dataclass(frozen=True, kw_only=True)
class SourceCommit:
    """A commit of the source.

    Attributes:
        sha: the full SHA.
        committed: its time, in seconds since the epoch.
        folder: the root of a local checkout that has it; None for a repository on a server.
    """

    sha: str
    committed: int
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class SourceCheckout:
    """The files of a commit in a folder.

    Attributes:
        url: of the repository.
        commit: the full SHA.
        committed: its time, in seconds since the epoch; also that of all files.
        folder: has the files of the repository's root.
        submodules: paths of folders that are empty, since they are other repositories.
        pointers: paths of files whose content is in Git LFS.
    """

    url: str
    commit: str
    committed: int
    folder: Path
    submodules: tuple[str, ...]
    pointers: tuple[str, ...]


async def resolve_commit(url: str, *, branch: str, commit: str, cache: Path) -> SourceCommit:
    """Return the commit that is released.

    Args:
        url: of the repository.
        branch: its newest commit counts if no other is given.
        commit: SHA, short SHA, tag or branch; empty for none.
        cache: ocelot's; it keeps the SHAs of histories in which a short one was looked up.

    Raises:
        GitOpsError: the repository cannot be read, or has no such commit.
        ToolchainError: git is missing.
    """
    origin = UpstreamRepository(given=url, url=url)
    with progress.step(LANE, f"resolve {commit or branch}") as step, _source_errors(origin):
        sha = commit.lower()
        if not FULL_SHA.match(sha):
            look = partial(
                find_ref,
                origin,
                commit or branch,
                cache / "sources",
                option="--commit" if commit else "--revision-branch",
                is_branch=not commit,
            )
            sha = (await _retried(look)).commit
        async with _fetched(origin, sha, "--filter=tree:0") as (bare, peeled):
            committed = await commit_time(origin, bare, peeled)
        step.result = peeled[:12]
    return SourceCommit(sha=peeled, committed=committed)


async def local_commit(folder: Path, commit: str) -> SourceCommit:
    """Return the commit of a local checkout.

    Args:
        folder: the checkout, or a folder in it.
        commit: the one that it must be; empty for any.

    Raises:
        UsageError: the folder is no checkout, has changes, or is at another commit.
        ToolchainError: git is missing.
    """
    hint = "give the folder of a git checkout with --source"
    origin = local_origin(folder)
    try:
        root = Path(os.fsdecode((await git_inside(origin, "rev-parse", "--show-toplevel")).strip()))
        sha = await commit_of(origin, root, "HEAD")
        changes = os.fsdecode(await git_inside(origin, "status", "--porcelain=v1"))
        wanted = await commit_of(origin, root, commit) if commit else sha
    except UpstreamError as error:
        details = (str(error), *error.details)
        raise UsageError(f"{folder} cannot be used", hint=hint, details=details) from error
    _check_clean(folder, changes)
    if wanted != sha:
        raise UsageError(
            f"{folder} is at commit {sha[:12]}, and {commit} is {wanted[:12]}",
            hint=f"check it out: git checkout {wanted}",
        )
    committed = await commit_time(origin, root, sha)
    return SourceCommit(sha=sha, committed=committed, folder=root)


def _check_clean(folder: Path, changes: str) -> None:
    if changes:
        raise UsageError(
            f"{folder} has changes that are in no commit",
            hint="commit them, stash them, or have git ignore them",
            details=tuple(changes.splitlines()[:_SHOWN]),
        )


async def remote_urls(folder: Path) -> tuple[str, ...]:
    """Return the URLs of the remote repositories that a local checkout knows."""
    try:
        output = await git_inside(
            local_origin(folder), "config", "--get-regexp", r"^remote\..*\.url$"
        )
    except UpstreamError:  # there is none
        return ()
    return tuple(os.fsdecode(line).partition(" ")[2] for line in output.splitlines())


async def checkout(url: str, commit: SourceCommit, folder: Path) -> SourceCheckout:
    """Write the files of a commit into a folder.

    Args:
        url: of the repository.
        commit: see `resolve_commit` and `local_commit`.
        folder: empty, or not there yet.

    Raises:
        GitOpsError: the commit cannot be read, or has a path that no checkout can have.
        OutputError: the folder cannot be written.
    """
    local = commit.folder
    origin = UpstreamRepository(given=url, url=url) if local is None else local_origin(local)
    ensure_writable(folder)
    fetched = _fetched(origin, commit.sha) if local is None else _borrowed(origin, commit.sha)
    with progress.step(LANE, f"check out {commit.sha[:12]}"), _source_errors(origin):
        async with fetched as (bare, _):
            tar = bare.parent / "commit.tar"
            archive = ["archive", "--format=tar", f"--output={tar}", commit.sha]
            await run_git(origin, ["-C", str(bare), *archive], seconds=FETCH_SECONDS)
            submodules, pointers = await to_thread.run_sync(_extract, tar, folder, commit.committed)
    _note_missing("submodules are", submodules)
    _note_missing("Git LFS is", pointers)
    return SourceCheckout(
        url=url,
        commit=commit.sha,
        committed=commit.committed,
        folder=folder,
        submodules=submodules,
        pointers=pointers,
    )


def _note_missing(what: str, paths: tuple[str, ...]) -> None:
    if paths:
        progress.note(f"{what} not fetched: {', '.join(paths[:_SHOWN])}")


def check_paths(folder: Path, parameters: BuildParameters) -> None:
    """Check that the folders and files that parameters name are in a source.

    Raises:
        GitOpsError: one is missing, something else, or reached through a symbolic link.
    """
    build = parameters.build
    _check_path(folder, "appPath", parameters.app_path, is_folder=True)
    if isinstance(build, DockerBuild):
        _check_path(folder, "docker.context", build.context, is_folder=True)
        _check_path(folder, "docker.filePath", build.dockerfile, is_folder=False)


def _check_path(folder: Path, parameter: str, path: str, *, is_folder: bool) -> None:
    at, parts = folder, [] if path == "." else path.split("/")
    hint = f"correct {parameter} of the Component, or give the option"
    for part in parts:
        names = {each.name for each in at.iterdir()} if at.is_dir() else set[str]()
        if part not in names:
            near = suggestion(part, names)
            raise GitOpsError(f"{parameter}: the source has no {quoted(path)}{near}", hint=hint)
        at /= part
        if at.is_symlink():
            raise GitOpsError(
                f"{parameter}: {at.relative_to(folder)} in the source is a symbolic link",
                hint="give the path that it leads to",
            )
    if is_folder != at.is_dir():
        kind = "a folder" if is_folder else "a file"
        raise GitOpsError(f"{parameter}: {quoted(path)} in the source is not {kind}", hint=hint)


def local_origin(folder: Path) -> UpstreamRepository:
    """Return a checkout on this machine as a repository.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="give one with --source")
    return UpstreamRepository(given=str(folder), url=str(folder.resolve()))


async def git_inside(origin: UpstreamRepository, *arguments: str) -> bytes:
    """Run git in a local checkout; a program that the checkout names to watch it is not started."""
    return await run_git(origin, ["-c", "core.fsmonitor=false", "-C", origin.url, *arguments])


@asynccontextmanager
async def _fetched(
    origin: UpstreamRepository, sha: str, *filters: str
) -> AsyncGenerator[tuple[Path, str]]:
    """Fetch a commit into a temporary repository; yields that, and the SHA of a tag's commit."""
    with tempfile.TemporaryDirectory(prefix="ocelot-source-") as temporary:
        bare = Path(temporary) / "repository.git"
        await init_bare(origin, bare, sha)
        yield bare, await _retried(partial(fetch_commit, origin, bare, sha, filters=filters))


@asynccontextmanager
async def _borrowed(origin: UpstreamRepository, sha: str) -> AsyncGenerator[tuple[Path, str]]:
    """Yield a temporary repository that has the objects of a local one, and not its settings."""
    objects = os.fsdecode((await git_inside(origin, "rev-parse", "--git-path", "objects")).rstrip())
    with tempfile.TemporaryDirectory(prefix="ocelot-source-") as temporary:
        bare = Path(temporary) / "repository.git"
        await init_bare(origin, bare, sha)
        alternates = bare / "objects" / "info" / "alternates"
        alternates.write_bytes(os.fsencode(Path(origin.url, objects)) + b"\n")
        yield bare, sha


async def _retried(read: Callable[[], Awaitable[Result]]) -> Result:
    """Return what is read; a request that the server does not answer is repeated."""
    for attempt in range(1, ATTEMPTS):
        try:
            return await read()
        except UpstreamError as error:
            if not is_unanswered("\n".join(error.details)):
                raise
        await anyio.sleep(2 ** (attempt - 1))
    return await read()


@contextmanager
def _source_errors(origin: UpstreamRepository) -> Generator[None]:
    """Raise errors of reading a repository as errors about the source."""
    try:
        yield
    except UpstreamError as error:
        is_access = error.hint == access_hint(origin)
        hint = _access(origin) if is_access else error.hint
        raise GitOpsError(str(error), hint=hint, details=error.details) from error


def _access(origin: UpstreamRepository) -> str:
    if origin.clone:
        return "check that the folder is a git repository that you may read"
    if not origin.url.startswith("http"):
        return f"check that your ssh can read it: git ls-remote {origin.given}"
    if os.environ.get(CREDENTIAL_VARIABLE):
        return f"check the URL, and that the token in {CREDENTIAL_VARIABLE} may read the repository"
    return f"check the URL; for a private repository set {CREDENTIAL_VARIABLE} to a token for it"


def _extract(tar: Path, folder: Path, time: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the files of an archive, and then its links: nothing is written through one.

    Returns:
        Paths of submodules and of pointers to Git LFS.
    """
    folders, pointers = set[str](), list[str]()
    links: list[tarfile.TarInfo] = []
    with tarfile.open(tar, mode="r:") as archive, output_errors(folder):
        for member in archive:
            path = folder / _checked(member)
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
                folders.add(member.name.rstrip("/"))
            elif member.issym():
                links.append(member)
            elif _write(path, archive, member):
                pointers.append(member.name)
        for link in links:
            with _alone(link.name):
                (folder / link.name).symlink_to(link.linkname)
        submodules = sorted(each for each in folders if not any((folder / each).iterdir()))
        _set_times(folder, time)
    return tuple(submodules), tuple(sorted(pointers))


def _checked(member: tarfile.TarInfo) -> str:
    """Return the path of a file, folder or link that stays in its folder, and is none of git's."""
    name = member.name.rstrip("/")
    is_kind = member.isreg() or member.isdir() or member.issym()
    if not is_kind or {"", ".", "..", ".git"} & set(name.lower().split("/")):
        raise GitOpsError(
            f"the source has {quoted(name)}, which no checkout can have",
            hint="remove it from the repository",
        )
    return name


def _write(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
    """Write a file; return True if it is a pointer to Git LFS."""
    stream, start = archive.extractfile(member), b""
    with _alone(member.name):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while stream and (part := stream.read(1 << 20)):
                start = start or part
                file.write(part)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)
    return member.size < _LONGEST_POINTER and start.startswith(LFS_POINTER.encode())


@contextmanager
def _alone(name: str) -> Generator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise GitOpsError(
            f"the source has {quoted(name)} twice, in two spellings or as file and folder",
            hint="rename one of them in the repository",
        ) from error


def _set_times(folder: Path, time: int) -> None:
    """Give a folder and all in it the same time, so that images of a commit differ less."""
    for root, names, files in os.walk(folder, topdown=False):
        for each in (*names, *files):
            os.utime(Path(root, each), (time, time), follow_symlinks=False)
    os.utime(folder, (time, time))
