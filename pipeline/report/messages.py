"""The messages on standard error: the progress of the work, and the error that ended it.

Progress has three forms: live lines on a terminal, plain lines, folds in GitHub Actions.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from pipeline.errors import ConfigError, OcelotError
from pipeline.github.annotations import annotation, plain_line
from pipeline.progress import Progress

HEARTBEAT_SECONDS = 15


@contextmanager
def shown_progress(
    console: Console, environment: Mapping[str, str], *, verbose: bool
) -> Generator[Progress]:
    """Yield the form of progress for this console.

    Args:
        console: on standard error.
        environment: its GITHUB_ACTIONS is `true` in GitHub Actions.
        verbose: show every line of every program, instead of the last one.
    """
    if environment.get("GITHUB_ACTIONS") == "true":
        yield FoldedProgress(console=console)
    elif console.is_terminal and not verbose:
        with _bars(console) as bars:
            yield LiveProgress(bars=bars)
    else:
        yield PlainProgress(console=console, verbose=verbose)


def show_error(error: OcelotError, console: Console, environment: Mapping[str, str]) -> None:
    """Print an error: message, details, next step; in GitHub Actions also as annotations."""
    in_github = environment.get("GITHUB_ACTIONS") == "true"
    lines = [Text.assemble(("error: ", "bold red"), str(error))]
    lines += [Text(f"  {plain_line(each) if in_github else each}") for each in error.details]
    if error.hint:
        lines.append(Text.assemble(("next: ", "bold"), error.hint))
    if in_github:
        lines += map(Text, _annotations(error))
    for each in lines:
        console.print(each, soft_wrap=True)


def _annotations(error: OcelotError) -> list[str]:
    if isinstance(error, ConfigError):
        return [annotation(each.message, file=each.file, line=each.line) for each in error.problems]
    return [annotation(f"{error}. {error.hint}")]


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
    """One line for each lane, redrawn in place: step, elapsed time, last line of output."""

    bars: Bars
    tasks: dict[str, TaskID] = field(default_factory=dict[str, TaskID])

    def begin(self, lane: str, step: str) -> None:
        """Show the lane's new step."""
        if lane not in self.tasks:
            self.tasks[lane] = self.bars.add_task("", lane=lane, last="", total=None)
        # a reset restarts the clock and the spinner, and clears every field that is not given
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
    """Printed lines, with each lane's current step and its start time."""

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
    """A fold with all lines of a step, printed when it ends, since folds cannot overlap."""

    lines: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def begin(self, lane: str, step: str) -> None:
        """Print that the step starts; collect its lines from now on."""
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


def _shortened(text: str, width: int = 60, head: int = 40) -> str:
    text = text.strip()
    return text if len(text) <= width else f"{text[:head]}…{text[head + 1 - width :]}"
