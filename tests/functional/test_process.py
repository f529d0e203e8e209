"""Real programs of this machine, run by `pipeline.process`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from pipeline import process
from pipeline.process import Finished

BIG = 10 * 1024 * 1024

T = TypeVar("T")


def within(seconds: float, work: Callable[[], Awaitable[T]]) -> T:
    """The result of some work that must end in time."""

    async def run() -> T:
        with anyio.fail_after(seconds):
            return await work()

    return anyio.run(run)


def ignore(_line: str) -> None:
    """Drop the line."""


def shell(
    script: str, *, on_line: Callable[[str], None] = ignore, cwd: Path | None = None
) -> Finished:
    """Run a shell script."""
    return within(8, lambda: process.run_program(["sh", "-c", script], cwd=cwd, on_line=on_line))


def read(script: str) -> tuple[int, bytes, str]:
    """Run a shell script whose output is data."""
    return within(8, lambda: process.read_output(["sh", "-c", script]))


def is_running(pid: int) -> bool:
    """Return True if a process runs; one that ended and was not yet reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def have_ended(pids: list[int]) -> bool:
    """Return True if processes have ended, or end within two seconds."""
    end = time.monotonic() + 2
    while any(map(is_running, pids)) and time.monotonic() < end:
        time.sleep(0.01)
    return not any(map(is_running, pids))


def pids_after_cancellation(script: str) -> list[int]:
    """Run a script that prints two pids and runs on, and cancel it; return the pids."""
    pids: list[int] = []

    async def run() -> None:
        with anyio.CancelScope() as scope:

            def note(line: str) -> None:
                pids.append(int(line))
                if len(pids) == 2:
                    scope.cancel()

            await process.run_program(["sh", "-c", script], on_line=note)

    within(8, run)
    return pids


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("echo one; echo two >&2; echo three; echo four >&2", ("one", "two", "three", "four")),
        (r"printf 'a\n\nb\n'", ("a", "", "b")),
        ("printf 'a\nb'", ("a", "b")),
        ("true", ()),
        (r"printf '10%%\r20%%\r30%%\n'", ("10%", "20%", "30%")),  # as progress bars do
        (r"printf 'a\r\nb\r\n'", ("a", "b")),
        (r"printf 'a\r'; sleep 0.1; printf '\nb\n'", ("a", "b")),
        (r"printf 'a\377b\n\303\050\n'", ("a\ufffdb", "\ufffd(")),
        (r"printf '\303'; sleep 0.1; printf '\244\n'", ("ä",)),
        (r"printf 'a\303'", ("a\ufffd",)),
        ("cat; echo done", ("done",)),  # standard input is empty
    ],
)
def test_output_comes_in_lines(script: str, lines: tuple[str, ...]) -> None:
    assert shell(script).lines == lines


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -KILL $$", -signal.SIGKILL)])
def test_the_exit_code_is_kept_and_that_of_a_signal_is_negative(script: str, code: int) -> None:
    finished = shell(script)
    assert (finished.returncode, finished.argv) == (code, ("sh", "-c", script))


def test_arguments_are_seen_by_no_shell() -> None:
    finished = within(8, lambda: process.run_program(["printf", "%s", "$(id); `id` > x"]))
    assert finished.lines == ("$(id); `id` > x",)


def test_a_missing_program_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        within(8, lambda: process.run_program(["there-is-no-such-program"]))


def test_a_program_works_in_the_folder_given(tmp_path: Path) -> None:
    assert shell("pwd -P", cwd=tmp_path).lines == (str(tmp_path.resolve()),)


def test_a_line_that_is_taken_is_not_kept() -> None:
    shown: list[str] = []

    def take(line: str) -> bool:
        return line == "b"

    async def run() -> Finished:
        return await process.run_program(
            ["sh", "-c", "echo a; echo b; echo c"], on_line=shown.append, take=take
        )

    assert within(8, run).lines == ("a", "c")
    assert shown == ["a", "c"]


def test_lines_are_passed_on_as_they_come() -> None:
    came: list[float] = []
    shell("echo a; sleep 0.4; echo b", on_line=lambda _line: came.append(time.monotonic()))
    assert came[1] - came[0] > 0.3


def test_an_error_in_the_listener_ends_the_program() -> None:
    pids: list[int] = []

    def refuse(line: str) -> None:
        pids.append(int(line))
        raise ValueError(line)

    with pytest.raises(ValueError, match=r"^\d+$"):
        shell("echo $$; exec sleep 60", on_line=refuse)
    assert have_ended(pids)


@pytest.mark.parametrize("env", [{"A": "1", "PATH": os.environ["PATH"]}, {}])
def test_the_environment_is_exactly_the_one_given(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "not passed on")
    finished = within(8, lambda: process.run_program(["/usr/bin/env"], env=env))
    _, data, _ = within(8, lambda: process.read_output(["/usr/bin/env"], env=env))
    expected = sorted(f"{name}={value}" for name, value in env.items())
    assert sorted(finished.lines) == sorted(data.decode().splitlines()) == expected


def test_this_processs_environment_is_passed_on_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HERE", "for all")
    assert shell("echo $HERE").lines == ("for all",)


@pytest.mark.parametrize("width", [100, BIG])
def test_ten_megabytes_come_whole(width: int) -> None:
    script = f"print('\\n'.join(['x' * {width - 1}] * {BIG // width}))"
    command = [sys.executable, "-c", script]
    lines = within(8, lambda: process.run_program(command)).lines
    assert lines == ("x" * (width - 1),) * (BIG // width)


@pytest.mark.parametrize(
    "script",
    [
        'echo $$; (trap "" TERM; exec sleep 60) & echo $!; wait',
        'trap "" TERM; echo $$; sleep 60 & echo $!; wait',
    ],
    ids=["a grandchild", "all of the group"],
)
def test_cancellation_ends_a_program_that_ignores_sigterm(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    assert have_ended(pids_after_cancellation(script))


def test_cancellation_leaves_a_program_time_to_clean_up(tmp_path: Path) -> None:
    script = "trap 'sleep 0.2; echo tidy > tidied; exit' TERM; echo $$; echo $$; sleep 60 & wait"
    pids = pids_after_cancellation(f"cd '{tmp_path}'; {script}")
    assert have_ended(pids)
    assert (tmp_path / "tidied").read_text() == "tidy\n"


def test_cancellation_ends_a_program_whose_output_is_data(tmp_path: Path) -> None:
    async def run() -> None:
        with anyio.move_on_after(0.5):
            await process.read_output(["sh", "-c", "echo $$ > pid; exec sleep 60"], cwd=tmp_path)

    within(8, run)
    assert have_ended([int((tmp_path / "pid").read_text())])


def test_a_signal_to_this_processs_group_does_not_reach_a_program() -> None:
    group = int(shell("ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat").lines[0])
    assert group != os.getpgrp()


def test_data_and_errors_are_kept_apart() -> None:
    assert read(r"printf 'data\0\377'; printf 'a\377' >&2; exit 3") == (
        3,
        b"data\0\xff",
        "a\ufffd",
    )


def test_ten_megabytes_on_both_streams_do_not_block() -> None:
    code, output, errors = read(f"head -c {BIG} /dev/zero >&2; head -c {BIG} /dev/zero")
    assert (code, len(output), len(errors)) == (0, BIG, BIG)
