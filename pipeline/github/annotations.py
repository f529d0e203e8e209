"""Annotations, the summary of a job, and the outputs of a step.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# GitHub shows so many annotations of one level for a step, and drops further ones without a word:
# https://docs.github.com/actions/how-tos/write-workflows/choose-what-workflows-do/use-workflow-annotations
MOST_ANNOTATIONS = 10
# A larger summary of a step is not shown at all.
SUMMARY_BYTES = 1 << 20
SUMMARY = "GITHUB_STEP_SUMMARY"
OUTPUT = "GITHUB_OUTPUT"


def in_github(environment: Mapping[str, str]) -> bool:
    """True if a runner of GitHub Actions reads what is printed."""
    return environment.get("GITHUB_ACTIONS") == "true"


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """A message that GitHub shows above a run's log.

    Attributes:
        file: that it is about; empty for none.
        line: in the file; 0 for none.
    """

    message: str
    file: str = ""
    line: int = 0

    def command(self, level: str) -> str:
        """Return the workflow command that shows it as an error, a warning or a notice."""
        properties = [f"file={_property(self.file)}"] if self.file else []
        properties += [f"line={self.line}"] if self.line else []
        head = f"{level} {','.join(properties)}" if properties else level
        return f"::{head}::{_data(self.message)}"


def commands(
    found: Sequence[Annotation], *, level: str = "error", most: int = MOST_ANNOTATIONS
) -> list[str]:
    """Return the workflow commands of annotations; of too many, the last one counts the rest."""
    if len(found) > most:
        first = found[: most - 1]
        more = f"{len(found) - len(first)} more: the log of this step has them"
        found = [*first, Annotation(message=more)]
    return [each.command(level) for each in found]


def fold(title: str, lines: Sequence[str]) -> list[str]:
    """Return lines with the workflow commands that fold them under a title."""
    return [f"::group::{_data(title)}", *map(plain_text, lines), "::endgroup::"]


def plain_text(text: str) -> str:
    """Return a text, changed so that GitHub's runner runs no line of it as a command.

    The runner accepts `::` after any blanks, and the older `##[` anywhere.
    """
    return "\n".join(map(_plain_line, re.split(r"\r\n|\r|\n", text)))


def _plain_line(line: str) -> str:
    line = line.replace("##[", "##\u200b[")
    return line.replace("::", ":\u200b:") if line.lstrip().startswith("::") else line


def summary_room(environment: Mapping[str, str]) -> int:
    """Return the number of bytes that can be added to the step's summary; 0 outside GitHub Actions.

    Raises:
        OSError: its file cannot be read.
    """
    path = environment.get(SUMMARY)
    if not path:
        return 0
    file = Path(path)
    return max(0, SUMMARY_BYTES - (file.stat().st_size if file.exists() else 0))


def append_summary(markdown: str, environment: Mapping[str, str]) -> None:
    """Append to the summary of the step; do nothing outside GitHub Actions."""
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
