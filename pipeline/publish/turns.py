"""Publishers on one machine take turns: two at once would publish the same zip twice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from pipeline import progress
from pipeline.errors import OutputError, UsageError
from pipeline.files import file_lock
from pipeline.paths import cache_folder


@asynccontextmanager
async def publishing_turn(account: str, layers: Iterable[str]) -> AsyncGenerator[None]:
    """Wait until no other process of this user publishes one of the layers, then keep others out.

    The locks are files in the user cache. If they cannot be made, a note says so, and there is no
    waiting: two publishers at once are noticed afterwards, as on two machines.

    Args:
        account: of the layers.
        layers: their names.
    """
    async with AsyncExitStack() as held:
        try:
            folder = cache_folder() / "publishing" / account
            for layer in sorted(set(layers)):
                lock = file_lock(folder / layer, partial(_note_waiting, layer, account))
                await held.enter_async_context(lock)
        except (OutputError, UsageError) as error:
            progress.note(f"other publishers on this machine are not waited for: {error}")
        yield


def _note_waiting(layer: str, account: str) -> None:
    progress.note(
        f"another ocelot on this machine is publishing {layer} in account {account}: "
        "waiting until it has ended"
    )
