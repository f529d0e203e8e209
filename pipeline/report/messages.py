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

from pipeline.errors import ConfigError, OcelotError, PublishError
from pipeline.github.annotations import (
    MOST_ANNOTATIONS,
    Annotation,
    commands,
    fold,
    in_github,
    plain_text,
)
from pipeline.progress import Progress
from pipeline.report.rendering import grouped, printable

HEARTBEAT_SECONDS = 15
_NOTICE = "notice"


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
    if in_github(environment):
        folded = FoldedProgress(console=console)
        try:
            yield folded
        finally:
            folded.finish()
    elif console.is_terminal and not verbose:
        with _bars(console) as bars:
            yield LiveProgress(bars=bars)
    else:
        yield PlainProgress(console=console, verbose=verbose)


def show_error(error: OcelotError, console: Console, environment: Mapping[str, str]) -> None:
    """Print an error: message, details, next step; in GitHub Actions also as annotations."""
    is_github = in_github(environment)
    lines = [
        Text.assemble(("error: ", "bold red"), _safe(str(error), is_github=is_github)),
        *(Text(_safe(f"  {each}", is_github=is_github)) for each in error.details),
    ]
    if error.hint:
        lines.append(Text.assemble(("next: ", "bold"), _safe(error.hint, is_github=is_github)))
    if is_github:
        lines += map(Text, commands(_annotations(error)))
    for each in lines:
        console.print(each, soft_wrap=True)


def _safe(text: str, *, is_github: bool) -> str:
    text = printable(text.expandtabs())
    return plain_text(text) if is_github else text


def _annotations(error: OcelotError) -> list[Annotation]:
    if isinstance(error, ConfigError):
        return [
            Annotation(message=printable(each.message), file=each.file, line=each.line)
            for each in error.problems
        ]
    texts = [f"{error}. {error.hint}"]
    if isinstance(error, PublishError):
        texts += grouped(error.failures)
    return [Annotation(message=printable(each)) for each in texts]


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

    def _print(self, *lines: str) -> None:
        for each in lines:
            self.console.print(Text(each), soft_wrap=True)


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
    notes: list[Annotation] = field(default_factory=list[Annotation])

    def begin(self, lane: str, step: str) -> None:
        """Print that the step starts; collect its lines from now on."""
        self._begin(lane, step)
        self.lines[lane] = []
        self._print(plain_text(f"{lane}: {step} …"))

    def line(self, lane: str, text: str) -> None:
        """Collect a line."""
        self.lines.setdefault(lane, []).append(text)

    def end(self, lane: str, result: str) -> None:
        """Print the fold."""
        title, collected = f"{lane}: {self._ended(lane, result)}", self.lines.pop(lane, [])
        self._print(*(fold(title, collected) if collected else [plain_text(title)]))

    def note(self, text: str) -> None:
        """Print an annotation; if there are many, only a line, which `finish` counts."""
        self.notes.append(Annotation(message=printable(text)))
        if len(self.notes) < MOST_ANNOTATIONS:
            self._print(*commands(self.notes[-1:], level=_NOTICE))
        else:
            self._print(plain_text(f"note: {text}"))

    def finish(self) -> None:
        """Print the last annotation: the last note, or the number of notes without one."""
        rest = self.notes[MOST_ANNOTATIONS - 1 :]
        self._print(*commands(rest, level=_NOTICE, most=1))


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def _shortened(text: str, width: int = 60, head: int = 40) -> str:
    text = text.strip()
    return text if len(text) <= width else f"{text[:head]}…{text[head + 1 - width :]}"
