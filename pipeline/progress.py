"""Progress of long work: the library reports it here and never prints.

A *lane* is a line of work that runs beside others: `upstream`, `modules`, `amd64`, `arm64`. Code
that does the work calls `step`, `line` and `note`. They pass it on to the `Progress` that
`shown_by` has set for the current context, which tasks and threads of anyio inherit; without one
nothing is shown.
(Model: pypa/build's `_ctx.py`.)
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    """Receives the progress of the work; `pipeline/report/` has the implementations."""

    def begin(self, lane: str, step: str) -> None:
        """Show that a lane starts a step."""
        ...

    def line(self, lane: str, text: str) -> None:
        """Show a line that the lane's current program printed."""
        ...

    def end(self, lane: str, result: str) -> None:
        """Show that a lane's step ended: `done`, `reused`, `failed`, or figures."""
        ...

    def note(self, text: str) -> None:
        """Show a message that belongs to no step."""
        ...


_shown: ContextVar[Progress | None] = ContextVar("shown", default=None)


@dataclass(kw_only=True)
class RunningStep:
    """A step under way in a lane.

    Attributes:
        result: shown when the step ends without an error.
    """

    lane: str
    result: str = "done"

    def line(self, text: str) -> None:
        """Report a line that the step's program printed."""
        line(self.lane, text)


@contextmanager
def shown_by(progress: Progress) -> Generator[None]:
    """Pass the progress of this context to `progress` until the block ends."""
    token = _shown.set(progress)
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def step(lane: str, title: str) -> Generator[RunningStep]:
    """Report that a lane starts a step and, at the end of the block, its result or `failed`."""
    shown = _shown.get()
    if shown:
        shown.begin(lane, title)
    current = RunningStep(lane=lane)
    try:
        yield current
    except BaseException:
        if shown:
            shown.end(lane, "failed")
        raise
    if shown:
        shown.end(lane, current.result)


def line(lane: str, text: str) -> None:
    """Report a line that the lane's current program printed."""
    if shown := _shown.get():
        shown.line(lane, text)


def note(text: str) -> None:
    """Report a message that belongs to no step."""
    if shown := _shown.get():
        shown.note(text)


class NoProgress:
    """Progress that shows nothing."""

    def begin(self, lane: str, step: str) -> None:
        """Show nothing."""

    def line(self, lane: str, text: str) -> None:
        """Show nothing."""

    def end(self, lane: str, result: str) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""
