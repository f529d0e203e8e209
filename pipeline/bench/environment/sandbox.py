"""Processes that are frozen, thawed and always ended, and a layer in a read-only folder."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from pipeline.errors import BenchError
from pipeline.files import output_errors
from pipeline.layer.zip import ZipEntry

if TYPE_CHECKING:
    from anyio.abc import ByteReceiveStream, Process

_WRITE = 0o222
_KEPT_LINES = 400
_LONGEST_LINE = 2**20
_FUNCTION = Path(__file__).with_name("function.py")
# Linux makes a process's CPU-time clock of its id: clock_getcpuclockid(3) and
# https://github.com/torvalds/linux/blob/v6.12/include/linux/posix-timers_types.h
_SCHEDULED = 2


class Changes:
    """A signal between tasks: waiters check their condition again after each notification."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def notify(self) -> None:
        """Wake all waiters."""
        self._event.set()
        self._event = anyio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        while not holds():
            await self._event.wait()


@dataclass(kw_only=True)
class RunningProcess:
    """A process in its own process group.

    Attributes:
        started: the monotonic time at which it was started.
        lines: the last lines that it printed.
        ended: its exit code, negative for a signal; None while it runs.
        drained: True if all that it printed has been read.
    """

    process: Process
    started: float
    changes: Changes
    lines: deque[str] = field(default_factory=lambda: deque[str](maxlen=_KEPT_LINES))
    ended: int | None = None
    drained: bool = False

    @property
    def pid(self) -> int:
        """Its id, and that of its group."""
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and its children."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def watch(self, on_line: Callable[[str], None]) -> None:
        """Keep the lines that it prints, and its exit code."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read, on_line)
            self.ended = await self.process.wait()
            self.changes.notify()
            with anyio.move_on_after(0.5):  # a child of the process may hold the pipe open
                await self.changes.until(lambda: self.drained)
            tasks.cancel_scope.cancel()

    async def _read(self, on_line: Callable[[str], None]) -> None:
        async for line in _lines(self.process.stdout):
            self.lines.append(line)
            on_line(line)
        self.drained = True
        self.changes.notify()


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
async def running_process(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, changes: Changes
) -> AsyncGenerator[RunningProcess]:
    """A process, until the context ends; then it and its children are killed.

    Raises:
        OSError: it cannot be started.
    """
    started = time.monotonic()
    process = await anyio.open_process(
        list(argv),
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    running = RunningProcess(process=process, started=started, changes=changes)
    try:
        yield running
    finally:
        await _end(running)


async def _end(running: RunningProcess) -> None:
    with anyio.CancelScope(shield=True):
        running.signal(signal.SIGKILL)
        await running.process.wait()
        await running.process.aclose()


@dataclass(kw_only=True)
class FunctionProcess:
    """The program `function.py`, which sends telemetry as a Lambda function does."""

    running: RunningProcess
    _answers: BufferedByteReceiveStream

    async def open(self, endpoints: Mapping[str, str]) -> None:
        """Make it send to these endpoints, by protocol."""
        await self._order({"do": "open", "endpoints": dict(endpoints)})

    async def invoke(self, items: Sequence[str]) -> tuple[str, ...]:
        """Make it send items; return the warnings and errors that its SDK logged."""
        return await self._order({"do": "invoke", "items": list(items)})

    async def close(self) -> None:
        """Make it close its connections."""
        await self._order({"do": "close"})

    async def _order(self, order: Mapping[str, Any]) -> tuple[str, ...]:
        stdin = self.running.process.stdin
        assert stdin is not None  # noqa: S101  it was made with a pipe
        try:
            await stdin.send(json.dumps(order).encode() + b"\n")
            answer = await self._answers.receive_until(b"\n", _LONGEST_LINE)
        except (
            anyio.BrokenResourceError,
            anyio.ClosedResourceError,
            anyio.EndOfStream,
            anyio.IncompleteRead,
        ) as error:
            raise BenchError(
                "the bench's function ended", hint="try again: the layer did not cause this"
            ) from error
        return tuple(json.loads(answer)["problems"])


@asynccontextmanager
async def function_process() -> AsyncGenerator[FunctionProcess]:
    """The function's program, until the context ends."""
    # -P and an empty environment: neither this folder nor the user's OTEL_… variables affect it
    process = await anyio.open_process(
        [sys.executable, "-P", str(_FUNCTION)],
        env={"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    running = RunningProcess(process=process, started=time.monotonic(), changes=Changes())
    try:
        assert process.stdout is not None  # noqa: S101  it was made with a pipe
        yield FunctionProcess(running=running, _answers=BufferedByteReceiveStream(process.stdout))
    finally:
        await _end(running)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, ended ones included, in seconds.

    The process's clock is exact to the nanosecond, unlike /proc/PID/stat, which counts in
    hundredths, and includes ended threads, unlike /proc/PID/task/*/schedstat; the latter is summed
    up if the clock cannot be read. 0 for a process that has ended.
    """
    with suppress(OSError):
        return time.clock_gettime_ns(~pid << 3 | _SCHEDULED) / 1e9
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):
            total += int(task.read_text().split()[0])
    return total / 1e9


def ended_cpu_seconds() -> float:
    """Return the CPU time of all child processes that have ended so far, in seconds.

    Their own ended children are included. The difference of two calls is the CPU time of the
    processes that ended in between, to the microsecond:
    https://man7.org/linux/man-pages/man2/getrusage.2.html
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory_bytes(pid: int) -> tuple[int, int]:
    """Return a process's memory in use and its highest value so far, in bytes; 0 if it has ended.

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


@contextmanager
def unpacked(entries: Iterable[ZipEntry]) -> Generator[Path]:
    """A folder with a layer's files, until the context ends; only root can write to it.

    Raises:
        OutputError: there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="ocelot-bench-") as temporary:
        root = Path(temporary) / "opt"
        with output_errors(Path(temporary)):
            for entry in entries:
                path = root / entry.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(entry.content)
                path.chmod(entry.mode & ~_WRITE | stat.S_IRUSR)
        _set_folder_modes(root, 0o555)
        try:
            yield root
        finally:
            _set_folder_modes(root, 0o755)  # or it cannot be removed


def _set_folder_modes(root: Path, mode: int) -> None:
    for folder, _names, _files in os.walk(root):
        Path(folder).chmod(mode)


def file_states(root: Path) -> dict[str, tuple[int, int, int]]:
    """Return size, modification time and mode of everything in a folder, by path."""
    return {
        path.relative_to(root).as_posix(): (found.st_size, found.st_mtime_ns, found.st_mode)
        for path in sorted(root.rglob("*"))
        for found in (path.lstat(),)
    }
