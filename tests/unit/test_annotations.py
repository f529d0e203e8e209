from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.github.annotations import (
    MOST_ANNOTATIONS,
    Annotation,
    append_output,
    append_summary,
    commands,
    fold,
    summary_room,
)


@pytest.mark.parametrize(
    ("message", "escaped"),
    [
        ("100%", "100%25"),
        ("one\ntwo", "one%0Atwo"),
        ("one\r\ntwo", "one%0D%0Atwo"),
        ("%0A", "%250A"),
        ("a: b, c::d", "a: b, c::d"),
    ],
)
def test_a_message_is_escaped_as_data(message: str, escaped: str) -> None:
    assert Annotation(message=message).command("error") == f"::error::{escaped}"


def test_a_files_name_is_escaped_as_a_property() -> None:
    found = Annotation(message="x", file="a:b,c%d\ne", line=1).command("notice")
    assert found == "::notice file=a%3Ab%2Cc%25d%0Ae,line=1::x"


@pytest.mark.parametrize("count", [0, 1, MOST_ANNOTATIONS])
def test_all_annotations_are_shown_if_github_shows_them(count: int) -> None:
    found = [Annotation(message=str(at)) for at in range(count)]
    assert commands(found) == [f"::error::{at}" for at in range(count)]


@given(st.integers(1, 99), st.integers(1, 10))
def test_no_annotation_is_dropped_without_a_word(count: int, most: int) -> None:
    shown = commands([Annotation(message=f"m{at}") for at in range(count)], most=most)
    assert len(shown) == min(count, most)
    whole = [each for each in shown if each.startswith("::error::m")]
    left_out = count - len(whole)
    assert (left_out == 0) or shown[-1].startswith(f"::error::{left_out} more")


@given(st.text(), st.lists(st.text()))
def test_a_fold_has_no_commands_but_its_own(title: str, lines: list[str]) -> None:
    first, *inside, last = "\n".join(fold(title, lines)).split("\n")
    assert first.startswith("::group::")
    assert last == "::endgroup::"
    assert not any(each.lstrip().startswith("::") or "##[" in each for each in inside)
    assert "\r" not in "".join([first, *inside])


def test_the_room_of_a_summary_is_what_its_file_leaves(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    environment = {"GITHUB_STEP_SUMMARY": str(path)}
    assert summary_room(environment) == 1024**2
    path.write_text("ü" * 500_000, encoding="utf-8")
    assert summary_room(environment) == 1024**2 - 1_000_000
    path.write_text("x" * 2_000_000)
    assert summary_room(environment) == summary_room({}) == 0


def test_the_summary_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("# before\n", encoding="utf-8")
    append_summary("after ü\n", {"GITHUB_STEP_SUMMARY": str(path)})
    append_summary("and again\n", {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.read_text(encoding="utf-8") == "# before\nafter ü\nand again\n"


def test_outputs_are_appended_one_a_line(tmp_path: Path) -> None:
    environment = {"GITHUB_OUTPUT": str(tmp_path / "outputs")}
    append_output("layers", '{"a":"b=c"}', environment)
    append_output("url", "https://github.com/acme/layers", environment)
    assert (tmp_path / "outputs").read_text().splitlines() == [
        'layers={"a":"b=c"}',
        "url=https://github.com/acme/layers",
    ]


@pytest.mark.parametrize("value", ["a\nlayers=b", "a\r", "\n"])
def test_an_output_cannot_set_another_one(tmp_path: Path, value: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        append_output("layers", value, {"GITHUB_OUTPUT": str(tmp_path / "outputs")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("environment", [dict[str, str](), {"GITHUB_STEP_SUMMARY": ""}])
def test_outside_github_there_is_no_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    append_summary("x\n", environment)
    append_output("x", "y", environment)
    assert list(tmp_path.iterdir()) == []
