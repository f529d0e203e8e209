"""The command line of `ocelot reap --apply`: what must be given, the question, codes, output."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from aws_rules import Rule
from aws_server import ACCOUNT
from aws_wire import ACCESS_DENIED
from deleting import (
    DELETE,
    Reaper,
    apply_options,
    approved,
    arns,
    history,
    json_results,
    numbers,
)
from markdown_reader import tables
from publishing import FRANCE, IRELAND, LAYER, Publishing
from reaping import ocelot_reap
from runs import CONFIG, OCELOT, environment
from syncing import publish_by_hand

from pipeline.errors import PartlyPublishedError, PublishError, ReapError, UsageError

APPLY = ("ocel-*", "--keep", "0", "--apply", "--account", ACCOUNT)


@pytest.fixture
def reaper(publishing: Publishing) -> Reaper:
    """A reaper of three versions in one region, of which the newest is kept."""
    publishing.regions = [IRELAND]
    history(publishing, 3, rows=False)
    return Reaper(publishing=publishing)


@pytest.mark.parametrize(
    "options",
    [
        ("ocel-*", "--apply"),
        ("ocel-*", "--yes-delete", "2", "--plan", "0" * 16),
        ("ocel-*", "--plan", "0" * 16),
        (*APPLY, "--yes-delete", "2"),
        (*APPLY, "--plan", "0" * 16),
        (*APPLY, "--yes-delete", "0", "--plan", "0" * 16),
        APPLY,  # without a terminal
        (*APPLY, "--json"),
    ],
)
def test_options_that_do_not_belong_together_delete_nothing(
    reaper: Reaper, options: tuple[str, ...]
) -> None:
    ran = ocelot_reap(reaper.publishing, *options)
    assert ran.code == UsageError.exit_code, ran.err
    assert "--" in ran.err
    assert reaper.publishing.writes() == []


def test_another_account_deletes_nothing(reaper: Reaper) -> None:
    given = apply_options(approved(reaper.plan()))
    options = [each.replace(ACCOUNT, "210987654321") for each in given]
    ran = ocelot_reap(reaper.publishing, *options)
    assert (ran.code, ACCOUNT in ran.err) == (11, True)
    assert reaper.publishing.writes() == []


def test_the_printed_command_deletes(reaper: Reaper) -> None:
    shown = ocelot_reap(reaper.publishing, "ocel-*", "--keep", "1", "--json")
    command = json.loads(shown.out)["command"]
    summary = reaper.publishing.folder / "summary.md"
    ran = subprocess.run(
        [str(OCELOT), *shlex.split(command)[1:]],
        env=environment(
            reaper.publishing.folder / "cache",
            {**reaper.publishing.aws.environment(), "GITHUB_STEP_SUMMARY": str(summary)},
        ),
        cwd=reaper.publishing.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "2 deleted" in ran.stdout
    assert numbers(reaper.publishing) == [3]
    (table,) = tables(summary.read_text())
    assert table[1][:4] == [IRELAND, LAYER, "1-2 (2)", "deleted"]


def test_nothing_to_delete_is_no_failure(reaper: Reaper) -> None:
    ran = ocelot_reap(reaper.publishing, *APPLY, "--older-than", "1d")
    assert ran.code == 0, ran.err
    assert "nothing to delete" in ran.out
    assert reaper.publishing.writes() == []


@pytest.mark.parametrize("wrong", [{"--plan": "0" * 16}, {"--yes-delete": "1"}])
def test_a_wrong_number_or_plan_deletes_nothing(reaper: Reaper, wrong: dict[str, str]) -> None:
    options = apply_options(approved(reaper.plan()))
    for name, value in wrong.items():
        options[options.index(name) + 1] = value
    ran = ocelot_reap(reaper.publishing, *options, "--json")
    assert (ran.code, ran.out) == (ReapError.exit_code, "")
    assert reaper.publishing.writes() == []


@pytest.mark.parametrize(
    ("regions", "code"),
    [([IRELAND], PublishError.exit_code), ([IRELAND, FRANCE], PartlyPublishedError.exit_code)],
)
def test_failures_are_reported_by_the_exit_code(
    publishing: Publishing, regions: list[str], code: int
) -> None:
    publishing.regions = regions
    history(publishing, 2, regions=regions, rows=False)
    approval = approved(Reaper(publishing=publishing).plan())
    publishing.aws.rules(Rule(operation=DELETE, region=IRELAND, error=ACCESS_DENIED))
    ran = ocelot_reap(publishing, *apply_options(approval), "--json")
    assert ran.code == code, ran.err
    done = json_results(ran.out)
    assert done.pop(arns(1)[0]) == "failed"
    assert set(done.values()) <= {"deleted"}
    assert arns(1)[0] in ran.err


@dataclass
class Terminal:
    """A run of the command line at a terminal.

    Attributes:
        handle: of the terminal's other end.
    """

    process: subprocess.Popen[str]
    handle: int

    def type(self, text: str) -> None:
        os.write(self.handle, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until the terminal shows a text."""
        seen, end = "", time.monotonic() + 60
        while text not in seen:
            assert time.monotonic() < end, seen
            seen += os.read(self.handle, 4096).decode(errors="replace")

    def end(self) -> int:
        self.process.communicate(timeout=60)
        return self.process.returncode


@contextmanager
def asked(publishing: Publishing) -> Generator[Terminal]:
    """The command line at a terminal, when it has asked its question."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [str(OCELOT), "reap", *APPLY, "--regions", IRELAND, "--config", str(CONFIG)],
            env=environment(publishing.folder / "cache", publishing.aws.environment()),
            cwd=publishing.folder,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        publishing.started.append(process)
        terminal = Terminal(process, ours)
        terminal.wait_for("Type 2")
        yield terminal
    finally:
        os.close(theirs)
        os.close(ours)


def test_at_a_terminal_the_number_is_typed(reaper: Reaper) -> None:
    with asked(reaper.publishing) as terminal:
        assert reaper.publishing.writes() == []
        terminal.type("2\n")
        assert terminal.end() == 0
    assert numbers(reaper.publishing) == [3]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("\n", ReapError.exit_code),
        ("y\n", ReapError.exit_code),
        ("3\n", ReapError.exit_code),
        ("22\n", ReapError.exit_code),
        ("\x04", ReapError.exit_code),  # end of the input
    ],
)
def test_anything_else_deletes_nothing(reaper: Reaper, answer: str, code: int) -> None:
    with asked(reaper.publishing) as terminal:
        terminal.type(answer)
        assert terminal.end() == code
    assert reaper.publishing.writes() == []


def test_ctrl_c_at_the_question_deletes_nothing(reaper: Reaper) -> None:
    with asked(reaper.publishing) as terminal:
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
    assert reaper.publishing.writes() == []


def _publish(publishing: Publishing) -> None:
    publish_by_hand(publishing, IRELAND, LAYER, epoch=1_770_000_000)


def _use(publishing: Publishing) -> None:
    publishing.aws.emulator.functions.add(IRELAND, "checkout", arns(1))


@pytest.mark.parametrize(("change", "version"), [(_publish, 3), (_use, 1)])
def test_a_plan_that_changes_during_the_question_deletes_nothing(
    reaper: Reaper, change: Callable[[Publishing], None], version: int
) -> None:
    with asked(reaper.publishing) as terminal:
        change(reaper.publishing)
        reaper.publishing.aws.forget()
        terminal.type("2\n")
        terminal.wait_for(f"{LAYER}:{version}")
        assert terminal.end() == ReapError.exit_code
    assert reaper.publishing.writes() == []
