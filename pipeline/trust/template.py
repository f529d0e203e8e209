"""The template of a repository's subjects on GitHub, which owners may customise; read by `gh`.

https://docs.github.com/en/rest/actions/oidc
"""

from __future__ import annotations

import json
import os
from typing import Any, cast

import anyio

from pipeline import process
from pipeline.trust.job import DEFAULT_CLAIMS, GitHubRepository

_SECONDS = 30
_PATH = "actions/oidc/customization/sub"
# No question is asked, and no other GitHub: its tokens have another issuer.
_SETTINGS = {"GH_PROMPT_DISABLED": "1", "GH_HOST": "github.com"}


async def subject_claims(repository: GitHubRepository) -> tuple[str, ...] | None:
    """Return the claims of which GitHub makes the repository's subjects, in their order.

    None if they are not known: there is no `gh`, it is not logged in, or it may not read them.
    """
    own = await _template(f"repos/{repository}/{_PATH}")
    if own is None:
        return None
    if own.get("use_default") is not False:
        return DEFAULT_CLAIMS
    if claims := _claims(own):
        return claims
    # the repository uses the organisation's template; without one, that is GitHub's default
    organisation = await _template(f"orgs/{repository.owner}/{_PATH}")
    return None if organisation is None else _claims(organisation) or DEFAULT_CLAIMS


async def _template(path: str) -> dict[str, Any] | None:
    """Return GitHub's answer; None without one."""
    try:
        with anyio.fail_after(_SECONDS):
            code, output, _ = await process.read_output(
                ["gh", "api", path], env={**os.environ, **_SETTINGS}
            )
        answer: object = json.loads(output) if code == 0 else None
    except (OSError, TimeoutError, ValueError):
        return None
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else None


def _claims(answer: dict[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, answer.get("include_claim_keys") or ()))
