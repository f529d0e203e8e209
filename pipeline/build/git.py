"""The one runner of git: no prompts, nothing of a surrounding repository, an end to every wait."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import anyio

from pipeline import process
from pipeline.errors import ToolchainError, UpstreamError, UsageError
from pipeline.naming import is_one_word

# The token for a private repository: the password of the user that GitHub and GitLab take with one.
CREDENTIAL_VARIABLE = "OCELOT_GIT_TOKEN"
# The same for the GitOps repository, and for its pull requests.
GITOPS_VARIABLE = "OCELOT_GITOPS_TOKEN"
TOKEN_VARIABLES = (CREDENTIAL_VARIABLE, GITOPS_VARIABLE)
# Git runs this by a shell. The token stays in the environment; $1 is the operation, `get` to read.
_TOKEN_HELPER = (
    f"!f() {{ test \"$1\" = get && printf 'username=x-access-token\\npassword=%s\\n' "
    f'"${CREDENTIAL_VARIABLE}"; }}; f'
)

QUICK_SECONDS = 60
FETCH_SECONDS = 600
SCP_URL = re.compile(r"^(?!-)[A-Za-z0-9._-]+@(?!-)[A-Za-z0-9.-]+:[^\s]+\Z")

# No prompt, messages that can be read here, and no fetch of missing objects one by one: of a local
# clone that lacks some, git would start a process for each.
_FIXED = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}

# Git's own settings that would change where it works, when ocelot is started from a git hook.
# `git rev-parse --local-env-vars`, less configuration, and what a server's hooks are given.
_GIT_PLACES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE"),
    *("GIT_IMPLICIT_WORK_TREE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE"),
    *("GIT_QUARANTINE_PATH", "GIT_DEFAULT_HASH"),
)


@dataclass(frozen=True, kw_only=True)
class UpstreamRepository:
    """Where upstream's sources come from.

    Attributes:
        given: the repository as the user typed it; the manifest has it.
        url: the URL for git; empty for a plain folder.
        folder: a folder that is no git repository and is taken as it is.
    """

    given: str
    url: str = ""
    folder: Path | None = None

    @property
    def clone(self) -> str:
        """The path of a clone on this machine, also one that a file URL names; else empty."""
        parts = urlsplit(self.url)
        if parts.scheme == "file":
            return unquote(parts.path)
        return self.url if Path(self.url).is_absolute() else ""

    @property
    def is_also_a_folder(self) -> bool:
        """True for owner/name where there is a folder of that path in the working folder."""
        is_github = self.url == f"https://github.com/{self.given.removesuffix('.git')}.git"
        return is_github and Path(self.given).is_dir()


class SilentError(UpstreamError):
    """A server that did not answer in time."""


async def run_git(
    origin: UpstreamRepository,
    arguments: list[str],
    *,
    seconds: float | None = None,
    data: bytes | None = None,
) -> bytes:
    """Run git within a time and give its output.

    Args:
        origin: the repository, for its environment and for errors.
        arguments: after `git`.
        seconds: the time; None for `QUICK_SECONDS`.
        data: standard input; None for an empty one.

    Raises:
        UpstreamError: git failed or took too long; its own lines are the details.
        ToolchainError: git is missing.
    """
    command = ["git", "-c", "protocol.ext.allow=never", *arguments]
    result, limit = None, QUICK_SECONDS if seconds is None else seconds
    try:
        with anyio.move_on_after(limit):
            result = await process.read_output(command, env=environment(origin.url), data=data)
    except FileNotFoundError as error:
        raise ToolchainError("git is not installed", hint="install git") from error
    if result is None:
        raise SilentError(
            f"{_host(origin)} did not answer within {limit:.0f} seconds",
            hint=access_hint(origin),
        )
    code, output, errors = result
    clone = origin.clone or origin.url
    if code != 0 and re.search("lazy fetching disabled|promisor remote", errors):
        raise UpstreamError(
            f"{origin.given} is a partial clone: it lacks objects that the build needs",
            hint=f"complete it: git -C {shlex.quote(clone)} fetch --refetch --no-filter",
            details=tuple(line for line in errors.splitlines() if line.strip()),
        )
    if code != 0:
        raise UpstreamError(
            f"git could not read {origin.given} from {_host(origin)}",
            hint=access_hint(origin),
            details=tuple(process.masked(line) for line in errors.splitlines() if line.strip()),
        )
    return output


def access_hint(origin: UpstreamRepository) -> str:
    """Return the hint for a repository that does not answer."""
    if not urlsplit(origin.url).scheme and not SCP_URL.match(origin.url):
        return "check that the folder is a git repository that you may read"
    if origin.is_also_a_folder:
        return f"for the folder of that name: --upstream-repo ./{origin.given}"
    return (
        "check the name and the network; for a private repository set up git's credential helper "
        "(gh auth setup-git). Ways on without it: --upstream-repo <URL of a mirror>, "
        "--upstream-repo <path of a local clone>, or --upstream-repo sample to try ocelot out"
    )


def _host(origin: UpstreamRepository) -> str:
    if SCP_URL.match(origin.url):
        return origin.url.partition("@")[2].partition(":")[0]
    return urlsplit(origin.url).hostname or "this machine"


def environment(url: str, token: str | None = None) -> dict[str, str]:
    """Our environment for git: no prompts, no foreign repository, an end to stalled transfers.

    Args:
        url: of the repository.
        token: offered to the URL's own host, if that is reached by https or on this machine; None
            for that of the variable `OCELOT_GIT_TOKEN`.

    Raises:
        UsageError: no token looks like this one.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _GIT_PLACES}
    given = kept.pop(CREDENTIAL_VARIABLE, "") if token is None else token
    kept = {name: value for name, value in kept.items() if name not in TOKEN_VARIABLES}
    stall = {"GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": "30"}
    return {**stall, **_with_token(kept, url, given), **_FIXED}


