"""Texts in Markdown, as GitHub reads it: no text becomes markup, a link, a mention or a cell.

Signs that could mean something are written as character references, which never do:
https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.report.rendering import printable

# Signs of Markdown, of HTML, and of GitHub's own links.
_SIGNS = re.compile(
    r"""
    [\\`*{}\[\]<>|~&$@#!^] | :(?=[/\w])
    | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])  # within a word it means nothing
    | ^[-+=] | ^[0-9]+(?=[.)](?:\ |$))      # at the start: lists, headings
    | (?<=www)\.
    """,
    re.IGNORECASE | re.VERBOSE,
)
# GitHub links names and numbers after these, however they are written.
_MENTION = re.compile(r"(&#(?:64|35);)(?=\w)")
# Texts that can stand between backticks, in a table too.
_PLAIN_CODE = re.compile(r"[A-Za-z0-9._:/@+=,~-]+(?: [A-Za-z0-9._:/@+=,~-]+)*")


class Markdown(str):
    """A text that is Markdown already, and is not escaped again."""

    __slots__ = ()


def escaped(value: object) -> Markdown:
    """Return a value as Markdown that shows it on one line, whatever is in it."""
    if isinstance(value, Markdown):
        return value
    text = _SIGNS.sub(_references, _one_line(value))
    return Markdown(_MENTION.sub(r"\1<!-- -->", text))


def code(value: object) -> Markdown:
    """Return a value as Markdown that shows it as code on one line; nothing for an empty one."""
    text = _one_line(value)
    if not text or _PLAIN_CODE.fullmatch(text):
        return Markdown(f"`{text}`" if text else "")
    return Markdown(f"<code>{escaped(text)}</code>")


def table_row(cells: Iterable[object]) -> Markdown:
    """Return a row of a table."""
    return Markdown(f"| {' | '.join(map(escaped, cells))} |")


def table(headings: Sequence[object], rows: Iterable[Iterable[object]]) -> Markdown:
    """Return a table."""
    rule = "|---" * len(headings)
    return Markdown("\n".join([table_row(headings), f"{rule}|", *map(table_row, rows)]))


def _one_line(value: object) -> str:
    """Return a value as text without line ends and without signs that control a terminal."""
    return " ".join(printable(str(value)).split())


def _references(found: re.Match[str]) -> str:
    return "".join(f"&#{ord(sign)};" for sign in found[0])
