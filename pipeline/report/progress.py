"""Three ways to show progress: live lines on a terminal, plain lines, folds in GitHub Actions."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from pipeline.github.annotations import annotation, plain_line
from pipeline.progress import Progress

HEARTBEAT_SECONDS = 15


@contextmanager
def shown_progress(
    console: Console, environment: Mapping[str, str], *, verbose: bool
) -> Generator[Progress]:
    """The progress that fits where the output goes.

    Args:
        console: on standard error.
        environment: tells whether this is GitHub Actions.
        verbose: every line of every program, instead of the last one.
    """
    if environment.get("GITHUB_ACTIONS") == "true":
        yield FoldedProgress(console=console)
    elif console.is_terminal and not verbose:
        with _bars(console) as bars:
            yield LiveProgress(bars=bars)
    else:
        yield PlainProgress(console=console, verbose=verbose)


def _bars(console: Console) -> Bars:
    return Bars(
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.fields[lane]:<9}", style="bold"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}", style="dim", markup=False),
        console=console,
    )


@dataclass(kw_only=True)
class LiveProgress:
    """A line a lane, redrawn in place: step, elapsed time, last line of output."""

    bars: Bars
    tasks: dict[str, TaskID] = field(default_factory=dict[str, TaskID])

    def begin(self, lane: str, step: str) -> None:
        """Show the lane's new step."""
        if lane not in self.tasks:
            self.tasks[lane] = self.bars.add_task("", lane=lane, last="", total=None)
        # a reset starts the clock and the spinner anew, and forgets every field that is not given
        task, title = self.tasks[lane], _escaped(step)
        self.bars.reset(task, total=None, description=title, lane=lane, last="")

    def line(self, lane: str, text: str) -> None:
        """Show the lane's newest line."""
        if lane in self.tasks:
            self.bars.update(self.tasks[lane], last=_shortened(text))

    def end(self, lane: str, result: str) -> None:
        """Stop the lane's clock and show the result."""
        if lane in self.tasks:
            self.bars.update(self.tasks[lane], last=result, total=1, completed=1)

    def note(self, text: str) -> None:
        """Print above the lines."""
        self.bars.console.print(Text(f"note: {text}", style="yellow"))


@dataclass(kw_only=True)
class _PrintedProgress:
    """Lines that are printed and stay; knows each lane's step and when it began."""

    console: Console
    steps: dict[str, str] = field(default_factory=dict[str, str])
    started: dict[str, float] = field(default_factory=dict[str, float])

    def _begin(self, lane: str, step: str) -> None:
        self.steps[lane], self.started[lane] = step, time.monotonic()

    def _ended(self, lane: str, result: str) -> str:
        seconds = time.monotonic() - self.started.get(lane, time.monotonic())
        return f"{self.steps.get(lane, '')}: {result} ({seconds:.1f} s)"

    def _print(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)


@dataclass(kw_only=True)
class PlainProgress(_PrintedProgress):
    """A line at a step's start and end, and one now and then while it runs."""

    verbose: bool = False
    reported: dict[str, float] = field(default_factory=dict[str, float])

    def begin(self, lane: str, step: str) -> None:
        """Print that the step starts."""
        self._begin(lane, step)
        self.reported[lane] = self.started[lane]
        self._print(f"{lane:<9} {step} …")

    def line(self, lane: str, text: str) -> None:
        """Print the line if verbose; else report now and then that the step still runs."""
        now = time.monotonic()
        if self.verbose:
            self._print(f"{lane:<9} {text}")
        elif now - self.reported.get(lane, now) >= HEARTBEAT_SECONDS:
            self.reported[lane] = now
            seconds = now - self.started[lane]
            self._print(f"{lane:<9} {self.steps[lane]} … {seconds:.0f} s: {_shortened(text)}")

    def end(self, lane: str, result: str) -> None:
        """Print the result with the seconds it took."""
        self._print(f"{lane:<9} {self._ended(lane, result)}")

    def note(self, text: str) -> None:
        """Print the note."""
        self._print(f"note      {text}")


@dataclass(kw_only=True)
class FoldedProgress(_PrintedProgress):
    """A fold a step with all its lines; folds cannot overlap, so each is printed when it ends."""

    lines: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def begin(self, lane: str, step: str) -> None:
        """Start to collect."""
        self._begin(lane, step)
        self.lines[lane] = []
        self._print(f"{lane}: {step} …")

    def line(self, lane: str, text: str) -> None:
        """Collect a line."""
        self.lines.setdefault(lane, []).append(text)

    def end(self, lane: str, result: str) -> None:
        """Print the fold."""
        title, collected = f"{lane}: {self._ended(lane, result)}", self.lines.pop(lane, [])
        if not collected:
            self._print(title)
            return
        for text in (f"::group::{title}", *map(plain_line, collected), "::endgroup::"):
            self._print(text)

    def note(self, text: str) -> None:
        """Print an annotation."""
        self._print(annotation(text, level="notice"))


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def _shortened(text: str, width: int = 60) -> str:
    text = text.strip()
    return text if len(text) <= width else f"…{text[1 - width :]}"
