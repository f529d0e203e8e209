"""How a command runs its work: with progress on standard error, and ended cleanly by signals."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import anyio.abc

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

    A second signal kills the programs that it waits for; a third Ctrl-C ends ocelot at once.

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

    async def supervised() -> Result:
        async with anyio.create_task_group() as receiver:
            with anyio.CancelScope() as scope:
                await receiver.start(_cancel_on_signal, scope, received)
                try:
                    return await work()
                finally:
                    receiver.cancel_scope.cancel()
        raise InterruptedBuildError(
            f"interrupted by {received[0].name if received else 'a signal'}; {left}",
            hint=f"run the same command again: {kept}",
        )

    return anyio.run(supervised)


async def _cancel_on_signal(
    scope: anyio.CancelScope,
    received: list[signal.Signals],
    *,
    task_status: anyio.abc.TaskStatus[None],
) -> None:
    """Note every signal; the first one cancels the work, a second one kills its programs."""
    import anyio

    from pipeline.process import kill_programs

    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        task_status.started()
        async for number in signals:
            scope.cancel()
            if received:
                kill_programs()
                signal.signal(signal.SIGINT, signal.SIG_DFL)
            received.append(number)
