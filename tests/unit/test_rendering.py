"""A report's table, Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
from report_examples import shown

from pipeline.report.rendering import Report, json_text, markdown, show

HOSTILE = "[red]x[/nothing]\x1b]0;title\x07 | \nmore"
REPORT = Report(
    title="Done",
    headings=("zip", "ARN", "size"),
    rows=[("a.zip", "arn:1", "1 MiB"), ("b.zip", "", "")],
    notes=["one", "two"],
    right=("size",),
    below="ARN",
)


def test_markdown_is_a_heading_a_table_and_bullets() -> None:
    assert markdown(REPORT).splitlines() == [
        *("### Done", ""),
        "| zip | ARN | size |",
        "|---|---|---|",
        "| a.zip | arn:1 | 1 MiB |",
        "| b.zip |  |  |",
        *("", "- one", "- two"),
    ]
    assert markdown(Report(title="Nothing", headings=("zip",))) == "### Nothing\n"


def test_a_screen_has_title_table_lines_to_copy_and_notes() -> None:
    lines = shown(REPORT).splitlines()
    assert lines[0] == "Done"
    assert lines[-3:] == ["arn:1", "one", "two"]
    table = "\n".join(lines[1:-3])
    assert all(word in table for word in ("zip", "size", "a.zip", "b.zip", "1 MiB"))
    assert "ARN" not in table


def test_a_summary_is_a_screens_last_line_and_in_markdowns_heading() -> None:
    report = replace(REPORT, summary="2 of 3")
    lines = shown(report).splitlines()
    assert lines[-1] == "2 of 3"
    assert "Done" not in lines
    assert markdown(report).startswith("### Done: 2 of 3\n")


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
    for each in (text, markdown(report)):
        assert "\x1b" not in each
        assert "\x07" not in each


def test_no_text_leaves_its_cell_in_markdown() -> None:
    report = Report(headings=("why",), rows=[("down | out\n| next",)])
    assert markdown(report).splitlines()[-1] == "| down \\| out \\| next |"


def test_a_first_cell_has_the_colour_of_its_text() -> None:
    report = Report(headings=("", "x"), rows=[("ok", "ok")], styles=["green"])
    assert shown(report, terminal=True).count("\x1b[32mok") == 1


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
