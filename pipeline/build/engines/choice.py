"""Which engine builds: Dagger where it can be had at once, else this machine.

The choice is told with its reason, and it never waits: a container runtime that does not answer
within a second or so counts as none.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import anyio

from pipeline import process
from pipeline.build.engines.host import GO_VARIABLE

EngineName = Literal["dagger", "host"]

PROBE_SECONDS = 1.5
RUNTIMES = ("docker", "podman", "nerdctl", "finch")
# Set by `dagger run` and inside modules; names an engine elsewhere (Kubernetes, another machine).
SESSION_PORT = "DAGGER_SESSION_PORT"
RUNNER_HOST = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """An engine and why it was chosen."""

    engine: EngineName
    why: str


async def choose_engine(environment: Mapping[str, str]) -> Choice:
    """The engine that `auto` means here and now."""
    if environment.get(GO_VARIABLE):
        return Choice(engine="host", why="this is a container of the golang image")
    if environment.get(SESSION_PORT):
        return Choice(engine="dagger", why="a Dagger session is open")
    if not shutil.which("dagger"):
        return Choice(engine="host", why="there is no dagger command")
    if host := environment.get(RUNNER_HOST):
        return Choice(engine="dagger", why=f"{RUNNER_HOST} names the engine {host}")
    if runtime := await find_runtime():
        return Choice(engine="dagger", why=f"dagger is there and {runtime} answers")
    return Choice(engine="host", why=f"none of {', '.join(RUNTIMES)} answers")


async def find_runtime() -> str:
    """The first container runtime whose engine answers; empty for none."""
    answers: dict[str, bool] = {}

    async def ask(runtime: str) -> None:
        with anyio.move_on_after(PROBE_SECONDS):
            answers[runtime] = (await process.run_program([runtime, "info"])).returncode == 0

    async with anyio.create_task_group() as tasks:
        for runtime in RUNTIMES:
            if shutil.which(runtime):
                tasks.start_soon(ask, runtime)
    return next((runtime for runtime in RUNTIMES if answers.get(runtime)), "")
