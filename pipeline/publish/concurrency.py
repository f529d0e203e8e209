"""Work side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

Thing = TypeVar("Thing")
Result = TypeVar("Result")


async def all_of(
    things: Sequence[Thing], work: Callable[[Thing], Awaitable[Result]]
) -> list[Result]:
    """The results of work on all things at once, in order; the first failure ends all of it."""
    results: dict[int, Result] = {}
    failures: list[Exception] = []

    async with anyio.create_task_group() as tasks:

        async def do(at: int, thing: Thing) -> None:
            try:
                results[at] = await work(thing)
            except Exception as error:  # noqa: BLE001  raised below, outside of any group
                failures.append(error)
                tasks.cancel_scope.cancel()

        for at, thing in enumerate(things):
            tasks.start_soon(do, at, thing)
    if failures:
        raise failures[0]
    return [results[at] for at in range(len(things))]
