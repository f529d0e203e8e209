"""Reports as a screen shows them."""

from __future__ import annotations

import io

from rich.console import Console

from pipeline.report.rendering import Report, show


def shown(*reports: Report, width: int = 250, terminal: bool = False) -> str:
    """Return what a screen of that width shows."""
    file = io.StringIO()
    show(*reports, console=Console(file=file, width=width, force_terminal=terminal))
    return file.getvalue()
