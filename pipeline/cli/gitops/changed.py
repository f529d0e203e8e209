"""`ocelot gitops changed`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommonOptions, GitOpsTokenOptions, shared
from pipeline.cli.printing import add_summary, set_output
from pipeline.cli.running import run, shown_progress
from pipeline.gitops_options import GitOpsOptions, PushOptions

if TYPE_CHECKING:
    from pipeline.gitops.changed import ChangedComponents
    from pipeline.gitops.reading import GitOpsAddress


@shared
def changed(
    *,
    source: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Checkout of the source repository.")
    ] = Path(),
    push: PushOptions,
    gitops: GitOpsOptions,
    token: GitOpsTokenOptions,
    common: CommonOptions,
) -> None:
    """List the Components with `autoBuild: true` that a push to their source touches.

    A Component counts if repository and branch are its own, and a changed file lies in its appPath
    or build context, or is its Dockerfile or descriptor. With --json, and as output `matrix` of a
    step in GitHub Actions, the list is a matrix; the output `count` is its length.
    """
    from pipeline.report.gitops import changed_report
    from pipeline.report.rendering import json_text

    address = token.address(gitops, common)
    with shown_progress(verbose=common.verbose):
        found = run(lambda: _changed(source, push, address))
    table = changed_report(found)
    for name, value in found.outputs().items() if os.environ.get("GITHUB_OUTPUT") else ():
        set_output(name, value, os.environ)
    add_summary(table, os.environ)
    common.show(json_text(found.matrix()), table)


async def _changed(source: Path, push: PushOptions, address: GitOpsAddress) -> ChangedComponents:
    from pipeline.gitops.changed import changed_components
    from pipeline.gitops.push import read_push
    from pipeline.gitops.reading import read_namespace

    pushed = await read_push(source, push, os.environ)
    return changed_components(await read_namespace(address), pushed, push.project or ())
