"""The URLs of git repositories: which are accepted, and which mean the same repository."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

from pipeline.build.git import SCP_URL

SCHEMES = ("https", "http", "ssh")
FORM = "https://HOST/OWNER/NAME.git, ssh://git@HOST/OWNER/NAME.git or git@HOST:OWNER/NAME.git"

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*")
_USER = re.compile(r"(?!-)[A-Za-z0-9._-]+")
_UNSEEN = re.compile(r"[\s\x00-\x20\x7f]")
# Hosts that give a host's repositories by ssh on port 443, past firewalls.
_OTHER_HOSTS = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}


def url_fault(url: str) -> str:
    """Return why a text cannot be the URL of a repository on a server; empty if it can.

    A folder of this machine is none: a Component must not have one of its user's read.
    """
    if _UNSEEN.search(url):
        return "has a blank or a character that cannot be shown"
    if SCP_URL.match(url):
        return ""
    parts = _split(url)
    if parts is None or parts.scheme not in SCHEMES:
        return f"is no URL of a git repository, such as {FORM}"
    return _part_fault(parts)


def _part_fault(parts: SplitResult) -> str:
    over_http = parts.scheme != "ssh"
    if parts.password is not None or (over_http and parts.username is not None):
        return "carries credentials: leave them out, and give the token beside it"
    if parts.query or parts.fragment:
        return "has a query or a fragment, which may hold a secret: leave it out"
    if parts.username is not None and not _USER.fullmatch(parts.username):
        return "has a user name that no server of git has"
    if not _HOST.fullmatch(parts.hostname or "") or not parts.path.strip("/"):
        return "lacks the host, or the path of the repository"
    return ""


def shown_url(url: str) -> str:
    """Return a URL for a message, without user, password and query."""
    return re.sub(r"^(.*?//)?.*@", r"\1…@", url).partition("?")[0]


def repository_key(url: str) -> str:
    """Return a text that is the same for all URLs of one repository.

    That is host and path in lower case: a repository has the same ones by ssh and https, whatever
    the user, the port and the ending `.git`.
    """
    if SCP_URL.match(url):
        host, _, path = url.partition("@")[2].partition(":")
    else:
        parts = _split(url)
        host, path = (parts.hostname or "", parts.path) if parts else ("", url)
    host, path = host.lower(), unquote(path).lower().strip("/")
    return f"{_OTHER_HOSTS.get(host, host)}/{path.removesuffix('.git').rstrip('/')}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for what is no port
    except ValueError:
        return None
    return parts
