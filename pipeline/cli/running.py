"""How a command runs its work: with progress on standard error, and ended cleanly by signals."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def shown_progress(*, verbose: bool = False) -> Generator[None]:
    """Show the progress of the work on standard error until the block ends."""
    from pipeline.progress import shown_by
    from pipeline.report import messages
    from pipeline.report.rendering import screen

    progress = messages.shown_progress(screen(stderr=True), os.environ, verbose=verbose)
    with progress as shown, shown_by(shown):
        yield


def run(
    work: Callable[[], Awaitable[Result]],
    *,
    left: str = "no file was left half-written",
    kept: str = "finished steps are kept in the cache",
) -> Result:
    """Run asynchronous work; Ctrl-C, SIGTERM and SIGHUP cancel it and let it clean up.

    Args:
        work: is called once.
        left: the state after an interruption, for the error.
        kept: what a second run need not do again, for its hint.

    Raises:
        InterruptedBuildError: a signal ended the work.
    """
    import anyio

    from pipeline.errors import InterruptedBuildError

    received: list[signal.Signals] = []

    async def cancel_on_signal(
        scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            task_status.started()
            async for number in signals:
                received.append(number)
                scope.cancel()

    async def supervised() -> Result:
        async with anyio.create_task_group() as tasks:
            await tasks.start(cancel_on_signal, tasks.cancel_scope)
            result = await work()
            tasks.cancel_scope.cancel()
            return result
        raise InterruptedBuildError(
            f"interrupted by {received[0].name if received else 'a signal'}; {left}",
            hint=f"run the same command again: {kept}",
        )

    return anyio.run(supervised)
