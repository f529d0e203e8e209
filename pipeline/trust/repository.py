"""Which repository this is: by GitHub Actions' word, or by git's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline import process
from pipeline.errors import UsageError
from pipeline.trust.job import Repository, remote_repository, repository

_NAME = "GITHUB_REPOSITORY"


async def own_repository(
    given: str, owner_id: str, repository_id: str, environment: Mapping[str, str], folder: Path
) -> Repository:
    """The repository that options, GitHub Actions, or the folder's git name, in this order.

    The ids are GitHub Actions' where it is the very repository whose job this is.

    Args:
        given: owner/name; empty for none.
        owner_id: empty for none, as is repository_id.
        repository_id: its own.
        environment: the process's.
        folder: whose remote `origin` is looked at.

    Raises:
        UsageError: nothing names one, or what does is none.
    """
    running = environment.get(_NAME, "")
    name = given or running or remote_repository(await _origin(folder))
    if not name:
        raise UsageError(
            "nothing says which repository on GitHub is meant",
            hint="name it: --repository owner/name",
        )
    if name == running and not (owner_id or repository_id):
        owner_id = environment.get(f"{_NAME}_OWNER_ID", "")
        repository_id = environment.get(f"{_NAME}_ID", "")
    return repository(name, owner_id, repository_id)


async def _origin(folder: Path) -> str:
    """The URL of git's remote `origin`; empty where there is none."""
    try:
        code, output, _ = await process.read_output(
            ["git", "remote", "get-url", "origin"], cwd=folder
        )
    except OSError:
        return ""
    return "" if code else output.decode(errors="replace")
