"""The names that other tools know, as pure functions."""

from __future__ import annotations

from pipeline.model import Architecture


def zip_name(architecture: Architecture, distribution: str) -> str:
    """File name of a layer's zip."""
    return f"collector-{architecture}-{distribution}.zip"
