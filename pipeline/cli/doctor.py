"""`ocelot doctor`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import typer

from pipeline.cli.options import JsonOptions, run, shared


@shared
def doctor(shown: JsonOptions) -> None:
    """Tell what this machine has and lacks for a build.

    What is missing is told with what it is for and how to get it; the exit code is 1 where a
    build on this machine cannot run.
    """
    from rich.console import Console

    from pipeline import project
    from pipeline.doctor import can_run, examine
    from pipeline.report.doctor import finding_lines

    findings = run(lambda: examine(os.environ, project.cache_folder()))
    runs = can_run(findings)
    if shown.as_json:
        typer.echo(json.dumps({"ok": runs, "findings": [asdict(each) for each in findings]}))
    else:
        console = Console(highlight=False)
        for line in finding_lines(findings):
            console.print(line, soft_wrap=True)
        told = "ocelot build can run here" if runs else "ocelot build cannot run here"
        console.print(told)
    raise typer.Exit(0 if runs else 1)
