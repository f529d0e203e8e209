"""The OIDC token by which a job in GitHub Actions says who it is.

https://docs.github.com/en/actions/reference/security/oidc
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import AwsError, UsageError

AUDIENCE = "sts.amazonaws.com"
_SECONDS = 30
_PLACES = "name where it is: env:NAME, file:PATH or actions"


def actions_token(environment: Mapping[str, str]) -> str:
    """Ask GitHub for a token; it is good for some minutes.

    Raises:
        AwsError: this is no job that may have one, or GitHub does not answer.
    """
    url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    secret = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if not url.startswith(("https://", "http://127.0.0.1:")) or not secret:
        raise AwsError(
            "this job may not ask GitHub for an OIDC token",
            hint="give the job `permissions: id-token: write`",
        )
    asked = f"{url}&{urllib.parse.urlencode({'audience': AUDIENCE})}"
    request = urllib.request.Request(asked, headers={"Authorization": f"bearer {secret}"})  # noqa: S310  https, see above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return str(json.load(answer)["value"])
    except (urllib.error.URLError, OSError, ValueError, LookupError) as error:
        reason = type(error).__name__  # its text may name the address, which is part of a secret
        raise AwsError(f"GitHub gave no OIDC token ({reason})", hint="run the job again") from None


def token_of(place: str, environment: Mapping[str, str]) -> str:
    """The OIDC token that is in a place, read anew each time.

    Args:
        place: `env:NAME`, `file:PATH`, or `actions` for the one of GitHub Actions; never the token
            itself, since command lines can be seen.
        environment: the process's.

    Raises:
        UsageError: there is no such place, or nothing in it.
        AwsError: GitHub gives none.
    """
    kind, _, name = place.partition(":")
    if place == "actions":
        return actions_token(environment)
    if kind == "env" and environment.get(name):
        return environment[name]
    if kind == "file":
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise UsageError(f"no OIDC token can be read from {name}", hint=_PLACES) from error
    shown = place if kind == "env" else "the place given"
    raise UsageError(f"{shown} holds no OIDC token", hint=_PLACES)
