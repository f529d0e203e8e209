"""The upstream collector: which repository, which commit, which files.

A ref is resolved to a commit first; the commit's `collector/` folder is then fetched shallow and
kept in the user cache as one tar a commit, with its checksum beside it. A second build of the same
commit asks the network for at most one `ls-remote`, and for nothing where the ref is a full SHA.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from pipeline import files, process
from pipeline.config import perhaps
from pipeline.errors import ToolchainError, UpstreamError, UsageError
from pipeline.progress import Progress

SAMPLE = "sample"
FOLDER = "collector"
LANE = "upstream"

LS_REMOTE_SECONDS = 60
FETCH_SECONDS = 600
FULL_SHA = re.compile(r"^([0-9a-f]{40}|[0-9a-f]{64})$")
SHORT_SHA = re.compile(r"^[0-9a-f]{4,63}$")
# A subset of what `git check-ref-format` allows, without a leading dash.
REF = re.compile(r"^(?!-)(?!.*(\.\.|@\{|//))[A-Za-z0-9._/+@-]{1,200}(?<![./])$")
OWNER_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$")
SCP_URL = re.compile(r"^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s]+$")
SCHEMES = ("https", "http", "ssh", "git", "file")

# Git's own settings that would change where it works, when ocelot is started from a git hook.
_GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


@dataclass(frozen=True, kw_only=True)
class Repository:
    """Where upstream's sources come from.

    Attributes:
        given: what the user typed; it stands in the manifest.
        url: what git is given; empty for a plain folder.
        folder: a folder that is no git repository and is taken as it is.
    """

    given: str
    url: str = ""
    folder: Path | None = None


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
        return Repository(given=given, url=f"https://github.com/{given}.git")
    if SCP_URL.match(given):
        return Repository(given=given, url=given)
    parts = urlsplit(given)
    if parts.scheme not in SCHEMES or not (parts.netloc or parts.scheme == "file"):
        raise UsageError(
            f"upstream repository {_redacted(given)!r} is no repository",
            hint="give owner/name, a git URL (https, ssh, file), a path that starts with ./ or /, "
            "or sample",
        )
    if parts.password or (parts.username and parts.scheme in ("http", "https")):
        raise UsageError(
            f"the upstream URL for {parts.hostname} carries credentials",
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


async def fetch_source(origin: Repository, ref: str, *, cache: Path, progress: Progress) -> Source:
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
        return _folder_source(origin, ref, origin.folder), "read"
    store = cache / "upstream"
    commit = await _resolve(origin, ref, store, progress)
    cached = _read_cached(store, commit)
    how = "from the cache" if cached else "fetched"
    if cached is None:
        progress.end(LANE, commit[:12])
        progress.begin(LANE, f"fetch {commit[:12]}")
        await _download(origin, ref, commit, store, progress)
        cached = _read_cached(store, commit)
    if cached is None:
        raise UpstreamError(
            f"the cache entry of {commit} is broken right after it was written",
            hint=f"check the disk that holds {store}",
        )
    committed, tar = cached
    source = Source(
        repository=origin.given,
        ref=ref,
        commit=commit,
        committed=committed,
        files=_tar_files(tar, commit),
    )
    return source, how


def _local_repository(given: str) -> Repository:
    path = Path(given).expanduser().resolve()
    if not path.is_dir():
        raise UsageError(f"upstream folder {given} does not exist", hint="check the path")
    if (path / ".git").exists() or (path / "objects").is_dir():
        return Repository(given=given, url=str(path))
    return Repository(given=given, folder=path)


def _folder_source(origin: Repository, ref: str, folder: Path) -> Source:
    root = folder / FOLDER
    if not root.is_dir():
        sample = " in this installation: it comes with a checkout" if origin.given == SAMPLE else ""
        raise UpstreamError(
            f"{origin.given} has no folder {FOLDER}/{sample}",
            hint=f"give a folder that has upstream's {FOLDER}/ in it, or run ocelot in a checkout",
        )
    content = files.read_tree(root)
    return Source(
        repository=origin.given,
        ref=ref,
        commit=files.tree_digest(content, "sha1"),
        committed=0,
        files=content,
    )


async def _resolve(origin: Repository, ref: str, store: Path, progress: Progress) -> str:
    """The full SHA that a ref means, asking as little as possible."""
    if FULL_SHA.match(ref):
        return ref
    heads = await _ls_remote(
        origin, f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}", ref
    )
    for name in (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}", ref):
        if name in heads:
            return heads[name]
    if SHORT_SHA.match(ref):
        return await _resolve_short(origin, ref, store, progress)
    known = {name.split("/", 2)[-1] for name in await _ls_remote(origin, "refs/*")}
    raise UpstreamError(
        f"{origin.given} has no branch or tag {ref!r}{perhaps(ref, known)}",
        hint="give a branch, a tag or a commit's SHA with --upstream-ref",
    )


async def _ls_remote(origin: Repository, *patterns: str) -> dict[str, str]:
    """Remote refs by full name."""
    text = await _git(origin, ["ls-remote", "--", origin.url, *patterns], seconds=LS_REMOTE_SECONDS)
    rows = [line.split("\t", 1) for line in text.decode().splitlines() if "\t" in line]
    return {name: commit for commit, name in rows}


async def _resolve_short(origin: Repository, ref: str, store: Path, progress: Progress) -> str:
    """A short SHA, looked up in the history, of which only the commits are fetched and kept."""
    name = hashlib.sha256(origin.url.encode()).hexdigest()[:16]
    history = store / f"history-{name}.git"
    await _init_bare(origin, history)  # does nothing to one that is there
    found = await _candidates(history, ref)
    if not found:
        progress.line(LANE, "reading the history for a short SHA")
        wanted = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        fetch = ["fetch", "--quiet", "--no-auto-gc", "--filter=tree:0", "--", origin.url, *wanted]
        await _git(origin, ["-C", str(history), *fetch], seconds=FETCH_SECONDS)
        found = await _candidates(history, ref)
    if len(found) == 1:
        return found[0]
    raise UpstreamError(
        f"{origin.given} has {'more than one' if found else 'no'} commit {ref}",
        hint="give more of the SHA" if found else "give a branch, a tag or a commit's SHA",
        details=found,
    )


async def _candidates(history: Path, ref: str) -> tuple[str, ...]:
    """The commits whose SHA begins with the ref."""
    command = ["-C", str(history), "rev-list", "--all"]
    code, output, _errors = await process.read_output(["git", *command], env=_git_environment())
    commits = output.decode().split() if code == 0 else []
    return tuple(commit for commit in commits if commit.startswith(ref))


async def _init_bare(origin: Repository, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    await _git(origin, ["init", "--quiet", "--bare", str(path)], seconds=LS_REMOTE_SECONDS)


async def _download(
    origin: Repository, ref: str, commit: str, store: Path, progress: Progress
) -> None:
    """Fetch one commit shallow and keep its collector/ as a tar."""
    files.check_writable(store)
    with tempfile.TemporaryDirectory(dir=store, prefix=".fetch-") as temporary:
        bare = Path(temporary) / "repository.git"
        await _init_bare(origin, bare)
        fetch = ["-C", str(bare), "fetch", "--quiet", "--no-tags"]
        try:
            shallow = [*fetch, "--depth=1", "--", origin.url, commit]
            await _git(origin, shallow, seconds=FETCH_SECONDS)
        except UpstreamError:
            # Some servers hand out only what a branch or tag points to.
            progress.line(LANE, "the server gives no single commits; fetching the history")
            whole = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
            await _git(origin, [*fetch, "--", origin.url, *whole], seconds=FETCH_SECONDS)
        show = ["-C", str(bare), "show", "-s", "--format=%ct", f"{commit}^{{commit}}"]
        committed = int(await _git(origin, show, seconds=LS_REMOTE_SECONDS))
        listing = ["-C", str(bare), "ls-tree", "-d", commit, "--", FOLDER]
        if not await _git(origin, listing, seconds=LS_REMOTE_SECONDS):
            raise not_upstream(f"{origin.given} at {ref} ({commit[:12]}) has no folder {FOLDER}/")
        # Attributes of the user's machine must not change a byte.
        plain = ["-c", "core.autocrlf=false", "-c", "core.eol=lf"]
        plain += ["-c", f"core.attributesFile={os.devnull}"]
        archive = ["-C", str(bare), *plain, "archive", "--format=tar", commit, "--", FOLDER]
        tar = await _git(origin, archive, seconds=FETCH_SECONDS)
    record = {"sha256": hashlib.sha256(tar).hexdigest(), "committed": committed}
    files.write_atomic(store / f"{commit}.tar", tar)
    files.write_atomic(store / f"{commit}.json", json.dumps(record).encode())


def _read_cached(store: Path, commit: str) -> tuple[int, bytes] | None:
    """Commit time and tar of a cache entry; None where it is absent or broken."""
    try:
        record = json.loads((store / f"{commit}.json").read_bytes())
        tar = (store / f"{commit}.tar").read_bytes()
        if hashlib.sha256(tar).hexdigest() != record["sha256"]:
            return None
        return int(record["committed"]), tar
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _tar_files(tar: bytes, commit: str) -> dict[str, bytes]:
    """The files below collector/ in a tar; links inside it are followed."""
    content: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            if member.isdir():
                continue
            path = files.safe_path(member.name.removeprefix(f"{FOLDER}/"))
            try:
                stream = archive.extractfile(member)
            except KeyError:
                stream = None
            if stream is None:
                raise not_upstream(f"{member.name} at {commit[:12]} is a link out of {FOLDER}/")
            content[path] = stream.read()
    return content


def not_upstream(message: str) -> UpstreamError:
    """The error for a repository that is not of upstream's shape."""
    return UpstreamError(
        message,
        hint="the repository must be of the shape of open-telemetry/opentelemetry-lambda; "
        "check --upstream-repo and --upstream-ref",
    )


