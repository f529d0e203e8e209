"""Whether an executable can be started on a machine, and how. Pure.

The header of an ELF file: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.bench.faults import Fault, FaultError
from pipeline.naming import Architecture

_MACHINE = struct.Struct("<18xH")
_MACHINES = {0x3E: Architecture.AMD64, 0xB7: Architecture.ARM64}
_NAMES = {
    "x86_64": Architecture.AMD64,
    "amd64": Architecture.AMD64,
    "aarch64": Architecture.ARM64,
    "arm64": Architecture.ARM64,
}
# The programs that run another machine's executables: https://www.qemu.org/docs/master/user/
EMULATORS = {
    Architecture.AMD64: ("qemu-x86_64-static", "qemu-x86_64"),
    Architecture.ARM64: ("qemu-aarch64-static", "qemu-aarch64"),
}
_EXECUTABLE = 0o111


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A machine on which layers are run.

    Attributes:
        name: as `uname -m` prints it; the system's name where that is not Linux.
        emulators: paths of programs that run another machine's executables.
        is_linux: whether it runs what Lambda runs; there is no emulator of Linux for others.
        emulated: whether the machine is itself emulated, and so everything that runs on it.
    """

    name: str
    emulators: Mapping[Architecture, str] = field(default_factory=dict[Architecture, str])
    is_linux: bool = True
    emulated: bool = False

    @property
    def architecture(self) -> Architecture | None:
        """The architecture that it runs by itself; None for one that Lambda does not have."""
        return _NAMES.get(self.name.lower())


@dataclass(frozen=True, kw_only=True, slots=True)
class Startable:
    """How an extension is started, or why it cannot be here, though nothing may be wrong with it.

    Attributes:
        emulator: the program that runs it; empty where the machine does so itself.
        lacking: why it cannot be started; empty where it can.
    """

    emulator: str = ""
    lacking: str = ""


def startable(
    name: str, content: bytes, mode: int, *, claimed: Architecture | None, machine: Machine
) -> Startable:
    """Whether an extension can be started on a machine.

    Args:
        name: of its file.
        content: the file.
        mode: its permissions in the layer.
        claimed: the architecture that the layer is said to be for; None where nothing says so.
        machine: where it is to be started.

    Raises:
        FaultError: Lambda could not start it, whichever machine this is.
    """
    if not mode & _EXECUTABLE:
        raise FaultError(Fault.NOT_EXECUTABLE, name, (f"its mode in the zip is {mode:04o}",))
    if content.startswith(b"#!"):  # Lambda runs scripts, too, if their interpreter is there
        return Startable()
    if not content.startswith(b"\x7fELF") or len(content) < _MACHINE.size:
        raise FaultError(Fault.NO_ELF, name, (f"it begins with {content[:8]!r}",))
    own = _MACHINES.get(_MACHINE.unpack_from(content)[0])
    if own is None or claimed not in (None, own):
        expected = f"the layer is for {claimed}" if claimed else "Lambda has amd64 and arm64"
        found = own or _MACHINE.unpack_from(content)[0]
        raise FaultError(Fault.WRONG_ARCHITECTURE, name, (f"its machine is {found}; {expected}",))
    if machine.architecture == own:
        return Startable()
    if own in machine.emulators:
        return Startable(emulator=machine.emulators[own])
    program = EMULATORS[own][-1]
    return Startable(lacking=f"{own} does not run on {machine.name} without {program} (qemu-user)")
