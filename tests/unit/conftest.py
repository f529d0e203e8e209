from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from paper_go import go

__all__ = ["go"]  # a fixture

# The same examples on every machine, and no clock: a slow one is no failure.
settings.register_profile("ocelot", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("ocelot")

_FOREIGN = (
    "CI",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "GITHUB_OUTPUT",
    "GITHUB_STEP_SUMMARY",
    "NO_COLOR",
    "OCELOT_CONFIG",
    "SOURCE_DATE_EPOCH",
)


@pytest.fixture(autouse=True)
def quiet_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the caller's settings nor the user's cache have a part in a unit test."""
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
