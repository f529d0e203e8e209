"""The package that requests to GitHub need; this file can be imported without it."""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.errors import GitHubError

PACKAGE = "githubkit"


def check_package() -> None:
    """Check that the package is installed: a plain installation does not have it.

    Raises:
        GitHubError: it is not.
    """
    if find_spec(PACKAGE) is None:
        raise GitHubError(
            f"requests to GitHub need a package that is not installed: {PACKAGE}",
            hint=f"uv sync --group github, or: pip install {PACKAGE} 'hishel<2'",
        )
