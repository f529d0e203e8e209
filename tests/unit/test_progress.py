from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO

import anyio
import pytest
from rich.console import Console

from pipeline import progress as reporting
from pipeline.progress import Progress
from pipeline.report.messages import (
    FoldedProgress,
    LiveProgress,
    PlainProgress,
    shown_progress,
)


def console(*, terminal: bool = False) -> tuple[Console, StringIO]:
    file = StringIO()
    return Console(file=file, width=120, force_terminal=terminal, highlight=False), file


def timeless(file: StringIO) -> list[str]:
    return re.sub(r"\d+\.\d s", "0.0 s", file.getvalue()).splitlines()


def work(progress: Progress) -> None:
    """A sequence of calls that every implementation must show."""
    progress.begin("amd64", "compile")
    progress.line("amd64", "example.com/first")
    progress.line("amd64", "example.com/second")
    progress.note("something to know")
    progress.end("amd64", "done")


def test_plain_progress_shows_start_and_end_of_a_step() -> None:
    out, file = console()
    work(PlainProgress(console=out))
    assert timeless(file) == [
        "amd64     compile …",
        "note      something to know",
        "amd64     compile: done (0.0 s)",
    ]


def test_verbose_plain_progress_shows_every_line() -> None:
    out, file = console()
    work(PlainProgress(console=out, verbose=True))
    assert timeless(file) == [
        "amd64     compile …",
        "amd64     example.com/first",
        "amd64     example.com/second",
        "note      something to know",
        "amd64     compile: done (0.0 s)",
    ]


def test_plain_progress_shows_now_and_then_that_a_step_still_runs() -> None:
    out, file = console()
    progress = PlainProgress(console=out)
    progress.begin("amd64", "compile")
    progress.reported["amd64"] -= 60
    progress.line("amd64", "example.com/first")
    progress.line("amd64", "example.com/second")
    (_start, line) = file.getvalue().splitlines()
    assert re.fullmatch(r"amd64     compile … \d+ s: example.com/first", line)


def test_plain_progress_does_not_break_long_lines() -> None:
    out, file = console()
    PlainProgress(console=out, verbose=True).line("amd64", "x " * 200)
    assert len(file.getvalue().splitlines()) == 1


def test_plain_progress_reads_no_markup() -> None:
    out, file = console()
    PlainProgress(console=out, verbose=True).line("amd64", "[red]x[/nothing] :smile:")
    assert file.getvalue() == "amd64     [red]x[/nothing] :smile:\n"


def test_plain_progress_of_lanes_side_by_side_keeps_them_apart() -> None:
    out, file = console()
    progress = PlainProgress(console=out)
    progress.begin("amd64", "compile")
    progress.begin("arm64", "pack")
    progress.end("amd64", "done")
    progress.end("arm64", "failed")
    assert timeless(file)[2:] == [
        "amd64     compile: done (0.0 s)",
        "arm64     pack: failed (0.0 s)",
    ]


def test_folded_progress_folds_a_steps_lines() -> None:
    out, file = console()
    work(FoldedProgress(console=out))
    assert timeless(file) == [
        "amd64: compile …",
        "::notice::something to know",
        "::group::amd64: compile: done (0.0 s)",
        "example.com/first",
        "example.com/second",
        "::endgroup::",
    ]


def test_folded_progress_has_no_fold_for_a_step_without_lines() -> None:
    out, file = console()
    progress = FoldedProgress(console=out)
    progress.begin("amd64", "pack")
    progress.end("amd64", "done")
    assert timeless(file) == ["amd64: pack …", "amd64: pack: done (0.0 s)"]


def test_folds_of_lanes_side_by_side_do_not_overlap() -> None:
    out, file = console()
    progress = FoldedProgress(console=out)
    for lane in ("amd64", "arm64"):
        progress.begin(lane, "compile")
    for text in ("one", "two"):
        progress.line("amd64", f"amd64 {text}")
        progress.line("arm64", f"arm64 {text}")
    for lane in ("arm64", "amd64"):
        progress.end(lane, "done")
    assert timeless(file)[2:] == [
        "::group::arm64: compile: done (0.0 s)",
        "arm64 one",
        "arm64 two",
        "::endgroup::",
        "::group::amd64: compile: done (0.0 s)",
        "amd64 one",
        "amd64 two",
        "::endgroup::",
    ]


# GitHub's runner takes `::` at a line's start, after blanks, and the older `##[` anywhere:
# https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
def commands(file: StringIO) -> list[str]:
    lines = file.getvalue().splitlines()
    return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


@pytest.mark.parametrize(
    "line",
    [
        "::error::x",
        "::add-mask::x",
        "::stop-commands::x",
        "::group::x",
        "::endgroup::",
        "::notice::x",
        "  ::warning file=a::x",
        "\t::set-output name=x::y",
        "##[error]x",
        "x ##[group]y",
    ],
)
def test_in_a_fold_a_programs_line_is_no_command(line: str) -> None:
    out, file = console()
    progress = FoldedProgress(console=out)
    progress.begin("amd64", "compile")
    progress.line("amd64", line)
    progress.end("amd64", "done")
    assert len(commands(file)) == 2
    assert re.sub(r"[\s\u200b]", "", line) in re.sub(r"[\s\u200b]", "", file.getvalue())


def test_a_note_of_two_lines_is_one_command() -> None:
    out, file = console()
    FoldedProgress(console=out).note("100% of\nx")
    assert file.getvalue() == "::notice::100%25 of%0Ax\n"


