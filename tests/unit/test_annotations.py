from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.github.annotations import annotation, append_output, append_summary


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
    assert annotation(message) == f"::error::{escaped}"


def test_a_files_name_is_escaped_as_a_property() -> None:
    assert annotation("x", file="a:b,c%d\ne", line=1) == "::error file=a%3Ab%2Cc%25d%0Ae,line=1::x"


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
