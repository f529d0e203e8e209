"""What this machine has of what the bench needs. Importing it needs none of that."""

from __future__ import annotations

import os
import platform
import random
import shutil
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path

from pipeline.bench.machine import EMULATORS, Machine
from pipeline.errors import BenchError

# Packages that a plain installation does not have, by the module that is imported.
PACKAGES = {
    "aiohttp": "aiohttp",
    "grpc": "grpcio",
    "opentelemetry.exporter.otlp.proto.grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.sdk": "opentelemetry-sdk",
}
# Set to 1 by whoever starts the bench on an emulated machine, which cannot tell by itself.
EMULATED = "OCELOT_EMULATED"
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


def this_machine(environment: Mapping[str, str] = os.environ) -> Machine:
    """This machine; its emulators are looked for on the PATH."""
    emulated = environment.get(EMULATED) == "1"
    if platform.system() != "Linux":
        return Machine(name=platform.system(), is_linux=False, emulated=emulated)
    found = {
        each: next(filter(None, map(shutil.which, names)), None)
        for each, names in EMULATORS.items()
    }
    return Machine(
        name=platform.machine(),
        emulators={each: path for each, path in found.items() if path},
        emulated=emulated,
    )


def missing_packages() -> tuple[str, ...]:
    """Names of packages that are not installed."""
    return tuple(package for module, package in PACKAGES.items() if not _is_there(module))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False


def how_to_install(missing: Sequence[str]) -> str:
    """What to do where packages are missing."""
    return f"uv sync --group bench, or: pip install {' '.join(missing)}"


def check_packages() -> None:
    """See that the bench can run.

    Raises:
        BenchError: a package is missing.
    """
    if missing := missing_packages():
        raise BenchError(
            f"the bench needs packages that are not installed: {', '.join(missing)}",
            hint=how_to_install(missing),
        )


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
