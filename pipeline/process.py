"""Run other programs: without a shell, with all output kept, and with no process left running.

A program runs in its own session. On a cancellation it ends with all its children, and Ctrl-C
reaches only ocelot, which then ends the program.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import signal
import subprocess
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import ByteReceiveStream, ByteSendStream, Process

GRACE_SECONDS = 3

_SECRETS = (
    re.compile(
        r"(?P<name>\bauthorization\s*[:=]\s*(?:(?:basic|bearer|token)\s+)?)\S+", re.IGNORECASE
    ),
    re.compile(
        r"(?P<name>\b\w*(?:password|passwd|token|secret)\w*[\"']?\s*[:=]\s*)\S+",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<name>\b(?:gh[pousr]_|github_pat_|glpat-))[\w-]+"),
    re.compile(r"(?P<name>://)[^/@\s]+(?=@)"),
    re.compile(r"(?P<name>://[^\s?]+\?)[^\s'\"]+"),
)
# The programs that run now, each the first of a session of its own.
_running: set[int] = set()


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The result of a program that has ended.

    Attributes:
        argv: the command.
        returncode: its exit code; negative for a signal.
        lines: its standard output and error, in the order they came.
    """

    argv: tuple[str, ...]
    returncode: int
    lines: tuple[str, ...]


def _ignore(_line: str) -> None:
    pass


async def run_program(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = _ignore,
    take: Callable[[str], bool] | None = None,
) -> Finished:
    """Run a program to its end and keep every line that it prints.

    Args:
        argv: program and arguments; no shell reads them.
        cwd: working folder.
        env: the whole environment; None for that of this process.
        on_line: called with each line as it comes.
        take: called before that; a line for which it returns True is not kept.

    Raises:
        FileNotFoundError: there is no such program.
    """
    lines: list[str] = []

    def keep(line: str) -> None:
        if not take or not take(line):
            lines.append(line)
            on_line(line)

    async with _started(argv, cwd, env, errors=subprocess.STDOUT) as process:
        if process.stdout:
            await _read_lines(process.stdout, keep)
        await process.wait()
    return Finished(argv=tuple(argv), returncode=process.returncode or 0, lines=tuple(lines))


async def read_output(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> tuple[int, bytes, str]:
    """Run a program whose standard output is data.

    Args:
        argv: program and arguments; no shell reads them.
        cwd: working folder.
        env: the whole environment; None for that of this process.
        data: its standard input; None for an empty one.

    Returns:
        Exit code, standard output, standard error.
    """
    output, errors = bytearray(), bytearray()

    async def drain(stream: ByteReceiveStream | None, into: bytearray) -> None:
        if stream:
            async for chunk in stream:
                into.extend(chunk)

    async def feed(stream: ByteSendStream | None) -> None:
        if stream:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it has ended
                await stream.send(data or b"")
            await stream.aclose()

    started = _started(argv, cwd, env, errors=subprocess.PIPE, has_input=data is not None)
    async with started as process:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed, process.stdin)
            tasks.start_soon(drain, process.stdout, output)
            tasks.start_soon(drain, process.stderr, errors)
        await process.wait()
    return process.returncode or 0, bytes(output), errors.decode(errors="replace")


def kill_programs() -> None:
    """Kill all programs that run now, with their children; who waits for one goes on."""
    for leader in tuple(_running):
        _signal_group(leader, signal.SIGKILL)


@asynccontextmanager
async def _started(
    argv: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    *,
    errors: int,
    has_input: bool = False,
) -> AsyncGenerator[Process]:
    """Start a program; it has ended, with its children, when the block does."""
    process = await anyio.open_process(
        list(argv),
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
    )
    _running.add(process.pid)
    try:
        yield process
    finally:
        await _end(process)
        _running.discard(process.pid)


def masked(line: str) -> str:
    """Return a line that another program printed, with `***` for what may be a secret.

    That is the value of a password, token or header, a token of GitHub or GitLab, and a URL's user
    and query.
    """
    for pattern in _SECRETS:
        line = pattern.sub(r"\g<name>***", line)
    return line


async def _read_lines(stream: ByteReceiveStream, keep: Callable[[str], None]) -> None:
    # \r and \r\n end a line as \n does, also where a chunk ends between \r and \n
    utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
    decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
    rest = ""
    async for chunk in stream:
        *whole, rest = (rest + decoder.decode(chunk)).split("\n")
        for line in whole:
            keep(line)
    *whole, rest = (rest + decoder.decode(b"", final=True)).split("\n")
    for line in (*whole, *([rest] if rest else [])):
        keep(line)


async def _end(process: Process) -> None:
    """End the program and its children: SIGTERM first, SIGKILL after `GRACE_SECONDS`."""
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            _signal_group(process.pid, signal.SIGTERM)
            with anyio.move_on_after(GRACE_SECONDS):
                await process.wait()
        _signal_group(process.pid, signal.SIGKILL)
        await process.aclose()


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
