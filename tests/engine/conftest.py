"""Real calls of a real Dagger engine; skipped, with the reason, where none answers.

OCELOT_TEST_GO_IMAGE  a golang image that the engine can pull, such as one in a local registry
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
ANSWER_SECONDS = 120

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def dagger() -> Call:
    """Run `dagger` in the checkout; skip if there is no command or no engine."""
    program = shutil.which("dagger")
    if program is None:
        pytest.skip("there is no dagger command here")

    def call(*arguments: str | Path, seconds: int = 1800) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *map(str, arguments)],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    try:
        answer = call("core", "version", seconds=ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"no Dagger engine answered within {ANSWER_SECONDS} seconds")
    if answer.returncode:
        pytest.skip(f"no Dagger engine answers: {answer.stderr.strip().splitlines()[-1:]}")
    return call


@pytest.fixture(scope="session")
def image_options() -> list[str]:
    """The option for another golang image than the config's, if one is set."""
    image = os.environ.get("OCELOT_TEST_GO_IMAGE")
    return [f"--go-image={image}"] if image else []
