"""Runs of the command line, as a user makes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import paths
from pipeline.build.toolchain import go_program

OCELOT = Path(sys.executable).parent / "ocelot"
# The user's, which tests share; a test may set OCELOT_CACHE later.
GO_CACHES = paths.cache_folder() / "go"
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
    folder.mkdir(parents=True, exist_ok=True)
    if share_go:
        GO_CACHES.mkdir(parents=True, exist_ok=True)
        (folder / "go").symlink_to(GO_CACHES)
    return folder


def environment(cache: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The test's environment without what a terminal, CI, GitHub or AWS would add."""
    ours = ("GITHUB_", "OCELOT_", "AWS_", "SOURCE_DATE_EPOCH", "FORCE_COLOR", "COLUMNS")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "CI" and not name.startswith(ours)
    }
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


def go(*arguments: str | Path, cwd: Path, **settings: str) -> str:
    """The standard output of the pinned Go."""
    return run_go(*arguments, cwd=cwd, **settings).out


def run_go(*arguments: str | Path, cwd: Path, **settings: str) -> Ran:
    """A run of the pinned Go, with the caches of the user's builds."""
    own = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(GO_CACHES / "build"),
        "GOFLAGS": "-mod=mod -modcacherw",
        "GOMODCACHE": str(GO_CACHES / "modules"),
        "GOTOOLCHAIN": "local",
    }
    done = subprocess.run(
        [str(go_program()), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **own, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Built:
    """The minimal distribution of the sample, built once for all tests."""

    folder: Path
    cache: Path
    ran: Ran
