"""The findings of `ocelot doctor` as lines: what there is, and under it what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from pipeline.doctor import Finding

_STYLES = {"ok": "green", "missing": "red", "note": "yellow"}


def finding_lines(findings: Sequence[Finding]) -> Iterator[Text]:
    """A line for each finding, and one more where something is to be done.

    What is missing but not needed for a build is yellow.
    """
    for each in findings:
        style = _STYLES[each.state]
        style = "yellow" if each.state == "missing" and not each.needed else style
        yield Text.assemble((f"{each.state:<8}", style), f"{each.name:<11} {each.found}")
        if each.remedy:
            yield Text(f"{'':<20}for {each.purpose}: {each.remedy}", "dim")
