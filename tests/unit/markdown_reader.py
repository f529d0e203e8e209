"""Markdown as a parser of CommonMark and GitHub's tables reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("gfm-like", {"linkify": False})
# Inline parts that show text as it is, or nothing: a comment between a sign and what follows it.
_TEXTS = {"text", "code_inline"}


def tokens(markdown: str) -> list[Token]:
    return PARSER.parse(markdown)


def shown_text(token: Token) -> str:
    """Return the text that a reader sees of an inline token."""
    return "".join(each.content for each in token.children or () if each.type in _TEXTS)


def tables(markdown: str) -> list[list[list[str]]]:
    """Return the texts of the cells of all tables: of each table the rows, heading first."""
    found: list[list[list[str]]] = []
    inside = False
    for token in tokens(markdown):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open", "th_close", "td_close"):
            inside = token.nesting > 0
        elif token.type == "inline" and inside:
            found[-1][-1].append(shown_text(token))
    return found


def markup(markdown: str) -> set[str]:
    """Return the kinds of everything in Markdown, HTML by its tags: `strong_open`, `<details>`."""
    return set(_markup(tokens(markdown)))


def _markup(parts: Sequence[Token]) -> Iterator[str]:
    for each in parts:
        if each.type in ("html_inline", "html_block"):
            yield from (f"<{part.split('>')[0]}>" for part in each.content.split("<")[1:])
        else:
            yield each.type
        yield from _markup(each.children or ())
