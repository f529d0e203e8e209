"""What long work tells while it runs. The library reports here and never prints.

A *lane* is a line of work that goes on beside others: `upstream`, `modules`, `amd64`, `arm64`.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the course of the work; implementations stand in `pipeline/report/`."""

    def begin(self, lane: str, step: str) -> None:
        """A lane starts a step."""
        ...

    def line(self, lane: str, text: str) -> None:
        """A line that the lane's current program printed."""
        ...

    def end(self, lane: str, result: str) -> None:
        """A lane's step ended: `done`, `reused`, `failed` and the like, with figures at will."""
        ...

    def note(self, text: str) -> None:
        """Something the user should know, not tied to a step."""
        ...


class Silence:
    """Progress that nobody watches."""

    def begin(self, lane: str, step: str) -> None:
        """Nothing is told."""

    def line(self, lane: str, text: str) -> None:
        """Nothing is told."""

    def end(self, lane: str, result: str) -> None:
        """Nothing is told."""

    def note(self, text: str) -> None:
        """Nothing is told."""
