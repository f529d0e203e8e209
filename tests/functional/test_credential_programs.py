"""A program that gives credentials and waits: it ends with the command that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from runs import OCELOT, environment


def is_alive(pid: int) -> bool:
    """True if a process runs; one that has ended may still wait for its parent."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def written(path: Path) -> int:
    """Wait for the process id that the program writes."""
    for _ in range(600):
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.parametrize(
    "command", [("layers", "list"), ("publish", "--preflight", "--regions", "eu-west-1")]
)
def test_a_waiting_program_ends_with_the_command(tmp_path: Path, command: tuple[str, ...]) -> None:
    waits = f"echo $$ > {tmp_path / 'pid'}; exec sleep 600"
    (tmp_path / "config").write_text(f'[default]\ncredential_process = sh -c "{waits}"\n')
    process = subprocess.Popen(
        [str(OCELOT), *command],
        env=environment(tmp_path / "cache", {"AWS_CONFIG_FILE": str(tmp_path / "config")}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        helper = written(tmp_path / "pid")
        os.kill(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        assert "Traceback" not in err
        assert not is_alive(helper)
    finally:
        process.kill()
        process.communicate()
