"""A report's table, Markdown and JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_examples import shown

from pipeline.report.rendering import (
    Report,
    column_widths,
    grouped,
    json_text,
    screen,
    show,
    without_empty,
)

HOSTILE = "[red]x[/nothing]\x1b]0;title\x07 | \nmore"
REPORT = Report(
    title="Done",
    headings=("zip", "ARN", "size"),
    rows=[("a.zip", "arn:1", "1 MiB"), ("b.zip", "", "")],
    notes=["one", "two"],
    right=("size",),
    below="ARN",
)


def test_a_screen_has_title_table_lines_to_copy_and_notes() -> None:
    lines = shown(REPORT).splitlines()
    assert lines[0] == "Done"
    assert lines[-3:] == ["arn:1", "one", "two"]
    table = "\n".join(lines[1:-3])
    assert all(word in table for word in ("zip", "size", "a.zip", "b.zip", "1 MiB"))
    assert "ARN" not in table


def test_problems_come_before_notes_and_further_lines_are_indented() -> None:
    report = replace(REPORT, problems=["bad\nworse"], notes=["one\ntwo"])
    assert shown(report).splitlines()[-4:] == ["bad", "  worse", "one", "  two"]


def test_a_summary_is_a_screens_last_line() -> None:
    report = replace(REPORT, summary="2 of 3")
    lines = shown(report).splitlines()
    assert lines[-1] == "2 of 3"
    assert "Done" not in lines


def test_without_rows_headings_are_a_table_and_without_headings_there_is_none() -> None:
    assert "zip" in shown(Report(headings=("zip",)))
    assert shown(Report(notes=["x"])) == "x\n"


def test_rows_without_headings_are_names_and_values() -> None:
    assert shown(Report(rows=[("name", "value")])).split() == ["name", "value"]


def test_sums_stand_in_a_last_row() -> None:
    report = Report(headings=("a", "b"), rows=[("x", "1")], footer=("all", "41"))
    assert shown(report).index("all") > shown(report).index("x")
    assert "41" in shown(report)


def test_long_lines_are_not_broken() -> None:
    long = "x " * 100
    assert shown(Report(title=long, notes=[long]), width=40).splitlines() == [long, long]


@pytest.mark.parametrize(
    "report",
    [
        Report(title=HOSTILE),
        Report(notes=[HOSTILE]),
        Report(headings=(HOSTILE,), rows=[("a",)]),
        Report(title="a", headings=("a",), rows=[(HOSTILE,)]),
    ],
)
def test_texts_are_neither_markup_nor_a_terminals_commands(report: Report) -> None:
    text = shown(report)
    assert "[red]x[/nothing]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


COMMANDS = st.sampled_from(
    ["::error::x", "  ::add-mask::x", "##[error]", "a\r\n::stop-commands::x"]
)
TEXTS = COMMANDS | st.text(max_size=12)


@given(st.lists(TEXTS, min_size=6, max_size=6), st.sampled_from([20, 40, 200]))
def test_in_github_no_line_of_a_report_is_a_command(texts: list[str], width: int) -> None:
    title, heading, *cells = texts
    report = Report(
        title=title,
        headings=(heading, "x", "y"),
        rows=[cells[:3]],
        problems=cells[2:],
        notes=cells,
        below="y",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_ACTIONS", "true")
        lines = [
            line
            for each in (report, Report(rows=[cells[:2]]))
            for line in re.split("[\r\n]", shown(each, width=width))
        ]
    assert [each for each in lines if each.lstrip().startswith("::") or "##[" in each] == []


def test_outside_github_colons_stay() -> None:
    assert shown(Report(notes=["::1 is an address"])) == "::1 is an address\n"


def test_empty_columns_are_left_out_if_they_may_be() -> None:
    report = Report(headings=("a", "b", "c"), rows=[("1", "", ""), ("2", "", "")])
    assert without_empty(report, "a", "b").headings == ("a", "c")
    assert without_empty(report, "a", "b").rows == [("1", ""), ("2", "")]


def test_a_text_of_several_names_is_one_line() -> None:
    pairs = [("a", "no"), ("b", "yes"), ("c", "no"), ("d", "no")]
    assert grouped(pairs) == ("a and 2 more: no", "b: yes")


def test_a_first_cell_has_the_colour_of_its_text() -> None:
    for headings in (("", "x"), ()):
        report = Report(headings=headings, rows=[("ok", "fine")], styles=["green"])
        cell = r"\x1b\[32mok *\x1b\[0m"
        assert len(re.findall(cell, shown(report, terminal=True))) == 1


@dataclass(frozen=True, slots=True)
class Inner:
    value: int | None


@dataclass(frozen=True)
class Outer:
    inner: Inner
    many: tuple[Inner, ...]


def test_json_has_the_fields_of_dataclasses_in_their_order() -> None:
    text = json_text([Outer(inner=Inner(1), many=(Inner(None),))])
    assert json.loads(text) == [{"inner": {"value": 1}, "many": [{"value": None}]}]
    assert text.endswith("]\n")


def test_reports_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    show(Report(notes=["x"]))
    assert capsys.readouterr().out == "x\n"


PATH = "github.com/open-telemetry/opentelemetry-collector-contrib/processor/spanmetricsprocessor"
PATHS = Report(
    headings=("module", "version", "bytes", "error"),
    rows=[(PATH, "v0.155.0", "1,234,567", "one two three four"), ("a/b", "", "1", "")],
    footer=("all", "", "1,234,568", ""),
    right=("bytes",),
    whole=("bytes",),
)


@pytest.mark.parametrize("width", [20, 40, 80, 160])
def test_no_width_breaks_a_word(width: int) -> None:
    words = set(shown(PATHS, width=width).split())
    assert {"v0.155.0", "1,234,567", "1,234,568", "three"} <= words
    assert PATH in words


def test_what_does_not_fit_into_a_table_stands_on_lines_of_its_own() -> None:
    lines = [each.split() for each in shown(PATHS, width=60).splitlines()]
    assert lines[:2] == [["module"], ["version", "bytes", "error"]]
    assert lines[2] == [PATH]
    assert lines[3] == ["v0.155.0", "1,234,567", "one", "two", "three", "four"]
    assert lines[-2:] == [["all"], ["1,234,568"]]


def test_a_column_shown_below_is_not_shown_beside_the_others() -> None:
    report = replace(PATHS, below="module", footer=())
    assert shown(report, width=30).count(PATH) == 1


def test_the_value_of_a_name_breaks_at_blanks() -> None:
    report = Report(rows=[("name", f"one {PATH} two"), ("other", "")])
    assert shown(report, width=60).splitlines() == [
        "name   one",
        f"       {PATH}",
        "       two",
        "other  ",
    ]


@pytest.mark.parametrize(
    ("cells", "whole", "room", "widths"),
    [
        ({0: ["one two"], 1: ["three"]}, (), 100, {0: 7, 1: 5}),
        ({0: ["one two"], 1: ["three"]}, (), 10, {0: 5, 1: 5}),
        ({0: ["one two"], 1: ["three"]}, (), 8, {0: 3, 1: 5}),
        ({0: ["one two"], 1: ["three"]}, (), 7, None),
        ({0: ["one two"], 1: ["three"]}, (0,), 11, None),
        ({0: ["日本"], 1: [""]}, (), 5, {0: 4, 1: 1}),
        ({0: ["one\ntwo"]}, (), 3, {0: 3}),
    ],
)
def test_columns_share_the_room_without_breaking_words(
    cells: dict[int, list[str]],
    whole: tuple[int, ...],
    room: int,
    widths: dict[int, int] | None,
) -> None:
    assert column_widths(cells, whole, room) == widths


def test_output_that_is_no_terminal_is_as_wide_as_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS")
    show(Report(headings=("a",), rows=[("x " * 1000,)]))
    assert max(map(len, capsys.readouterr().out.splitlines())) > 2000


@pytest.mark.parametrize(("columns", "width"), [("0", 80), ("19", 80), ("20", 20), ("120", 120)])
def test_a_screen_is_never_too_narrow(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert [screen(stderr=each).width for each in (False, True)] == [width, width]
