"""`ocelot doctor`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import typer

from pipeline.cli.options import JsonOptions, run, shared


@shared
def doctor(shown: JsonOptions) -> None:
    """Show what this machine has and lacks for a build.

    What is missing is shown with what it is for and how to get it. The exit code is 1 where
    ocelot build, which builds on this machine, cannot run; dagger call build needs only dagger.
    """
    from rich.console import Console

    from pipeline import paths
    from pipeline.doctor import can_run, examine
    from pipeline.report.doctor import finding_lines

    findings = run(lambda: examine(os.environ, paths.cache_folder()))
    runs = can_run(findings)
    if shown.as_json:
        typer.echo(json.dumps({"ok": runs, "findings": [asdict(each) for each in findings]}))
    else:
        console = Console(highlight=False)
        for line in finding_lines(findings):
            console.print(line, soft_wrap=True)
        console.print(f"ocelot build {'can' if runs else 'cannot'} run here, without containers")
    raise typer.Exit(0 if runs else 1)
