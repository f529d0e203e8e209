"""actionlint, zizmor and shellcheck find nothing in the workflows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from runs import go

from pipeline import paths
from pipeline.build.recipe import GO_VERSION

CHECKOUT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
# No wheel contains the program, so the pinned Go compiles it.
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"


@pytest.fixture(scope="module")
def actionlint() -> Path:
    """The pinned actionlint, compiled once; Go's checksum database verifies it."""
    version = ACTIONLINT.rpartition("@")[2]
    folder = paths.cache_folder() / "tools" / f"actionlint-{version}-go{GO_VERSION}"
    program = folder / "actionlint"
    if not program.exists():
        go("install", ACTIONLINT, cwd=CHECKOUT, GOBIN=str(folder), GOFLAGS="-modcacherw")
    return program


def found(*command: str | Path) -> str:
    """The output of a program that fails; empty if it succeeds."""
    environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*map(str, command)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stdout + done.stderr if done.returncode else ""


def zizmor(*targets: Path) -> str:
    options = ("--offline", "--no-config", "--no-progress", "--persona", "pedantic")
    return found(PROGRAMS / "zizmor", *options, *targets)


def test_actionlint_finds_nothing_with_shellcheck_at_hand(actionlint: Path) -> None:
    assert found(actionlint, "-shellcheck", PROGRAMS / "shellcheck", *WORKFLOWS) == ""


def test_zizmor_finds_nothing_however_pedantic() -> None:
    assert zizmor(*WORKFLOWS) == ""


def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    own = [path for path in (CHECKOUT / ".github").iterdir() if not path.suffix and path.is_file()]
    scripts = [*own, CHECKOUT / ".ci" / "run"]
    assert found(PROGRAMS / "shellcheck", *scripts) == ""
