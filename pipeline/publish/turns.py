"""Publishers and reapers of the same layers on one machine take turns.

Two publishers at once would publish the same zip twice, and a reaper could delete the layer version
that a publisher is about to reuse.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path

from pipeline import progress
from pipeline.errors import OutputError, UsageError
from pipeline.files import file_lock
from pipeline.paths import cache_folder

# Locks of single layers; a process may have some hundred files and connections open in all.
MOST_LOCKS = 64
# Lock of all layers of an account; no layer has that name.
_ALL = ".all"


class LayerWork(StrEnum):
    """Work on layers that excludes other work on them, as a note on waiting names it."""

    PUBLISH = "publishing"
    REAP = "deleting versions of"


_LONGEST_WORK = len(max(LayerWork, key=len))


@asynccontextmanager
async def layer_turn(account: str, layers: Iterable[str], work: LayerWork) -> AsyncGenerator[None]:
    """Wait until no other process of this user works on one of the layers, then keep others out.

    The locks are files in the user cache. If they cannot be made, a note says so, and there is no
    waiting: two processes at once are noticed afterwards, as on two machines. For more layers than
    `MOST_LOCKS`, all layers of the account are locked.

    Args:
        account: of the layers.
        layers: their names; nothing is waited for if there are none.
        work: that is done meanwhile.
    """
    names = sorted(set(layers))
    each = names if len(names) <= MOST_LOCKS else []
    async with AsyncExitStack() as held:
        try:
            folder = cache_folder() / "publishing" / account
            for name in (_ALL, *each) if names else ():
                path, shared = folder / name, bool(each) and name == _ALL
                what = name if each and name != _ALL else "layers"
                waiting = partial(_note_waiting, path, what, account)
                await held.enter_async_context(file_lock(path, waiting, shared=shared))
                path.write_text(work, encoding="utf-8")
        except (OSError, OutputError, UsageError) as error:
            progress.note(
                f"other publishers and reapers on this machine are not waited for: {error}"
            )
        yield


def _note_waiting(path: Path, what: str, account: str) -> None:
    """Show the work that is waited for, which stands in the lock."""
    with path.open(encoding="utf-8", errors="replace") as file:
        work = file.read(_LONGEST_WORK + 1)
    doing = work if work in list(LayerWork) else "working on"
    progress.note(
        f"another ocelot on this machine is {doing} {what} in account {account}: "
        "waiting until it has ended"
    )