async def _git(origin: Repository, arguments: list[str], *, seconds: float) -> bytes:
    """Run git within a time and give its output.

    Raises:
        UpstreamError: git failed or took too long; its own lines are the details.
        ToolchainError: git is missing.
    """
    command = ["git", "-c", "protocol.ext.allow=never", *arguments]
    result = None
    try:
        with anyio.move_on_after(seconds):
            result = await process.read_output(command, env=_git_environment())
    except FileNotFoundError as error:
        raise ToolchainError("git is not installed", hint="install git") from error
    if result is None:
        raise UpstreamError(
            f"{_host(origin)} did not answer within {seconds:.0f} seconds",
            hint=ways_on(origin),
        )
    code, output, errors = result
    if code != 0:
        raise UpstreamError(
            f"git could not read {origin.given} from {_host(origin)}",
            hint=ways_on(origin),
            details=tuple(line for line in errors.splitlines() if line.strip()),
        )
    return output


def ways_on(origin: Repository) -> str:
    """What to do where a repository does not answer."""
    if not urlsplit(origin.url).scheme and not SCP_URL.match(origin.url):
        return "check that the folder is a git repository that you may read"
    return (
        "check the name and the network; for a private repository set up git's credential helper "
        "(gh auth setup-git). Ways on without it: --upstream-repo <URL of a mirror>, "
        "--upstream-repo <path of a local clone>, or --upstream-repo sample to try ocelot out"
    )


def _host(origin: Repository) -> str:
    if SCP_URL.match(origin.url):
        return origin.url.partition("@")[2].partition(":")[0]
    return urlsplit(origin.url).hostname or "this machine"


def _git_environment() -> dict[str, str]:
    """Our environment for git: no prompts, no foreign repository, an end to stalled transfers."""
    kept = {name: value for name, value in os.environ.items() if name not in _GIT_PLACES}
    stall = {"GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": "30"}
    return {**stall, **kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _redacted(text: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", text)