def takes_token(url: str) -> bool:
    """Return True if a token is sent to a URL's host: by https, or on this machine."""
    parts = urlsplit(url) if not SCP_URL.match(url) else urlsplit("")
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "127.0.0.1")


def _with_token(environment: dict[str, str], url: str, token: str) -> dict[str, str]:
    """The environment in which git offers the token to the URL's own host, if there is a token.

    The first setting removes the user's helpers: git would let them store the token.
    """
    if token and not is_one_word(token):
        raise UsageError(
            f"{CREDENTIAL_VARIABLE} has a blank, a line end or another character that no token has",
            hint="set it again without a blank or line end before, in or after it",
        )
    if not token or not takes_token(url):
        return environment
    parts = urlsplit(url)
    name = f"credential.{parts.scheme}://{parts.netloc}.helper"
    start = int(environment.get("GIT_CONFIG_COUNT") or 0)
    settings = {CREDENTIAL_VARIABLE: token, "GIT_CONFIG_COUNT": str(start + 2)}
    for at, value in enumerate(("", _TOKEN_HELPER), start):
        settings |= {f"GIT_CONFIG_KEY_{at}": name, f"GIT_CONFIG_VALUE_{at}": value}
    return {**environment, **settings}


async def list_refs(origin: UpstreamRepository, *patterns: str) -> dict[str, str]:
    """Remote refs by full name."""
    text = await run_git(origin, ["ls-remote", "--", origin.url, *patterns])
    rows = [line.split("\t", 1) for line in text.decode().splitlines() if "\t" in line]
    return {name: commit for commit, name in rows}


async def default_branch(origin: UpstreamRepository) -> str:
    """Return the branch that a repository's HEAD names; empty if it names none."""
    text = await run_git(origin, ["ls-remote", "--symref", "--", origin.url, "HEAD"])
    found = re.search(rb"^ref: refs/heads/(\S+)\tHEAD$", text, re.MULTILINE)
    return found[1].decode(errors="replace") if found else ""


async def real_url(origin: UpstreamRepository) -> str:
    """Return the URL from which git reads, by the user's settings `url.<base>.insteadOf`."""
    text = await run_git(origin, ["ls-remote", "--get-url", "--", origin.url])
    return text.decode(errors="replace").strip()


def blobs(output: bytes) -> dict[str, bytes]:
    """Return the contents, by SHA, of `git cat-file --batch`."""
    contents: dict[str, bytes] = {}
    at = 0
    while at < len(output):
        start = output.index(b"\n", at) + 1
        sha, _, size = output[at:start].decode().split()
        contents[sha] = output[start : start + int(size)]
        at = start + int(size) + 1
    return contents
