"""Real builds of the sample. Go's own caches are shared with `ocelot build`, all else is new.

The Go caches are keyed by content, so that sharing them changes how long a test takes, not what it
shows; tests that are about an empty cache make their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline import project

OCELOT = Path(sys.executable).parent / "ocelot"
CONFIG = Path(__file__).parents[2] / "config"


@dataclass(frozen=True)
class Ran:
    """A finished command line."""

    code: int
    out: str
    err: str

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.out)


Ocelot = Callable[..., Ran]


def fresh_cache(folder: Path, *, share_go: bool = True) -> Path:
    """An ocelot cache that has nothing but Go's caches."""
    folder.mkdir(parents=True)
    if share_go:
        shared = project.cache_folder() / "go"
        shared.mkdir(parents=True, exist_ok=True)
        (folder / "go").symlink_to(shared)
    return folder


def environment(cache: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The test's environment without what a terminal or GitHub would add."""
    ours = ("GITHUB_", "OCELOT_", "SOURCE_DATE_EPOCH", "FORCE_COLOR", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "OCELOT_CACHE": str(cache), "COLUMNS": "160", **(more or {})}


def run_ocelot(
    *arguments: str | Path, cache: Path, env: Mapping[str, str] | None = None, cwd: Path
) -> Ran:
    """Run the command line as a user does."""
    done = subprocess.run(
        [str(OCELOT), *map(str, arguments)],
        env=environment(cache, env),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Built:
    """The minimal distribution of the sample, built once for all tests."""

    folder: Path
    cache: Path
    ran: Ran


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    root = tmp_path_factory.mktemp("built")
    cache, folder = fresh_cache(root / "cache"), root / "dist"
    command = ("build", "-d", "minimal", "-r", "sample", "-o", folder, "--json")
    ran = run_ocelot(*command, "--config", CONFIG, cache=cache, cwd=root)
    assert ran.code == 0, ran.err
    return Built(folder=folder, cache=cache, ran=ran)


@pytest.fixture
def ocelot(tmp_path: Path) -> Ocelot:
    """Runs `ocelot` in an empty folder with a cache of its own; `env` and `cache` may be given."""
    own = fresh_cache(tmp_path / "cache")

    def run(
        *arguments: str | Path, env: Mapping[str, str] | None = None, cache: Path | None = None
    ) -> Ran:
        return run_ocelot(*arguments, "--config", CONFIG, cache=cache or own, env=env, cwd=tmp_path)

    return run
