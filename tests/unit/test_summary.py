"""Reports as sections of Markdown: whole, shortened, and with hostile texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_reader import markup, shown_text, tables, tokens

from pipeline.cli.printing import add_summary
from pipeline.report.rendering import Report, printable
from pipeline.report.summary import report_markdown

REPORT = Report(
    title="Done",
    summary="2 of 3",
    headings=("zip", "ARN", "size"),
    rows=[("a.zip", "arn:aws:1", "1 MiB"), ("b.zip", "", "")],
    problems=["bad"],
    notes=["one\nmore", "two"],
    right=("size",),
    below="ARN",
)
LONG = Report(
    title="Long",
    headings=("a", "b"),
    rows=[(str(at), "x" * 50) for at in range(100)],
    problems=[f"problem {at}" for at in range(20)],
    notes=[f"note {at}" for at in range(50)],
)


def test_a_section_has_a_heading_problems_a_table_and_notes() -> None:
    assert report_markdown(REPORT).splitlines() == [
        "### Done: 2 of 3",
        *("", "- bad", ""),
        "| zip | ARN | size |",
        "|---|---|---|",
        "| a.zip | `arn:aws:1` | 1 MiB |",
        "| b.zip |  |  |",
        *("", "- one", "  - more", "- two"),
    ]


@pytest.mark.parametrize(
    ("link", "written"),
    [
        ("https://x.example/a_b", "<https://x.example/a_b>"),
        ("https://x.example/> [a](b)", "https&#58;//x.example/&#62; &#91;a&#93;(b)"),
    ],
)
def test_an_address_is_a_link_and_nothing_else_is(link: str, written: str) -> None:
    text = report_markdown(Report(title="x", link=link))
    assert text.splitlines()[2] == written
    assert ("link_open" in markup(text)) is (written == f"<{link}>")


def test_what_a_report_lacks_is_not_in_the_section() -> None:
    assert report_markdown(Report(title="Nothing", headings=("zip",))) == "### Nothing\n"


def test_rows_without_headings_are_a_table_too() -> None:
    assert tables(report_markdown(Report(title="x", rows=[("a", "b")]))) == [[["", ""], ["a", "b"]]]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=15) | st.sampled_from(
    ["a|b\\", "`", "<script>", "</details>", "a\n\n# b", "::error::%0A", "\x1b[31m", "- a", "|---|"]
)


def plain(text: str) -> str:
    return " ".join(printable(text).split())


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=3), TEXTS, TEXTS, TEXTS)
def test_every_text_is_shown_as_it_is_in_its_own_place(
    rows: list[tuple[str, str, str]], heading: str, title: str, note: str
) -> None:
    report = Report(
        title=f"t {title}", headings=("a", heading, "c"), rows=rows, notes=[f"n {note}"]
    )
    text = report_markdown(report)
    (table,) = tables(text)
    assert table == [[plain(each) for each in line] for line in (report.headings, *rows)]
    first, *others = [each for each in tokens(text) if each.type == "inline"]
    assert shown_text(first) == plain(report.title)
    assert shown_text(others[3 * (len(rows) + 1)]) == plain(report.notes[0].split("\n")[0])
    assert not {each for each in markup(text) if each.startswith("<")} - {"<!-- -->"}


@given(st.integers(0, 12_000))
def test_a_section_fits_and_says_how_many_lines_it_lacks(room: int) -> None:
    text = report_markdown(LONG, room, "publish.json")
    assert len(text.encode()) <= room
    if not text:
        assert room < 400
        return
    kept = {
        "rows": len(tables(text)[0]) - 1 if "| a |" in text else 0,
        "problems": text.count("- problem "),
        "notes": text.count("- note "),
    }
    for name, lines in (("rows", LONG.rows), ("problems", LONG.problems), ("notes", LONG.notes)):
        left_out = len(lines) - kept[name]
        assert (f"{left_out} of {len(lines)} {name}" in text) is (left_out > 0)
    assert ("publish.json" in text) is (sum(kept.values()) < 170)
    # the most important lines stay longest
    if kept["notes"] < len(LONG.notes):
        assert kept["rows"] == 0
    if kept["problems"] < len(LONG.problems):
        assert kept["notes"] == 0


def test_shortening_keeps_as_many_lines_as_fit() -> None:
    whole = report_markdown(LONG)
    shorter = report_markdown(LONG, len(whole) - 1)
    assert len(tables(shorter)[0]) - 1 > 90
    assert report_markdown(LONG, len(whole)) == whole


@pytest.mark.parametrize("text", ["ü" * 600_000, "x\n" * 600_000])
def test_a_text_of_more_than_a_summary_takes_is_left_out(text: str) -> None:
    shown = report_markdown(replace(REPORT, problems=[text]))
    assert len(shown.encode()) < 1000
    assert "1 of 1 problems" in shown


def test_a_summary_never_grows_beyond_what_github_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "summary.md"
    environment = {"GITHUB_STEP_SUMMARY": str(path)}
    path.write_text("x" * (1024**2 - 3000) + "\n")
    add_summary(LONG, environment, rest="publish.json")
    assert path.stat().st_size > 1024**2 - 300
    assert "See publish.json." in path.read_text()
    for _ in range(3):
        add_summary(LONG, environment)
    assert "summary is full" in capsys.readouterr().err
    assert path.stat().st_size <= 1024**2


def test_outside_github_there_is_no_summary(capsys: pytest.CaptureFixture[str]) -> None:
    add_summary(LONG, {})
    assert capsys.readouterr() == ("", "")
