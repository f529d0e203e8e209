"""What this machine has of what the bench can use. It imports nothing that only the bench needs."""

from __future__ import annotations

import platform
import shutil
import socket
import threading
from contextlib import suppress

from pipeline.bench.machine import EMULATORS
from pipeline.model import Architecture

# Where everything listens.
HOST = "127.0.0.1"
# The name under which extensions listen in Lambda.
SANDBOX_NAME = "sandbox.localdomain"
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
