"""Reports of `ocelot config check` and `ocelot components`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from pipeline.build.components import ComponentRow
from pipeline.config.folder import Config
from pipeline.naming import KINDS
from pipeline.report.rendering import Report, json_text


def component_reports(rows: Sequence[ComponentRow]) -> Iterator[Report]:
    """Return the available components: a table for each kind."""
    for kind in KINDS:
        if of_kind := [row for row in rows if row.kind == kind]:
            cells = [(row.name, row.origin, ", ".join(row.distributions)) for row in of_kind]
            headings = ("component", "from", "distributions")
            yield Report(title=f"{kind}s", headings=headings, rows=cells)


def tuning_report(config: Config) -> Report:
    """Return the tunings, with what a layer with them cannot do any more."""
    used = {name: config.tunings_of(name) for name in config.distributions}

    def users(tuning: str) -> str:
        names = [name for name in used if tuning in used[name]]
        return "all" if len(names) == len(used) else ", ".join(names)

    tunings = config.tunings.items()
    cells = [(name, each.takes_away or "nothing", users(name)) for name, each in tunings]
    return Report(title="tunings", headings=("tuning", "takes away", "distributions"), rows=cells)


def checked_report(config: Config, *, upstream: bool) -> Report:
    """Return the number of distributions and components that were checked.

    Args:
        config: it has no problems.
        upstream: True if the build tags were checked against an upstream.
    """
    numbers = ", ".join(f"{count} {name}" for name, count in _counts(config).items())
    limit = "" if upstream else " (build tags by form alone; --upstream-repo checks them all)"
    return Report(notes=(f"{os.path.relpath(config.folder)}: {numbers}, no problems{limit}",))


def checked_json(config: Config) -> str:
    """Return the number of distributions and components as JSON."""
    return json_text({"ok": True, **_counts(config)})


def _counts(config: Config) -> dict[str, int]:
    return {"distributions": len(config.distributions), "components": len(config.components)}
