"""`ocelot doctor`."""

from __future__ import annotations

import os

import typer

from pipeline.cli.options import JsonOptions, shared
from pipeline.cli.running import run


@shared
def doctor(shown: JsonOptions) -> None:
    """Check which programs and settings this machine has for a build.

    For each missing one it says what it is for and how to get it. The exit code is 1 if ocelot
    build, which builds on this machine, cannot run; dagger call build needs only dagger.
    """
    from pipeline.doctor import can_build, examine
    from pipeline.report.doctor import doctor_json, doctor_report

    checks = run(lambda: examine(os.environ))
    shown.show(doctor_json(checks), doctor_report(checks))
    raise typer.Exit(0 if can_build(checks) else 1)
