"""What a process has used, by the kernel's own accounting."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path

# Linux makes a process's CPU-time clock of its id: clock_getcpuclockid(3) and
# https://github.com/torvalds/linux/blob/v6.12/include/linux/posix-timers_types.h
_SCHEDULED = 2


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
