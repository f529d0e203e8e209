"""An error as a person reads it: what, the evidence, what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from pipeline.errors import ConfigError, OcelotError
from pipeline.github.annotations import annotation, plain_line


def show_error(error: OcelotError, console: Console, environment: Mapping[str, str]) -> None:
    """Print an error; in GitHub Actions also as annotations."""
    console.print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)
    in_github = environment.get("GITHUB_ACTIONS") == "true"
    for line in error.details:
        console.print(Text(f"  {plain_line(line) if in_github else line}"), soft_wrap=True)
    if error.hint:
        console.print(Text.assemble(("next: ", "bold"), error.hint), soft_wrap=True)
    if not in_github:
        return
    if isinstance(error, ConfigError):
        for each in error.problems:
            told = annotation(each.message, file=each.file, line=each.line)
            console.print(Text(told), soft_wrap=True)
    else:
        console.print(Text(annotation(f"{error}. {error.hint}")), soft_wrap=True)
