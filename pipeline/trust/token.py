"""The tokens of GitHub: the OIDC token of a job in GitHub Actions, and the one for its API.

https://docs.github.com/en/actions/reference/security/oidc
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

from pipeline.errors import AwsError, UsageError
from pipeline.files import LARGEST_RECORD, read_regular
from pipeline.naming import is_one_word

AUDIENCE = "sts.amazonaws.com"
_SECONDS = 30
_SOURCES = "--oidc-token is env:NAME, file:PATH or actions"


def actions_token(environment: Mapping[str, str]) -> str:
    """Request a token from GitHub; it is valid for some minutes.

    Raises:
        AwsError: this job may not have a token, or GitHub does not answer.
    """
    url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    secret = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if not url.startswith(("https://", "http://127.0.0.1:")) or not secret:
        raise AwsError(
            "this job may not request an OIDC token from GitHub",
            hint="give the job `permissions: id-token: write`",
        )
    address = f"{url}&{urllib.parse.urlencode({'audience': AUDIENCE})}"
    request = urllib.request.Request(address, headers={"Authorization": f"bearer {secret}"})  # noqa: S310  https, see above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return str(json.load(answer)["value"])
    except (HTTPException, OSError, ValueError, LookupError) as error:
        reason = type(error).__name__  # its text may contain the address, which is secret in part
        raise AwsError(f"GitHub gave no OIDC token ({reason})", hint="run the job again") from None


def token_of(source: str, environment: Mapping[str, str]) -> str:
    """Return the OIDC token of a source, read each time.

    Args:
        source: `env:NAME`, `file:PATH`, or `actions` for GitHub Actions; never the token itself,
            since other users of a machine can see command lines.
        environment: the process's.

    Raises:
        UsageError: there is no such source, or it is empty.
        AwsError: GitHub gives no token.
    """
    if source == "actions":
        return actions_token(environment)
    return _given_token(source, environment, "OIDC token", _SOURCES)


def github_token(source: str, environment: Mapping[str, str]) -> str:
    """Return the token for GitHub's API of a source: `env:NAME` or `file:PATH`.

    Raises:
        UsageError: there is no such source, or it is empty.
    """
    return _given_token(source, environment, "token for GitHub", "--token is env:NAME or file:PATH")


def _given_token(source: str, environment: Mapping[str, str], what: str, sources: str) -> str:
    """Return the token of a source.

    Args:
        source: `env:NAME` or `file:PATH`.
        environment: the process's.
        what: the token's kind, for errors.
        sources: a hint on the sources.

    Raises:
        UsageError: there is no such source, or it is empty.
    """
    kind, _, name = source.partition(":")
    token = ""
    if kind == "env":
        token = environment.get(name, "")
    if kind == "file":
        try:
            token = read_regular(Path(name), LARGEST_RECORD).decode().rstrip("\r\n")
        except (OSError, ValueError) as error:  # not with a text that the token would be part of
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"no {what} can be read from {name}: {reason}", hint=sources) from None
    shown = source if kind in ("env", "file") else "the given source"
    if not token:
        raise UsageError(f"{shown} holds no {what}", hint=sources)
    if not is_one_word(token):
        raise UsageError(
            f"{shown} holds a token with a blank, a line end or another character that none has",
            hint="set it again without a blank or line end before, in or after it",
        )
    return token
