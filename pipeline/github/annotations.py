"""Annotations, the summary of a job, and the outputs of a step.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SUMMARY = "GITHUB_STEP_SUMMARY"
OUTPUT = "GITHUB_OUTPUT"


def annotation(message: str, *, level: str = "error", file: str = "", line: int = 0) -> str:
    """Return the workflow command that shows an error or a notice, at a line of a file if given."""
    properties = [f"file={_property(file)}"] if file else []
    properties += [f"line={line}"] if line else []
    head = f"{level} {','.join(properties)}" if properties else level
    return f"::{head}::{_data(message)}"


def plain_line(text: str) -> str:
    """Return a program's line, changed so that GitHub's runner does not run it as a command.

    The runner accepts `::` after any blanks, and the older `##[` anywhere.
    """
    text = text.replace("##[", "##\u200b[")
    return text.replace("::", ":\u200b:") if text.lstrip().startswith("::") else text


def append_summary(markdown: str, environment: Mapping[str, str]) -> None:
    """Append to the job's summary; do nothing outside GitHub Actions."""
    _append(markdown, environment.get(SUMMARY))


def append_output(name: str, value: str, environment: Mapping[str, str]) -> None:
    """Set an output of the step; do nothing outside GitHub Actions.

    Raises:
        ValueError: the value has a line end.
    """
    if "\n" in value or "\r" in value:
        raise ValueError("the value of an output is one line")
    _append(f"{name}={value}\n", environment.get(OUTPUT))


def _append(text: str, path: str | None) -> None:
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
