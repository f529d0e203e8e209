from __future__ import annotations

from pipeline.report import markdown


def test_a_table_has_its_headings_above_its_rows() -> None:
    assert markdown.table(("zip", "size"), [("a.zip", "1 MiB"), ("b.zip", "")]) == [
        "| zip | size |",
        "|---|---|",
        "| a.zip | 1 MiB |",
        "| b.zip |  |",
    ]


def test_no_text_leaves_its_cell() -> None:
    assert markdown.table(("why",), [("down | out\n| next",)])[2] == "| down \\| out \\| next |"


def test_a_section_is_its_title_above_its_lines() -> None:
    assert markdown.section("Done", ["- one", "- two"]) == "### Done\n\n- one\n- two\n"
