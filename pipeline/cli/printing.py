"""Output that cannot end a command: a full disk or a reader that has gone must not stop the work.

A command may have published layers by the time it prints. Its work and its files do not depend on
what happens to standard output, standard error and the job's summary.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path
    from typing import TextIO

    from _typeshed import ReadableBuffer

    from pipeline.report.rendering import Report

_STANDARD = range(3)  # the numbers of standard input, output and error


class _LastingFile(io.FileIO):
    """An open file that discards everything after the first write that fails."""

    error: OSError | None = None

    def write(self, content: ReadableBuffer) -> int | None:
        """Write or discard; return the number of bytes."""
        if self.error is None:
            try:
                return super().write(content)
            except OSError as error:
                self.error = error
        return memoryview(content).nbytes


def protect_output() -> None:
    """Make writing to standard output and standard error never fail; a closed one is discarded."""
    handle = os.open(os.devnull, os.O_RDWR)
    while handle in _STANDARD:  # the number of one that is closed
        os.set_inheritable(handle, True)
        handle = os.dup(handle)
    os.close(handle)
    if sys.stdout is sys.__stdout__:  # else a program that runs the command line has its own
        sys.stdout = _lasting(sys.stdout, number=1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lasting(sys.stderr, number=2)


def _lasting(stream: TextIO | None, *, number: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_LastingFile(number, "wb", closefd=False)),
        encoding=stream.encoding if stream else "utf-8",
        errors="backslashreplace",
        line_buffering=stream is not None and bool(stream.line_buffering),
    )


def output_failure() -> str:
    """Return why standard output was not written; empty if it was, or if its reader has gone."""
    sys.stdout.flush()
    file = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = file.error if isinstance(file, _LastingFile) else None
    return "" if error is None or error.errno == errno.EPIPE else error.strerror or str(error)


def add_summary(report: Report, environment: Mapping[str, str], rest: str = "") -> None:
    """Add a report to the summary of a GitHub job, shortened to what GitHub shows of a step.

    A note is printed if that is not possible.

    Args:
        report: with all its rows.
        environment: it names the summary's file.
        rest: where the rows are that are left out, in a few words; default: the log.
    """
    from pipeline.github.annotations import SUMMARY, append_summary, summary_room
    from pipeline.report.summary import LOG, report_markdown

    if not environment.get(SUMMARY):
        return
    with _noted("the job's summary"):
        text = report_markdown(report, summary_room(environment), rest or LOG)
        append_summary(text, environment)
        if not text:
            typer.echo("note: the job's summary is full; this report is not in it", err=True)


def set_output(name: str, value: str, environment: Mapping[str, str]) -> None:
    """Set an output of the step of a GitHub job; print a note if that is not possible."""
    from pipeline.github.annotations import append_output

    with _noted(f"the step's output {name}"):
        append_output(name, value, environment)


@contextmanager
def _noted(what: str) -> Generator[None]:
    """Print a note instead of an error if a file cannot be written."""
    try:
        yield
    except OSError as error:
        typer.echo(f"note: {what} could not be written: {error.strerror or error}", err=True)


def check_file(option: str, path: Path | None) -> None:
    """Reject a folder where a file is to be written, before the work starts.

    Raises:
        UsageError: the path is a folder.
    """
    from pipeline.errors import UsageError

    if path and path.is_dir():
        raise UsageError(f"{option} {path} is a folder", hint="name a file")
