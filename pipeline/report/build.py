"""The report at the end of a build: a table for the screen, Markdown for a job summary."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from pipeline.build.apply import Build, BuiltLayer
from pipeline.build.limits import megabytes
from pipeline.report import markdown

HEADINGS = ("architecture", "zip", "unzipped", "sha256", "time", "cache")


def layer_row(built: BuiltLayer, *, digest: int = 16) -> tuple[str, ...]:
    """One layer's cells, in the order of `HEADINGS`, with so many digits of its SHA-256."""
    layer = built.layer
    return (
        str(layer.architecture),
        megabytes(layer.size),
        megabytes(layer.unzipped_size),
        layer.sha256[:digest],
        f"{built.seconds:.1f} s",
        "reused" if built.reused else "compiled",
    )


def title(build: Build) -> str:
    """What was built, from what."""
    layer = build.layers[0].layer
    came_from = f"{layer.upstream.repository} {layer.upstream.commit[:12]}"
    locked = "locked" if layer.locked else "not locked"
    return f"{layer.distribution}: collector {layer.collector_version} of {came_from}, {locked}"


def tuned_line(build: Build) -> str:
    """What was changed in upstream's files; empty for nothing."""
    names = ", ".join(build.layers[0].layer.tunings)
    return f"tuned: {names} (--no-tune leaves upstream as it is)" if names else ""


def build_table(build: Build) -> Table:
    """The table for the screen."""
    table = Table(title=Text(title(build)), title_justify="left")
    for heading in HEADINGS:
        right = heading in ("zip", "unzipped", "time")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    for built in build.layers:
        table.add_row(*layer_row(built))
    return table


def build_markdown(build: Build) -> str:
    """The same for a GitHub job summary, with whole digests."""
    rows = markdown.table(HEADINGS, (layer_row(each, digest=64) for each in build.layers))
    return markdown.section(title(build), [*rows, "", *(f"- {note}" for note in build.notes)])
