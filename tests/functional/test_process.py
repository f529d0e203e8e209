"""The one runner of other programs, shown on real programs of this machine."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
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
    """Nobody listens."""


def shell(
    script: str, *, on_line: Callable[[str], None] = ignore, cwd: Path | None = None
) -> Finished:
    """What a shell script did."""
    return within(8, lambda: process.run_program(["sh", "-c", script], cwd=cwd, on_line=on_line))


def python(script: str) -> Finished:
    """What a Python script did."""
    return within(8, lambda: process.run_program([sys.executable, "-c", script]))


def read(script: str, env: Mapping[str, str] | None = None) -> tuple[int, bytes, str]:
    """What a shell script printed as data."""
    return within(8, lambda: process.read_output(["sh", "-c", script], env=env))


def is_running(pid: int) -> bool:
    """Whether a process does anything; one that ended and was not yet reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def gone(pids: list[int]) -> bool:
    """Whether processes are gone, or at least very soon."""
    end = time.monotonic() + 2
    while any(map(is_running, pids)) and time.monotonic() < end:
        time.sleep(0.01)
    return not any(map(is_running, pids))


def pids_after_cancellation(script: str) -> list[int]:
    """Run a script that prints two pids and goes on, and cancel it; gives the pids."""
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


def test_lines_of_both_streams_come_in_order() -> None:
    finished = shell("echo one; echo two >&2; echo three; echo four >&2")
    assert finished.lines == ("one", "two", "three", "four")


def test_empty_lines_are_kept() -> None:
    assert shell(r"printf 'a\n\nb\n'").lines == ("a", "", "b")


def test_a_last_line_needs_no_newline() -> None:
    assert shell("printf 'a\nb'").lines == ("a", "b")


def test_no_output_is_no_line() -> None:
    assert shell("true").lines == ()


def test_a_carriage_return_ends_a_line_as_progress_bars_use_it() -> None:
    assert shell(r"printf '10%%\r20%%\r30%%\n'").lines == ("10%", "20%", "30%")


def test_carriage_return_and_newline_are_one_end_of_line() -> None:
    assert shell(r"printf 'a\r\nb\r\n'").lines == ("a", "b")


def test_carriage_return_and_newline_are_one_even_when_written_apart() -> None:
    assert shell(r"printf 'a\r'; sleep 0.1; printf '\nb\n'").lines == ("a", "b")


def test_undecodable_bytes_are_replaced() -> None:
    assert shell(r"printf 'a\377b\n\303\050\n'").lines == ("a\ufffdb", "\ufffd(")


def test_a_character_in_two_pieces_is_put_together() -> None:
    assert shell(r"printf '\303'; sleep 0.1; printf '\244\n'").lines == ("ä",)


def test_half_a_character_at_the_end_is_told() -> None:
    assert shell(r"printf 'a\303'").lines == ("a\ufffd",)


def test_the_exit_code_is_kept() -> None:
    assert shell("exit 7").returncode == 7


def test_the_exit_code_of_a_signal_is_its_negative_number() -> None:
    assert shell("kill -KILL $$").returncode == -signal.SIGKILL


def test_the_command_is_kept() -> None:
    assert shell("true").argv == ("sh", "-c", "true")


def test_arguments_are_seen_by_no_shell() -> None:
    finished = within(8, lambda: process.run_program(["printf", "%s", "$(id); `id` > x"]))
    assert finished.lines == ("$(id); `id` > x",)


def test_a_missing_program_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        within(8, lambda: process.run_program(["there-is-no-such-program"]))


def test_a_program_works_in_the_folder_given(tmp_path: Path) -> None:
    assert shell("pwd -P", cwd=tmp_path).lines == (str(tmp_path.resolve()),)


def test_standard_input_is_empty() -> None:
    assert shell("cat; echo done").lines == ("done",)


def test_lines_are_told_as_they_come() -> None:
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
    assert gone(pids)


def test_the_environment_is_exactly_the_one_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "not for others")
    env = {"A": "1", "PATH": os.environ["PATH"]}
    finished = within(8, lambda: process.run_program(["env"], env=env))
    assert sorted(finished.lines) == sorted(f"{name}={value}" for name, value in env.items())


def test_an_empty_environment_is_no_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "not for others")
    finished = within(8, lambda: process.run_program(["/usr/bin/env"], env={}))
    assert finished.lines == ()


def test_our_own_environment_is_handed_on_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OURS", "for all")
    assert shell("echo $OURS").lines == ("for all",)


def test_ten_megabytes_of_lines_come_whole() -> None:
    finished = python(f"print('\\n'.join(['x' * 99] * {BIG // 100}))")
    assert len(finished.lines) == BIG // 100
    assert set(finished.lines) == {"x" * 99}


def test_ten_megabytes_in_one_line_come_whole() -> None:
    assert [len(line) for line in python(f"print('x' * {BIG})").lines] == [BIG]


def test_cancellation_ends_grandchildren_that_ignore_a_polite_request() -> None:
    pids = pids_after_cancellation('echo $$; (trap "" TERM; exec sleep 60) & echo $!; wait')
    assert gone(pids)


def test_cancellation_ends_a_whole_group_that_ignores_a_polite_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    pids = pids_after_cancellation('trap "" TERM; echo $$; sleep 60 & echo $!; wait')
    assert gone(pids)


def test_cancellation_leaves_a_program_the_time_to_tidy_up(tmp_path: Path) -> None:
    script = "trap 'sleep 0.2; echo tidy > tidied; exit' TERM; echo $$; echo $$; sleep 60 & wait"
    pids = pids_after_cancellation(f"cd '{tmp_path}'; {script}")
    assert gone(pids)
    assert (tmp_path / "tidied").read_text() == "tidy\n"


def test_cancellation_ends_a_program_whose_output_is_data(tmp_path: Path) -> None:
    async def run() -> None:
        with anyio.move_on_after(0.5):
            await process.read_output(["sh", "-c", "echo $$ > pid; exec sleep 60"], cwd=tmp_path)

    within(8, run)
    assert gone([int((tmp_path / "pid").read_text())])


def test_a_signal_to_our_group_does_not_reach_a_program() -> None:
    group = int(shell("ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat").lines[0])
    assert group != os.getpgrp()


def test_data_and_errors_are_kept_apart() -> None:
    assert read(r"printf 'data\0\377'; echo wrong >&2; exit 3") == (3, b"data\0\xff", "wrong\n")


def test_ten_megabytes_on_both_streams_do_not_block() -> None:
    code, output, errors = read(f"head -c {BIG} /dev/zero >&2; head -c {BIG} /dev/zero")
    assert (code, len(output), len(errors)) == (0, BIG, BIG)


def test_undecodable_errors_are_replaced() -> None:
    assert read(r"printf 'a\377' >&2")[2] == "a\ufffd"


def test_data_is_read_in_exactly_the_environment_given() -> None:
    env = {"A": "1", "PATH": os.environ["PATH"]}
    done = within(8, lambda: process.read_output(["env"], env=env))
    assert sorted(done[1].decode().splitlines()) == sorted(f"{k}={v}" for k, v in env.items())
