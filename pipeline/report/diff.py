"""The diff of changed files on a screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text

from pipeline.gitops.changes import Change
from pipeline.gitops.texts import diff_text
from pipeline.report.rendering import printable, screen

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"+++": "bold", "---": "bold", "@@ ": "cyan"}
_SIGNS = {"+": "green", "-": "red"}


def show_diff(changes: Iterable[Change], console: Console | None = None) -> None:
    """Print the diff on standard output: in colours on a terminal, else as plain text."""
    console = console or screen()
    for line in diff_text(changes).splitlines():
        style = _STYLES.get(line[:3]) or _SIGNS.get(line[:1], "")
        console.print(Text(printable(line), style), soft_wrap=True)


def file_action(change: Change) -> str:
    """Return what happens to a file, in a word."""
    if change.before is None:
        return "added"
    return "removed" if change.after is None else "changed"
