"""Whether an extension can be started on a machine, decided from its file."""

from __future__ import annotations

import struct

import pytest

from pipeline.bench.faults import Fault, FaultError, ended_fault, last_words
from pipeline.bench.machine import Machine, Startable, startable
from pipeline.naming import Architecture

AMD64, ARM64 = Architecture.AMD64, Architecture.ARM64


def elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01".ljust(18, b"\0") + struct.pack("<H", machine) + b"more"


FOR_AMD64, FOR_ARM64, FOR_RISCV = elf(0x3E), elf(0xB7), elf(0xF3)


def decided(
    content: bytes,
    *,
    mode: int = 0o755,
    claimed: Architecture | None = AMD64,
    machine: str = "x86_64",
    emulators: dict[Architecture, str] | None = None,
) -> Startable:
    here = Machine(name=machine, emulators=emulators or {})
    return startable("a.zip: extensions/a", content, mode, claimed=claimed, machine=here)


@pytest.mark.parametrize(
    ("content", "machine", "claimed"),
    [
        (FOR_AMD64, "x86_64", AMD64),
        (FOR_AMD64, "AMD64", None),
        (FOR_ARM64, "aarch64", ARM64),
        (FOR_ARM64, "arm64", None),
        (b"#!/bin/sh\n", "riscv64", ARM64),
    ],
)
def test_what_is_of_this_machine_runs(
    content: bytes, machine: str, claimed: Architecture | None
) -> None:
    assert decided(content, machine=machine, claimed=claimed) == Startable()


def test_what_is_of_another_machine_runs_where_an_emulator_is() -> None:
    emulators = {ARM64: "/usr/bin/qemu-aarch64"}
    found = decided(FOR_ARM64, claimed=ARM64, emulators=emulators)
    assert found == Startable(emulator="/usr/bin/qemu-aarch64")


def test_what_is_of_another_machine_is_skipped_where_none_is() -> None:
    found = decided(FOR_ARM64, claimed=ARM64, emulators={AMD64: "/usr/bin/qemu-x86_64"})
    assert found.lacking == "arm64 does not run on x86_64 without qemu-aarch64 (qemu-user)"


@pytest.mark.parametrize(
    ("content", "mode", "claimed", "fault"),
    [
        (FOR_AMD64, 0o644, AMD64, Fault.NOT_EXECUTABLE),
        (b"", 0o755, None, Fault.NO_ELF),
        (b"MZ\x90\0", 0o755, None, Fault.NO_ELF),
        (b"\x7fELF", 0o755, None, Fault.NO_ELF),
        (FOR_ARM64, 0o755, AMD64, Fault.WRONG_ARCHITECTURE),
        (FOR_RISCV, 0o755, None, Fault.WRONG_ARCHITECTURE),
    ],
)
def test_what_lambda_could_not_start_fails_on_every_machine(
    content: bytes, mode: int, claimed: Architecture | None, fault: Fault
) -> None:
    for machine in ("x86_64", "aarch64", "riscv64"):
        with pytest.raises(FaultError) as caught:
            decided(content, mode=mode, claimed=claimed, machine=machine)
        assert caught.value.fault is fault
        assert str(caught.value) == f"a.zip: extensions/a {fault}"


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_says_what_to_do_next(fault: Fault) -> None:
    error = FaultError(fault, "a.zip", ("why",))
    assert error.hint
    assert error.exit_code == 15
    assert error.details == ("why",)


@pytest.mark.parametrize(
    ("lines", "registered", "error", "fault"),
    [
        ([], False, "", Fault.EXITS_AT_ONCE),
        (["bad config"], True, "", Fault.REFUSES_CONFIG),
        (["bad config"], False, "Extension.Bad", Fault.REFUSES_CONFIG),
        (["panic: nil map", "goroutine 1"], True, "", Fault.PANICS),
        (["fatal error: all goroutines are asleep - deadlock!"], False, "", Fault.PANICS),
        (["open /opt/x/state: read-only file system"], False, "", Fault.WRITES_TO_LAYER),
        (["[Errno 13] Permission denied: '/opt/x/a'"], True, "", Fault.WRITES_TO_LAYER),
        (["open /etc/shadow: permission denied"], False, "", Fault.EXITS_AT_ONCE),
    ],
)
def test_why_an_extension_ended_is_told_by_what_it_said(
    lines: list[str], *, registered: bool, error: str, fault: Fault
) -> None:
    assert ended_fault(lines, layer="/opt/x", registered=registered, error=error) is fault


def test_last_words_are_the_end_or_the_beginning_of_a_panic() -> None:
    lines = [f"line {number}" for number in range(40)]
    assert last_words(lines) == tuple(lines[-12:])
    assert last_words([*lines, "panic: a", *lines])[0] == "panic: a"
    assert last_words([]) == ()
