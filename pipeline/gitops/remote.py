"""The repository to which changes are pushed: its address, git's requests to it, and their errors.

The token reaches git in the environment alone, and git offers it to the address's own host. A
request that reads is repeated a few times if the server fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from pipeline import process
from pipeline.build.git import (
    FETCH_SECONDS,
    GITOPS_VARIABLE,
    SCP_URL,
    environment,
    takes_token,
)
from pipeline.errors import RUN_AGAIN, GitOpsError, ToolchainError, UsageError, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

# Attempts of a request that reads, with pauses of 1 and 2 seconds.
ATTEMPTS = 3
_OWNER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_SCHEMES = ("https", "http", "ssh", "file")

# Git's own settings that could add something to what is asked for: hooks, signatures, more refs.
_FIXED = (
    *("-c", "protocol.ext.allow=never", "-c", "core.hooksPath=/dev/null"),
    *("-c", "push.followTags=false", "-c", "push.gpgSign=false"),
    *("-c", "push.recurseSubmodules=no", "-c", "push.useForceIfIncludes=false"),
    *("-c", "fetch.recurseSubmodules=no", "-c", "gc.auto=0"),
)

# Parts of git's messages, in English by LC_ALL=C.
_REFUSED = re.compile(
    r"Authentication failed|could not read (Username|Password)|returned error: 40[13]"
    r"|Permission denied|Permission to \S+ denied|[Aa]ccess denied|[Ww]rite access"
)
_UNKNOWN = re.compile(
    r"[Rr]epository .*not found|returned error: 404|does not appear to be a git repository"
    r"|Repository not found|does not exist"
)
_UNANSWERED = re.compile(
    r"returned error: (429|5\d\d)|Connection (reset|refused|timed out)|Could not resolve host"
    r"|Failed to connect|early EOF|hung up|Empty reply|RPC failed|[Oo]peration too slow|timed out"
    r"|unexpected disconnect|expected flush|invalid index-pack output|Connection closed"
    r"|expected (response end|'packfile'|'acknowledgments')|bad line length|end of file"
)


class UnansweredError(GitOpsError):
    """Error for a request that the repository's server has not answered, or not properly."""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A GitOps repository.

    Attributes:
        given: as the user or the configuration names it.
        url: for git.
        token: for its server; empty for none.
    """

    given: str
    url: str
    token: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """The server's name; empty for a repository on this machine."""
        if SCP_URL.match(self.url):
            return self.url.partition("@")[2].partition(":")[0]
        return urlsplit(self.url).hostname or ""

    @property
    def path(self) -> str:
        """The path on the server, such as owner/name."""
        is_scp = SCP_URL.match(self.url)
        path = self.url.partition(":")[2] if is_scp else urlsplit(self.url).path
        return path.strip("/").removesuffix(".git")

    @property
    def page(self) -> str:
        """The address of the repository's web page; empty if it cannot be known."""
        scheme = urlsplit(self.url).scheme if not SCP_URL.match(self.url) else "ssh"
        if scheme in ("https", "http"):
            return f"{scheme}://{urlsplit(self.url).netloc}/{self.path}"
        return f"https://{self.host}/{self.path}" if scheme == "ssh" else ""


def remote(given: str, token: str = "") -> Remote:
    """Return the GitOps repository of a name: owner/name on GitHub, a git URL, or a path.

    Raises:
        UsageError: it is none of these, carries credentials, or would get the token unencrypted.
    """
    if given.startswith((".", "/", "~")):
        return Remote(given=given, url=_local(given))
    if _OWNER_NAME.fullmatch(given):
        url = f"https://github.com/{given.removesuffix('.git')}.git"
        return Remote(given=given, url=url, token=token)
    if SCP_URL.match(given):
        return Remote(given=given, url=given, token=token)
    try:
        parts = urlsplit(given)
    except ValueError:
        parts = urlsplit("")
    if "@" in parts.netloc.removeprefix("git@") or parts.query or parts.fragment:
        raise UsageError(
            "the GitOps repository's URL carries credentials, or a query, which may hold some",
            hint=f"leave them out, and set {GITOPS_VARIABLE}",
        )
    if (
        parts.scheme not in _SCHEMES
        or not (parts.netloc or parts.scheme == "file")
        or re.search(r"[\s\x00-\x20\x7f]", given)
    ):
        raise UsageError(
            f"{quoted(given)} is no GitOps repository",
            hint="give a git URL such as https://github.com/owner/name.git, or a path that starts "
            "with ./ or /",
        )
    if token and parts.scheme == "http" and not takes_token(given):
        raise UsageError(
            f"{quoted(given)} would get the token unencrypted", hint="give the https address"
        )
    return Remote(given=given, url=given, token=token)


