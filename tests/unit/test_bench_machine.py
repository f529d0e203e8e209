"""The machine of the bench, and what `ocelot doctor` reports of it."""

from __future__ import annotations

import platform
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from report_examples import shown
from unit_examples import CHECKOUT

from pipeline import doctor
from pipeline.bench.environment import machine as machines
from pipeline.bench.environment.machine import EMULATORS
from pipeline.errors import BenchError
from pipeline.naming import Architecture
from pipeline.report.doctor import doctor_report

AMD64, ARM64 = Architecture.AMD64, Architecture.ARM64
ROOM = CHECKOUT / "pipeline" / "bench"
NEED_PACKAGES = ("run", "cold_start", "lambda_api", "function", "receiver")
IMPORT_WITHOUT_PACKAGES = """
import importlib, sys
sys.modules.update(dict.fromkeys(("aiohttp", "grpc", "opentelemetry")))
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def on(monkeypatch: pytest.MonkeyPatch, system: str, machine: str, *programs: str) -> doctor.Check:
    """The finding on emulators on such a machine."""
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(shutil, "which", {name: f"/bin/{name}" for name in programs}.get)
    return doctor.emulator_check(machines.this_machine())


def named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    def resolved(name: str) -> str:
        assert name == "sandbox.localdomain"
        if not address:
            raise socket.gaierror
        return address

    monkeypatch.setattr(socket, "gethostbyname", resolved)


def test_the_other_architecture_runs_by_its_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    static, plain = EMULATORS[ARM64]
    for name in (static, plain):
        found = on(monkeypatch, "Linux", "x86_64", name)
        assert (found.state, found.found, found.remedy) == ("ok", f"arm64 by /bin/{name}", "")
    assert on(monkeypatch, "Linux", "aarch64", *EMULATORS[AMD64]).state == "ok"


def test_an_emulator_of_the_machines_own_architecture_does_not_help(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = on(monkeypatch, "Linux", "aarch64", *EMULATORS[ARM64])
    assert (found.state, found.found) == ("missing", "no amd64 on aarch64")
    assert found.remedy == "install qemu-user"
    assert found.purpose == "running layers for amd64 on the bench"
    assert not found.needed


def test_a_machine_of_neither_architecture_needs_both(monkeypatch: pytest.MonkeyPatch) -> None:
    found = on(monkeypatch, "Linux", "riscv64", *EMULATORS[ARM64])
    assert found.state == "missing"
    assert found.found == "arm64 by /bin/qemu-aarch64-static, no amd64 on riscv64"


def test_on_a_machine_without_linux_the_remedy_is_containers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = on(monkeypatch, "Darwin", "arm64", *EMULATORS[AMD64])
    assert found.found == "no amd64 on Darwin, no arm64 on Darwin"
    assert "dagger call bench" in found.remedy


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.bench_check().state == "ok"
    monkeypatch.setitem(machines.PACKAGES, "no.such.module", "no-such-package")
    found = doctor.bench_check()
    assert (found.state, found.found) == ("missing", "not installed: no-such-package")
    assert "pip install no-such-package" in found.remedy
    assert not found.needed
    with pytest.raises(BenchError, match="no-such-package") as caught:
        machines.check_packages()
    assert "uv sync --group bench" in caught.value.hint


def test_modules_that_only_decide_can_be_imported_without_the_packages() -> None:
    paths = [each for each in ROOM.rglob("*.py") if each.stem not in NEED_PACKAGES]
    names = [".".join(each.relative_to(CHECKOUT).with_suffix("").parts) for each in paths]
    assert "pipeline.bench.preparation" in names
    code = [sys.executable, "-c", IMPORT_WITHOUT_PACKAGES]
    callers = ["pipeline.cli.bench", "pipeline.release", "pipeline.doctor", "pipeline.report.bench"]
    done = subprocess.run([*code, *names, *callers], cwd=CHECKOUT, check=False)
    assert done.returncode == 0


def test_a_machine_is_emulated_if_the_environment_says_so() -> None:
    assert machines.this_machine({"OCELOT_EMULATED": "1"}).emulated
    for environment in ({}, {"OCELOT_EMULATED": ""}, {"OCELOT_EMULATED": "0"}):
        assert not machines.this_machine(environment).emulated


@pytest.mark.parametrize(
    ("address", "state"), [("127.0.0.1", "ok"), ("10.0.0.7", "note"), ("", "note")]
)
def test_sandbox_localdomain_may_be_this_machine(
    address: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, address)
    found = doctor.sandbox_check()
    assert found.state == state
    assert ("`127.0.0.1 sandbox.localdomain`" in found.remedy) == (state == "note")


def test_a_silent_name_server_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "gethostbyname", lambda _: answered.wait(30))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(machines, "LOOKUP_SECONDS", 0.05)
    started = time.monotonic()
    assert not machines.has_sandbox_name()
    assert time.monotonic() - started < 5
    answered.set()


def test_a_layers_ports_are_below_the_range_of_connections() -> None:
    first = (
        int(machines.PORT_RANGE.read_text().split()[0]) if machines.PORT_RANGE.exists() else 32_768
    )
    found = machines.free_ports(4)
    assert len(set(found)) == 4
    assert all(10_000 <= each < first for each in found)


def test_a_port_that_is_taken_is_not_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machines, "PORT_RANGE", tmp_path / "range")
    (tmp_path / "range").write_text("10010\t60999\n")
    with socket.socket() as taken:
        taken.bind((machines.HOST, 10_001))
        for _ in range(20):
            found = machines.free_ports(20)
            assert len(set(found)) == 20
            assert 10_001 not in found
            assert any(10_000 <= each < 10_010 for each in found)


def test_without_ports_below_the_range_of_connections_one_of_those_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machines, "PORT_RANGE", tmp_path / "range")
    (tmp_path / "range").write_text("1024\t65535\n")
    assert len(set(machines.free_ports(2))) == 2


def test_the_lines_of_the_bench_have_their_remedy_below(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "")
    checks = (doctor.bench_check(), doctor.sandbox_check())
    lines = [each.rstrip() for each in shown(doctor_report(checks)).splitlines()]
    assert lines[:-1] == [
        "ok    bench    its packages are installed",
        "note  sandbox  sandbox.localdomain is not known here",
        "               for keeping what runs on the bench on loopback: "
        "add the line `127.0.0.1 sandbox.localdomain` to /etc/hosts",
    ]
