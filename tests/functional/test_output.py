"""Streams that are full, closed, or no longer read; and Ctrl-C while the program starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runs import CONFIG, OCELOT, environment

CHECK = ("config", "check", "--config", str(CONFIG))
FAILING = ("config", "check", "--config", "nowhere")

# Runs Python with Ctrl-C not ignored, as the tests themselves may be run with it ignored.
NOT_IGNORED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def ended(command: tuple[str, ...], redirection: str, folder: Path) -> tuple[int, str]:
    """Return exit code and standard error of a command in a shell, with a redirection."""
    done = subprocess.run(
        ["bash", "-c", f'"$0" "$@" {redirection}', str(OCELOT), *command],
        env=environment(folder / "cache"),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(("command", "code"), [(CHECK, 0), (FAILING, 3)])
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_and_full_streams_do_not_change_the_exit_code(
    command: tuple[str, ...], code: int, redirection: str, tmp_path: Path
) -> None:
    found, stderr = ended(command, redirection, tmp_path)
    assert found == code, stderr
    assert "Traceback" not in stderr


def test_a_full_standard_output_is_an_error(tmp_path: Path) -> None:
    code, stderr = ended(CHECK, ">/dev/full", tmp_path)
    assert code == 8
    assert stderr.startswith("error: standard output cannot be written: No space left on device")
    code, stderr = ended(FAILING, ">/dev/full", tmp_path)
    assert code == 3


@pytest.mark.parametrize("command", [CHECK, (*CHECK, "--json"), ("--help",), ("--version",)])
def test_a_reader_that_has_gone_ends_nothing(command: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [str(OCELOT), *command],
        env=environment(tmp_path / "cache"),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_signs_that_a_locale_lacks_are_replaced(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(OCELOT), "doctor"],
        env=environment(tmp_path / "cache", {"PYTHONIOENCODING": "ascii"}),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert b"Python" in done.stdout


def test_ctrl_c_while_importing_ends_without_a_traceback(tmp_path: Path) -> None:
    slow = tmp_path / "typer.py"
    slow.write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen(
        [sys.executable, "-c", NOT_IGNORED, "-m", "pipeline", "--help"],
        env=environment(tmp_path / "cache", {"PYTHONPATH": f"{tmp_path}:{CONFIG.parent}"}),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        try:
            _, stderr = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, stderr) == (-signal.SIGINT, "")


# Work that does not end by itself; it prints the process that must have ended afterwards.
STUBBORN = {
    "program": "process.run_program(['bash', '-c', 'trap : TERM; echo $$; sleep 60; sleep 60'],"
    " on_line=show)",
    "thread": "to_thread.run_sync(lambda: (show(os.getpid()), time.sleep(60)))",
}
WORK = """
import os, signal, sys, time
from anyio import to_thread
from pipeline import process
from pipeline.cli.running import run
from pipeline.errors import OcelotError

def show(line):
    print(line, flush=True)

signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    run(lambda: %s)
except OcelotError as error:
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(
    ("work", "signals", "code"), [("program", 2, 130), ("thread", 3, -signal.SIGINT)]
)
def test_ctrl_c_again_ends_what_does_not_end(
    work: str, signals: int, code: int, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORK % STUBBORN[work]],
        env=environment(tmp_path / "cache"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        leader = int(process.stdout.readline())
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)  # signals that come at once are one
        try:
            _, stderr = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, "Traceback" in stderr) == (code, False), stderr
    assert has_ended(leader)


def has_ended(leader: int) -> bool:
    """True once no process of a group is left; those killed have ten seconds to end."""
    for _ in range(100):
        try:
            os.killpg(leader, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