@pytest.mark.parametrize("count", [0, 9, 10, 11, 30])
def test_all_notes_are_printed_and_github_counts_those_that_it_would_drop(count: int) -> None:
    out, file = console()
    with shown_progress(out, {"GITHUB_ACTIONS": "true"}, verbose=False) as progress:
        for at in range(count):
            progress.note(f"number {at}.")
    shown, lines = commands(file), file.getvalue()
    assert len(shown) == min(count, 10)
    assert all(f"number {at}." in lines for at in range(count))
    left_out = sum(f"::notice::number {at}." not in shown for at in range(count))
    assert (left_out == 0) or shown[-1].startswith(f"::notice::{left_out} more")


def test_no_step_or_result_is_a_command() -> None:
    out, file = console()
    progress = FoldedProgress(console=out)
    progress.begin("amd64", "compile\n::error::x")
    progress.line("amd64", "line\r::error::x")
    progress.end("amd64", "failed\n::error::x")
    progress.begin("amd64", "pack")
    progress.end("amd64", "failed\n::error::x")
    assert [each.partition("::")[2].split("::")[0] for each in commands(file)] == [
        "group",
        "endgroup",
    ]


def test_live_progress_shows_lane_step_and_result() -> None:
    out, file = console(terminal=True)
    with shown_progress(out, {}, verbose=False) as progress:
        assert isinstance(progress, LiveProgress)
        work(progress)
    text = file.getvalue()
    assert [
        word for word in ("amd64", "compile", "something to know", "done") if word not in text
    ] == []


def test_live_progress_shows_the_newest_line_in_short() -> None:
    out, _file = console(terminal=True)
    with shown_progress(out, {}, verbose=False) as progress:
        assert isinstance(progress, LiveProgress)
        progress.begin("amd64", "compile")
        progress.line("amd64", f"  start{'x' * 100}end  ")
        (task,) = progress.bars.tasks
        assert re.fullmatch("startx+…x+end", task.fields["last"])
        assert len(task.fields["last"]) == 60


@pytest.mark.parametrize("text", ["[red]", "[/red]", "[/]", "a[b", "\\[x]", "]", ":smile:"])
def test_live_progress_takes_any_text(text: str) -> None:
    out, file = console(terminal=True)
    with shown_progress(out, {}, verbose=False) as progress:
        progress.begin("upstream", f"resolve {text}")
        progress.line("upstream", text)
        progress.note(text)
        progress.end("upstream", text)
    assert text in file.getvalue()


def test_live_progress_of_a_lane_that_never_began_is_nothing() -> None:
    out, _file = console(terminal=True)
    with shown_progress(out, {}, verbose=False) as progress:
        assert isinstance(progress, LiveProgress)
        progress.line("amd64", "x")
        progress.end("amd64", "done")
        assert progress.bars.tasks == []


@pytest.mark.parametrize(
    ("environment", "terminal", "verbose", "kind"),
    [
        ({}, True, False, LiveProgress),
        ({}, True, True, PlainProgress),
        ({}, False, False, PlainProgress),
        ({"GITHUB_ACTIONS": "false"}, False, False, PlainProgress),
        ({"GITHUB_ACTIONS": "true"}, False, False, FoldedProgress),
        ({"GITHUB_ACTIONS": "true"}, True, True, FoldedProgress),
    ],
)
def test_the_kind_of_progress_fits_the_output(
    environment: Mapping[str, str], *, terminal: bool, verbose: bool, kind: type[Progress]
) -> None:
    out, _file = console(terminal=terminal)
    with shown_progress(out, environment, verbose=verbose) as progress:
        assert type(progress) is kind


@dataclass
class Recorded:
    """A progress that keeps its calls."""

    calls: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])

    def begin(self, lane: str, step: str) -> None:
        self.calls.append(("begin", lane, step))

    def line(self, lane: str, text: str) -> None:
        self.calls.append(("line", lane, text))

    def end(self, lane: str, result: str) -> None:
        self.calls.append(("end", lane, result))

    def note(self, text: str) -> None:
        self.calls.append(("note", text))


def test_steps_lines_and_notes_reach_the_progress_that_is_shown() -> None:
    seen = Recorded()
    with reporting.shown_by(seen), reporting.step("amd64", "compile") as step:
        step.line("runtime")
        reporting.note("no lock")
        step.result = "reused"
    reporting.note("not shown any more")
    assert seen.calls == [
        ("begin", "amd64", "compile"),
        ("line", "amd64", "runtime"),
        ("note", "no lock"),
        ("end", "amd64", "reused"),
    ]


def test_a_step_that_raises_ends_as_failed() -> None:
    seen = Recorded()
    with (
        pytest.raises(ValueError, match="broken"),
        reporting.shown_by(seen),
        reporting.step("amd64", "compile"),
    ):
        raise ValueError("broken")
    assert seen.calls[-1] == ("end", "amd64", "failed")


def test_tasks_and_threads_report_to_the_progress_of_their_context() -> None:
    seen = Recorded()

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, reporting.note, "from a thread")

    with reporting.shown_by(seen):
        anyio.run(work)
    assert seen.calls == [("note", "from a thread")]


def test_without_a_progress_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting.step("amd64", "compile") as step:
        step.line("runtime")
        reporting.note("no lock")
    assert capsys.readouterr() == ("", "")
