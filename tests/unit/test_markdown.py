"""Texts in Markdown: read by a parser, they are the texts that were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_reader import markup, shown_text, tables, tokens

from pipeline.report.markdown import Markdown, code, escaped, table
from pipeline.report.rendering import printable

HOSTILE = (
    *("a|b", "a\\|b", "`a`", "``", "a`|`b", "*a* _b_ **c** ~~d~~", "[a](https://x.example)"),
    *("![a](b)", "<script>alert(1)</script>", "</details>", "<!-- ", "&lt;&#124;", "# a", "> a"),
    *("- a", "+ a", "1. a", "1) a", "===", "---", "| a | b |", "|---|", "a\\", "\\", "$a$"),
    *("https://x.example", "www.x.example", "me@x.example", "@me", "#1", "me/it#1", "^a", ":tada:"),
    *("```", "~~~", "[a]: https://x.example", "http://a_b_c", "<https://x.example>", "[^1]"),
)
LINE_ENDS = ("a\nb", "a\r\n\r\n# b", "a\n\n| b |", "a\x00b\x1b[31m", "\u202eevil", "\ta")
BLOCKS = {"paragraph_open", "paragraph_close", "inline", "text", "<!-- -->", "<code>", "</code>"}


def expected(text: str) -> str:
    return " ".join(printable(text).split())


@pytest.mark.parametrize("write", [escaped, code])
@pytest.mark.parametrize("text", [*HOSTILE, *LINE_ENDS])
def test_a_text_is_shown_as_it_is_and_marks_up_nothing(write: type[Markdown], text: str) -> None:
    written = write(text)
    (inline,) = [each for each in tokens(written) if each.type == "inline"]
    assert shown_text(inline) == expected(text)
    assert markup(written) <= {*BLOCKS, "code_inline"}


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=4, max_size=4))
def test_a_tables_cells_are_the_texts_whatever_they_are(texts: list[str]) -> None:
    first, *others = texts
    rows = [[escaped(first), code(others[0])], [code(others[1]), escaped(others[2])]]
    (found,) = tables(table(["a|b", "c"], rows))
    assert found == [
        ["a|b", "c"],
        *[[expected(each) for each in texts[at : at + 2]] for at in (0, 2)],
    ]


@pytest.mark.parametrize("text", [*HOSTILE, *LINE_ENDS])
def test_a_hostile_cell_is_one_cell(text: str) -> None:
    (found,) = tables(table(["a", "b"], [[text, code(text)]]))
    assert found[1] == [expected(text)] * 2


def test_markdown_is_not_escaped_again() -> None:
    assert escaped(escaped("a|b")) == escaped("a|b") != "a|b"


def test_plain_names_stay_readable() -> None:
    assert escaped("eu-west-1 · Europe (Ireland)") == "eu-west-1 · Europe (Ireland)"
    assert (
        code("go.opentelemetry.io/collector v0.155.0") == "`go.opentelemetry.io/collector v0.155.0`"
    )
