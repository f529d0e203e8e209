"""The package that `ocelot gitops` needs; this file can be imported without it."""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.errors import GitOpsError

SCHEMA_PACKAGE = "jsonschema"


def check_schema_package() -> None:
    """Check that the package is installed: a plain installation does not have it.

    Raises:
        GitOpsError: it is not.
    """
    if find_spec(SCHEMA_PACKAGE) is None:
        raise GitOpsError(
            f"releases for OpenChoreo need a package that is not installed: {SCHEMA_PACKAGE}",
            hint=f"uv sync --group gitops, or: pip install {SCHEMA_PACKAGE}",
        )