def _local(given: str) -> str:
    try:
        path = Path(given).expanduser().resolve()
        present = (path / ".git").exists() or (path / "objects").is_dir()
    except (RuntimeError, ValueError, OSError):  # no such user, a NUL
        path, present = Path(given), False
    if not present:
        raise UsageError(f"{quoted(given)} is no git repository", hint="check the path")
    return str(path)


async def run_git(origin: Remote, arguments: Sequence[str], data: bytes | None = None) -> bytes:
    """Run git within a time, and return its output.

    Args:
        origin: the repository, whose token git may offer.
        arguments: of git.
        data: standard input.

    Raises:
        UnansweredError: the server does not answer.
        GitOpsError: git failed; its own lines are the details.
        ToolchainError: git is missing.
    """
    code, output, errors = await git_result(origin, arguments, data)
    if code:
        raise failure(origin, errors)
    return output


async def read_remote(origin: Remote, arguments: Sequence[str]) -> bytes:
    """Run git as `run_git` does; a request that the server does not answer is repeated."""
    for attempt in range(1, ATTEMPTS):
        try:
            return await run_git(origin, arguments)
        except UnansweredError:
            await anyio.sleep(2 ** (attempt - 1))
    return await run_git(origin, arguments)


async def git_result(
    origin: Remote, arguments: Sequence[str], data: bytes | None = None
) -> tuple[int, bytes, str]:
    """Return git's exit code, output and messages.

    Raises:
        UnansweredError: it did not end in time.
        ToolchainError: git is missing.
    """
    command = ["git", *_FIXED, *arguments]
    env = environment(origin.url, origin.token)
    try:
        with anyio.move_on_after(FETCH_SECONDS):
            return await process.read_output(command, env=env, data=data)
    except FileNotFoundError as error:
        raise ToolchainError("git is not installed", hint="install git") from error
    raise UnansweredError(
        f"{origin.given} did not answer within {FETCH_SECONDS} seconds", hint=RUN_AGAIN
    )


def is_unanswered(errors: str) -> bool:
    """Return True if git's messages say that the server failed, or was not reached."""
    return _UNANSWERED.search(errors) is not None


def failure(origin: Remote, errors: str) -> GitOpsError:
    """Return the error for a run of git that failed with these messages."""
    lines = tuple(process.masked(line) for line in errors.splitlines() if line.strip())
    if is_unanswered(errors):
        kind, hint = UnansweredError, f"check the network, then {RUN_AGAIN}"
        return kind(f"{origin.given} does not answer", hint=hint, details=lines)
    if _REFUSED.search(errors):
        message, hint = f"{origin.given} refuses access", _access(origin)
    elif _UNKNOWN.search(errors):
        message = f"there is no GitOps repository {origin.given}, or it is not shown to this token"
        hint = f"check the name: --repository, or config/gitops.yaml; {_access(origin)}"
    else:
        message, hint = f"git failed on {origin.given}", "see git's own lines"
    return GitOpsError(message, hint=hint, details=lines)


def _access(origin: Remote) -> str:
    if not takes_token(origin.url):
        return "check that you may read and push it"
    if not origin.token:
        return f"set {GITOPS_VARIABLE} to a token that may write contents and pull requests"
    return (
        "give the token access to this repository, with the permissions Contents and Pull "
        "requests: Read and write"
    )
