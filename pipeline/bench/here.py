"""What this machine has of what the bench can use. It imports nothing that only the bench needs."""

from __future__ import annotations

import platform
import random
import shutil
import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

from pipeline.bench.machine import EMULATORS
from pipeline.model import Architecture

# Where everything listens.
HOST = "127.0.0.1"
# The name under which extensions listen in Lambda.
SANDBOX_NAME = "sandbox.localdomain"
# https://docs.kernel.org/networking/ip-sysctl.html
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LEAST_PORT, _FIRST_OF_LINUX = 10_000, 32_768
_TRIED_PORTS = 100
# A name server may be silent; /etc/hosts answers at once.
LOOKUP_SECONDS = 1.5


def machine() -> str:
    """The machine as `uname -m` tells it; the system's name where it is not Lambda's, Linux."""
    return platform.machine() if is_linux() else platform.system()


def is_linux() -> bool:
    """Whether this machine runs what Lambda runs; there is no emulator for other systems."""
    return platform.system() == "Linux"


def emulators() -> dict[Architecture, str]:
    """Programs that run another machine's executables, where they are installed."""
    if not is_linux():
        return {}
    found = {
        each: next(filter(None, map(shutil.which, names)), None)
        for each, names in EMULATORS.items()
    }
    return {each: path for each, path in found.items() if path}


def has_sandbox_name() -> bool:
    """Whether the name under which extensions listen in Lambda is this machine's."""
    found: list[str] = []

    def look() -> None:
        with suppress(OSError):
            found.append(socket.gethostbyname(SANDBOX_NAME))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(LOOKUP_SECONDS)
    return found == [HOST]


def free_ports(count: int) -> tuple[int, ...]:
    """Ports on which nobody listens at this moment.

    They are none of those that Linux gives to connections by itself, of which any may be taken
    before a layer listens there; unless there are no others.
    """
    wanted = range(_LEAST_PORT, _first_own_port())
    some = random.SystemRandom().sample(wanted, min(len(wanted), _TRIED_PORTS))
    candidates = [*some, *[0] * count]  # 0: whichever Linux gives
    found: list[int] = []
    with ExitStack() as held:
        for port in candidates:
            one = held.enter_context(socket.socket())
            with suppress(OSError):
                one.bind((HOST, port))
                found.append(one.getsockname()[1])
            if len(found) == count:
                break
    return tuple(found)


def _first_own_port() -> int:
    """The first port that this machine gives to connections by itself."""
    try:
        return int(PORT_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _FIRST_OF_LINUX
