from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial

import anyio
import pytest

from pipeline.progress import NoProgress, note, shown_by
from pipeline.threads import in_thread, in_threads


class Notes(NoProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_results_come_in_the_order_of_the_items_and_progress_from_every_thread() -> None:
    notes = Notes()

    def call(item: int) -> int:
        note(str(item))
        return 2 * item

    with shown_by(notes):
        assert anyio.run(partial(in_threads, call, range(9), at_once=3)) == list(range(0, 18, 2))
    assert sorted(notes.notes) == [str(item) for item in range(9)]


def test_the_first_failure_is_raised_without_waiting_for_calls_that_hang() -> None:
    hangs = threading.Event()

    def call(item: int) -> None:
        if item == 1:
            raise OSError("broken")
        hangs.wait(60)

    with pytest.raises(OSError, match="broken"):
        anyio.run(partial(in_threads, call, range(3), at_once=3))
    hangs.set()


def test_a_call_that_never_ends_holds_up_neither_cancellation_nor_exit() -> None:
    program = f"""
import threading, anyio
from {in_thread.__module__} import in_thread

async def main():
    with anyio.move_on_after(0.1):
        await in_thread(threading.Event().wait)
    print("on")

anyio.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "on\n"
