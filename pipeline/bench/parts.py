"""The packages that the bench needs and that a plain installation does not have."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from pipeline.errors import BenchError

# Package to be installed by the module that is imported.
PARTS = {
    "aiohttp": "aiohttp",
    "grpc": "grpcio",
    "opentelemetry.exporter.otlp.proto.grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.sdk": "opentelemetry-sdk",
}


def missing_parts() -> tuple[str, ...]:
    """Names of packages that are not installed."""
    return tuple(package for module, package in PARTS.items() if not _there(module))


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False


def how_to_install(missing: Sequence[str]) -> str:
    """What to do where packages are missing."""
    return f"uv sync --group bench, or: pip install {' '.join(missing)}"


def check_parts() -> None:
    """See that the bench can run.

    Raises:
        BenchError: a package is missing.
    """
    if missing := missing_parts():
        raise BenchError(
            f"the bench needs packages that are not installed: {', '.join(missing)}",
            hint=how_to_install(missing),
        )
