"""Extensions that can be started, here or in Lambda, and the faults of others."""

from __future__ import annotations

import struct

import pytest

from pipeline.bench.environment.machine import Machine
from pipeline.bench.faults import Fault, FaultError, init_fault, last_lines, logged_error
from pipeline.bench.layer import extension_architecture
from pipeline.layer.zip import ZipEntry
from pipeline.naming import Architecture

AMD64, ARM64 = Architecture.AMD64, Architecture.ARM64


def elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01".ljust(18, b"\0") + struct.pack("<H", machine) + b"more"


FOR_AMD64, FOR_ARM64, FOR_RISCV = elf(0x3E), elf(0xB7), elf(0xF3)


def architecture(
    content: bytes, claimed: Architecture | None = AMD64, mode: int = 0o755
) -> Architecture | None:
    entry = ZipEntry(name="extensions/a", content=content, mode=mode)
    return extension_architecture("a.zip: extensions/a", entry, claimed)


@pytest.mark.parametrize(
    ("content", "claimed", "expected"),
    [
        (FOR_AMD64, AMD64, AMD64),
        (FOR_AMD64, None, AMD64),
        (FOR_ARM64, ARM64, ARM64),
        (FOR_ARM64, None, ARM64),
        (b"#!/bin/sh\n", ARM64, None),
    ],
)
def test_an_extension_is_for_the_architecture_in_its_header(
    content: bytes, claimed: Architecture | None, expected: Architecture | None
) -> None:
    assert architecture(content, claimed) == expected


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
def test_an_extension_that_lambda_could_not_start_is_a_fault(
    content: bytes, mode: int, claimed: Architecture | None, fault: Fault
) -> None:
    with pytest.raises(FaultError) as caught:
        architecture(content, claimed, mode)
    assert caught.value.fault is fault
    assert str(caught.value) == f"a.zip: extensions/a {fault}"


@pytest.mark.parametrize(
    ("name", "own"), [("x86_64", AMD64), ("AMD64", AMD64), ("aarch64", ARM64), ("arm64", ARM64)]
)
def test_a_machine_runs_its_own_architecture(name: str, own: Architecture) -> None:
    machine = Machine(name=name)
    assert (machine.architecture, machine.emulator(own), machine.obstacle(own)) == (own, "", "")


def test_a_machine_runs_another_architecture_only_by_its_emulator() -> None:
    machine = Machine(name="x86_64", emulators={ARM64: "/usr/bin/qemu-aarch64"})
    assert (machine.emulator(ARM64), machine.obstacle(ARM64)) == ("/usr/bin/qemu-aarch64", "")
    machine = Machine(name="x86_64", emulators={AMD64: "/usr/bin/qemu-x86_64"})
    why = "arm64 does not run on x86_64 without qemu-aarch64 (qemu-user)"
    assert machine.obstacle(ARM64) == why


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_hint(fault: Fault) -> None:
    error = FaultError(fault, "a.zip", ("why",))
    assert error.hint
    assert error.exit_code == 15
    assert error.details == ("why",)


@pytest.mark.parametrize(
    ("lines", "registered", "error", "fault"),
    [
        ([], False, "", Fault.EXITS_AT_ONCE),
        (["listen tcp 127.0.0.1:1: bind: address already in use"], True, "", Fault.PORT_TAKEN),
        ([], True, "Extension.Bad bind: address already in use", Fault.PORT_TAKEN),
        (["bad config"], True, "", Fault.REFUSES_CONFIG),
        (["bad config"], False, "Extension.Bad", Fault.REFUSES_CONFIG),
        (["panic: nil map", "goroutine 1"], True, "", Fault.PANICS),
        (["fatal error: all goroutines are asleep - deadlock!"], False, "", Fault.PANICS),
        (["open /opt/x/state: read-only file system"], False, "", Fault.WRITES_TO_LAYER),
        (["[Errno 13] Permission denied: '/opt/x/a'"], True, "", Fault.WRITES_TO_LAYER),
        (["open /etc/shadow: permission denied"], False, "", Fault.EXITS_AT_ONCE),
    ],
)
def test_the_fault_of_an_extension_that_ended_is_known_by_its_output(
    lines: list[str], *, registered: bool, error: str, fault: Fault
) -> None:
    assert init_fault(lines, layer="/opt/x", registered=registered, error=error) is fault


def test_last_lines_are_the_end_or_the_beginning_of_a_panic() -> None:
    lines = [f"line {number}" for number in range(40)]
    assert last_lines(lines) == tuple(lines[-12:])
    assert last_lines([*lines, "panic: a", *lines])[0] == "panic: a"
    assert last_lines([]) == ()


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([], ""),
        (["a", "b"], "b"),
        (['{"msg": "a"}', '{"error": "why"}', '{"error": "why; more"}', "1", "[]"], "why"),
        (['{"error": 3}', "last"], "last"),
        (["panic: why", "goroutine 1"], "panic: why"),
    ],
)
def test_the_error_of_an_extension_is_found_in_its_lines(lines: list[str], error: str) -> None:
    assert logged_error(lines) == error
