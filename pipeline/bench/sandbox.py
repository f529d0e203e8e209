"""Processes as Lambda keeps them: with its environment alone, frozen, thawed, always reaped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from pipeline.errors import BenchError

if TYPE_CHECKING:
    from anyio.abc import ByteReceiveStream, Process

_KEPT_LINES = 400
_LONGEST_LINE = 2**20
_FUNCTION = Path(__file__).with_name("function.py")
# Linux makes a process's CPU-time clock of its id: clock_getcpuclockid(3) and
# https://github.com/torvalds/linux/blob/v6.12/include/linux/posix-timers_types.h
_SCHEDULED = 2


class Changes:
    """Whoever changes something tells; whoever waits looks again."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def tell(self) -> None:
        """Something changed."""
        self._event.set()
        self._event = anyio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        while not holds():
            await self._event.wait()


@dataclass(kw_only=True)
class Running:
    """A process in a group of its own.

    Attributes:
        started: when, by the monotonic clock.
        lines: the last that it printed.
        ended: its exit code, negative for a signal; None while it runs.
        drained: whether all that it printed has been read.
    """

    name: str
    process: Process
    started: float
    changes: Changes
    lines: deque[str] = field(default_factory=lambda: deque[str](maxlen=_KEPT_LINES))
    ended: int | None = None
    drained: bool = False

    @property
    def pid(self) -> int:
        """Its id, which is that of its group, too."""
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and its children."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def watch(self, on_line: Callable[[str], None]) -> None:
        """Keep what it prints, and note its end."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read, on_line)
            self.ended = await self.process.wait()
            self.changes.tell()
            with anyio.move_on_after(0.5):  # a child of its own may hold the pipe open
                await self.changes.until(lambda: self.drained)
            tasks.cancel_scope.cancel()

    async def _read(self, on_line: Callable[[str], None]) -> None:
        async for line in _lines(self.process.stdout):
            self.lines.append(line)
            on_line(line)
        self.drained = True
        self.changes.tell()


async def _lines(stream: ByteReceiveStream | None) -> AsyncGenerator[str]:
    rest = b""
    if stream:
        async for chunk in stream:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")
            rest = rest[-_LONGEST_LINE:]
    if rest:
        yield rest.decode(errors="replace")


@asynccontextmanager
async def started(
    name: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path, changes: Changes
) -> AsyncGenerator[Running]:
    """A process, until the context ends; then it and its children are killed if need be.

    Raises:
        OSError: it cannot be started.
    """
    begun = time.monotonic()
    process = await anyio.open_process(
        list(argv),
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    running = Running(name=name, process=process, started=begun, changes=changes)
    try:
        yield running
    finally:
        await _reap(running)


async def _reap(running: Running) -> None:
    with anyio.CancelScope(shield=True):
        running.signal(signal.SIGKILL)
        await running.process.wait()
        await running.process.aclose()


@dataclass(kw_only=True)
class Function:
    """The program that sends telemetry as a function does: see `function.py`."""

    running: Running
    _answers: BufferedByteReceiveStream

    async def open(self, endpoints: Mapping[str, str]) -> None:
        """Make it send there, by protocol."""
        await self._order({"do": "open", "endpoints": dict(endpoints)})

    async def invoke(self, items: Sequence[str]) -> tuple[str, ...]:
        """Let it send items; what its SDK complained of."""
        return await self._order({"do": "invoke", "items": list(items)})

    async def close(self) -> None:
        """Let it close its connections."""
        await self._order({"do": "close"})

    async def _order(self, order: Mapping[str, Any]) -> tuple[str, ...]:
        stdin = self.running.process.stdin
        assert stdin is not None  # noqa: S101  it was made with a pipe
        try:
            await stdin.send(json.dumps(order).encode() + b"\n")
            answer = await self._answers.receive_until(b"\n", _LONGEST_LINE)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream) as error:
            raise _broken() from error
        except anyio.IncompleteRead as error:
            raise _broken() from error
        return tuple(json.loads(answer)["problems"])


def _broken() -> BenchError:
    return BenchError(
        "the bench's own function ended", hint="that is no fault of the layer's: try again"
    )


@asynccontextmanager
async def function() -> AsyncGenerator[Function]:
    """The function's program, until the context ends."""
    # -P and an empty environment: neither this folder nor anybody's OTEL_… has a say in it
    process = await anyio.open_process(
        [sys.executable, "-P", str(_FUNCTION)],
        env={"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    running = Running(name="function", process=process, started=time.monotonic(), changes=Changes())
    try:
        assert process.stdout is not None  # noqa: S101  it was made with a pipe
        yield Function(running=running, _answers=BufferedByteReceiveStream(process.stdout))
    finally:
        await _reap(running)


def cpu_seconds(pid: int) -> float:
    """CPU time of all of a process's threads, those that have ended among them, in seconds.

    It is exact to the nanosecond and to the moment, unlike /proc/PID/stat, which counts in
    hundredths, and /proc/PID/task/*/schedstat, which lacks threads that have ended; these are
    summed up where the clock is not to be had. 0 for a process that is gone.
    """
    with suppress(OSError):
        return time.clock_gettime_ns(~pid << 3 | _SCHEDULED) / 1e9
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):
            total += int(task.read_text().split()[0])
    return total / 1e9


def memory_bytes(pid: int) -> tuple[int, int]:
    """Memory in use, and the most that ever was, in bytes; 0 for a process that is gone.

    VmRSS and VmHWM of https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0, 0
    return _kilobytes(status, "VmRSS") * 1024, _kilobytes(status, "VmHWM") * 1024


def _kilobytes(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) if found else 0
