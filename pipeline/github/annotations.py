"""Workflow commands and the job summary.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SUMMARY = "GITHUB_STEP_SUMMARY"


def annotation(message: str, *, level: str = "error", file: str = "", line: int = 0) -> str:
    """The workflow command that shows an error or a notice, at a line of a file if given."""
    places = [f"file={_property(file)}"] if file else []
    places += [f"line={line}"] if line else []
    head = f"{level} {','.join(places)}" if places else level
    return f"::{head}::{_data(message)}"


def plain_line(text: str) -> str:
    """A program's line so that GitHub's runner does not read it as a command.

    It takes `::` after any blanks, and the older `##[` anywhere.
    """
    text = text.replace("##[", "##\u200b[")
    return text.replace("::", ":\u200b:") if text.lstrip().startswith("::") else text


def append_summary(markdown: str, environment: Mapping[str, str]) -> None:
    """Add to the job's summary; does nothing outside GitHub Actions."""
    if path := environment.get(SUMMARY):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
