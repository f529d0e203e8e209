"""Blocking calls in threads, awaited by asynchronous code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import TypeVar

import anyio

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_thread(call: Callable[[], Result]) -> Result:
    """Return the result of a blocking call, which runs in a daemon thread with this context.

    On a cancellation the thread is left behind. The end of the process waits for the threads of
    `anyio.to_thread`, but not for this one: a stalled upload may take minutes to give up.
    """
    future: Future[Result] = Future()
    future.set_running_or_notify_cancel()  # a running future cannot be cancelled

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  raised again by the caller's await
            future.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return await asyncio.wrap_future(future)


async def in_threads(
    call: Callable[[Item], Result], items: Sequence[Item], *, at_once: int
) -> list[Result]:
    """Return the results of a blocking call for each item, in order.

    Args:
        call: the blocking call.
        items: its arguments, one for each call.
        at_once: most threads at a time.

    Raises:
        Exception: the first that a call raised; the calls still running are not waited for.
    """
    results: dict[int, Result] = {}
    failures: list[Exception] = []
    limiter = anyio.CapacityLimiter(at_once)

    async with anyio.create_task_group() as tasks:

        async def one(at: int, item: Item) -> None:
            try:
                async with limiter:
                    results[at] = await in_thread(partial(call, item))
            except Exception as error:  # noqa: BLE001  raised below, outside of the group
                failures.append(error)
                tasks.cancel_scope.cancel()

        for at, item in enumerate(items):
            tasks.start_soon(one, at, item)
    if failures:
        raise failures[0]
    return [results[at] for at in range(len(items))]
