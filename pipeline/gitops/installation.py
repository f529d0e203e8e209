"""The packages that `ocelot gitops` needs; this file can be imported without them."""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.errors import GitOpsError

SCHEMA_PACKAGE, REGISTRY_PACKAGE = "jsonschema", "httpx"


def check_schema_package() -> None:
    """Check that the package for schemas is installed: a plain installation does not have it.

    Raises:
        GitOpsError: it is not.
    """
    _check(SCHEMA_PACKAGE, "releases for OpenChoreo")


def check_registry_package() -> None:
    """Check that the package for requests to registries is installed, as `check_schema_package`."""
    _check(REGISTRY_PACKAGE, "requests to a container registry")


def _check(package: str, use: str) -> None:
    if find_spec(package) is None:
        raise GitOpsError(
            f"{use} need a package that is not installed: {package}",
            hint=f"uv sync --group gitops, or: pip install {package}",
        )
