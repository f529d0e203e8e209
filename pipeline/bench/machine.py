"""Whether an executable can be started here, and how. Pure.

The header of an ELF file: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.bench.faults import Fault, FaultError
from pipeline.model import Architecture

_MACHINE = struct.Struct("<18xH")
_MACHINES = {0x3E: Architecture.AMD64, 0xB7: Architecture.ARM64}
_OURS = {
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
class Runnable:
    """It can be started.

    Attributes:
        emulator: the program that runs it; empty where the machine does so itself.
    """

    emulator: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Skip:
    """It cannot be tried here, though nothing may be wrong with it."""

    reason: str


def own_architecture(machine: str) -> Architecture | None:
    """What a machine itself runs, by what `uname -m` tells; None for what Lambda has not."""
    return _OURS.get(machine.lower())


def verdict(
    name: str,
    content: bytes,
    mode: int,
    *,
    claimed: Architecture | None,
    machine: str,
    emulators: Mapping[Architecture, str],
) -> Runnable | Skip:
    """Whether an extension can be started on this machine.

    Args:
        name: of its file.
        content: the file.
        mode: its permissions in the layer.
        claimed: the architecture that the layer is said to be for; None where nothing says so.
        machine: this machine's, as `uname -m` tells it.
        emulators: where programs of `EMULATORS` are.

    Raises:
        FaultError: Lambda could not start it, whichever machine this is.
    """
    if not mode & _EXECUTABLE:
        told = f"its mode in the zip is {mode:04o}"
        raise FaultError(Fault.NOT_EXECUTABLE, name, (told,))
    if content.startswith(b"#!"):  # Lambda runs scripts, too, if their interpreter is there
        return Runnable()
    if not content.startswith(b"\x7fELF") or len(content) < _MACHINE.size:
        raise FaultError(Fault.NO_ELF, name, (f"it begins with {content[:8]!r}",))
    own = _MACHINES.get(_MACHINE.unpack_from(content)[0])
    if own is None or claimed not in (None, own):
        said = f"the layer is for {claimed}" if claimed else "Lambda has amd64 and arm64"
        told = f"its machine is {own or _MACHINE.unpack_from(content)[0]}; {said}"
        raise FaultError(Fault.WRONG_ARCHITECTURE, name, (told,))
    if own_architecture(machine) == own:
        return Runnable()
    if own in emulators:
        return Runnable(emulator=emulators[own])
    wanted = EMULATORS[own][-1]
    return Skip(reason=f"{own} does not run on {machine} without {wanted} (qemu-user)")
