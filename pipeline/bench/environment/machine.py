"""The machine on which layers are run: its architecture, emulators, packages and free ports."""

from __future__ import annotations

import os
import platform
import random
import shutil
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import BenchError
from pipeline.naming import Architecture

# Packages that a plain installation does not have, by the module that is imported.
PACKAGES = {
    "aiohttp": "aiohttp",
    "grpc": "grpcio",
    "opentelemetry.exporter.otlp.proto.grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.sdk": "opentelemetry-sdk",
}
_ARCHITECTURES = {
    "x86_64": Architecture.AMD64,
    "amd64": Architecture.AMD64,
    "aarch64": Architecture.ARM64,
    "arm64": Architecture.ARM64,
}
# Programs that run executables of another architecture: https://www.qemu.org/docs/master/user/
EMULATORS = {
    Architecture.AMD64: ("qemu-x86_64-static", "qemu-x86_64"),
    Architecture.ARM64: ("qemu-aarch64-static", "qemu-aarch64"),
}
# An emulated machine looks like a real one from inside: the caller that started it sets this to 1.
EMULATED = "OCELOT_EMULATED"
# The address on which all servers of the bench listen.
HOST = "127.0.0.1"
# The name under which extensions listen in Lambda.
SANDBOX_NAME = "sandbox.localdomain"
# https://docs.kernel.org/networking/ip-sysctl.html
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST_PORT, _DEFAULT_FIRST_EPHEMERAL_PORT = 10_000, 32_768
_TRIED_PORTS = 100
# A name server may never answer; /etc/hosts answers at once.
LOOKUP_SECONDS = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A machine on which layers are run.

    Attributes:
        name: as `uname -m` prints it; the name of the operating system if that is not Linux.
        emulators: paths of the programs that run executables of another architecture.
        is_linux: True if it runs Linux, as Lambda does; qemu-user needs Linux, too.
        emulated: True if the machine itself is emulated, and so everything that runs on it.
    """

    name: str
    emulators: Mapping[Architecture, str] = field(default_factory=dict[Architecture, str])
    is_linux: bool = True
    emulated: bool = False

    @property
    def architecture(self) -> Architecture | None:
        """The architecture that it runs without an emulator; None if Lambda has no such one."""
        return _ARCHITECTURES.get(self.name.lower())

    def emulator(self, architecture: Architecture) -> str:
        """Return the program that runs executables of an architecture; empty if none is needed."""
        return "" if architecture == self.architecture else self.emulators.get(architecture, "")

    def obstacle(self, architecture: Architecture) -> str:
        """Return why executables of an architecture cannot run here; empty if they can."""
        if architecture == self.architecture or architecture in self.emulators:
            return ""
        program = EMULATORS[architecture][-1]
        return f"{architecture} does not run on {self.name} without {program} (qemu-user)"


def this_machine(environment: Mapping[str, str] = os.environ) -> Machine:
    """Return this machine; emulators are looked up on the PATH."""
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
    """Return the names of the bench's packages that are not installed."""
    return tuple(package for module, package in PACKAGES.items() if not _is_installed(module))


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False


def how_to_install(missing: Sequence[str]) -> str:
    """Return the commands that install missing packages."""
    return f"uv sync --group bench, or: pip install {' '.join(missing)}"


def check_packages() -> None:
    """Check that the bench's packages are installed.

    Raises:
        BenchError: a package is missing.
    """
    if missing := missing_packages():
        raise BenchError(
            f"the bench needs packages that are not installed: {', '.join(missing)}",
            hint=how_to_install(missing),
        )


def has_sandbox_name() -> bool:
    """Return True if `sandbox.localdomain` resolves to this machine, as it does in Lambda."""
    found: list[str] = []

    def look_up() -> None:
        with suppress(OSError):
            found.append(socket.gethostbyname(SANDBOX_NAME))

    lookup = threading.Thread(target=look_up, daemon=True)
    lookup.start()
    lookup.join(LOOKUP_SECONDS)
    return found == [HOST]


def check_executable(folder: Path) -> None:
    """Check that programs in a folder can be started.

    Raises:
        BenchError: its file system is mounted noexec.
    """
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise BenchError(
            f"no program can be started in {folder.parent}: it is mounted noexec",
            hint="set TMPDIR to a folder in which programs may run",
        )


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports on which no process listens at this moment.

    Linux may give any port of its ephemeral range to a connection before the layer listens on it,
    so ports below that range are taken, as long as there are any.
    """
    below = range(_LOWEST_PORT, _first_ephemeral_port())
    some = random.SystemRandom().sample(below, min(len(below), _TRIED_PORTS))
    candidates = [*some, *[0] * count]  # 0: a port that Linux chooses
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


def _first_ephemeral_port() -> int:
    """Return the first port that this machine gives to outgoing connections."""
    try:
        return int(PORT_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _DEFAULT_FIRST_EPHEMERAL_PORT
