"""The SDK's client, pointed to a stand-in engine."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import TypeVar

import anyio
import dagger
import pytest
from dagger.client._session import SharedConnection
from dagger_engine import Engine, dagger_engine

T = TypeVar("T")

SCHEMA = Path(
    os.environ.get("OCELOT_DAGGER_SCHEMA")
    or Path(__file__).parents[3] / "shared/dagger/schema-v0.21.8.graphql"
)
needs_schema = pytest.mark.skipif(not SCHEMA.is_file(), reason=f"no Dagger schema at {SCHEMA}")


def served_engine(monkeypatch: pytest.MonkeyPatch) -> Generator[Engine]:
    """An engine that the SDK's global client is pointed to."""
    with dagger_engine(SCHEMA) as engine:
        for name, value in engine.environment.items():
            monkeypatch.setenv(name, value)
        # the one shared connection remembers where the engine of an earlier test was
        monkeypatch.setattr(SharedConnection(), "_params", None)
        yield engine


def with_client(work: Callable[[], Awaitable[T]]) -> T:
    """Run it in an event loop of its own, which the client's connection must not outlive."""

    async def run() -> T:
        with anyio.fail_after(20):
            await dagger.connect()  # as a module's runtime does: two first queries at once fail
            try:
                return await work()
            finally:
                await dagger.close()

    return anyio.run(run)
