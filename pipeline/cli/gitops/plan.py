"""`ocelot gitops plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import (
    CommonOptions,
    GitOpsTokenOptions,
    ReleaseSourceOptions,
    shared,
)
from pipeline.cli.running import run, shown_progress
from pipeline.gitops_options import GitOpsOptions, WorkflowOptions

if TYPE_CHECKING:
    from pipeline.gitops.reading import GitOpsAddress
    from pipeline.gitops.resolve import ResolvedBuild


@shared
def plan(
    component: Annotated[
        str, typer.Argument(metavar="PROJECT/COMPONENT", help="Component to release.")
    ],
    *,
    workflow: WorkflowOptions,
    source: ReleaseSourceOptions,
    gitops: GitOpsOptions,
    token: GitOpsTokenOptions,
    common: CommonOptions,
) -> None:
    """Show what a release of a Component would build: the parameters and the commit.

    A parameter comes from an option, else from the WorkflowRun of --from, else from the Component's
    own spec.workflow in the GitOps repository, else it is the workflow's default.
    """
    from pipeline.report.gitops import plan_report
    from pipeline.report.rendering import json_text

    address = token.address(gitops, common)
    with shown_progress(verbose=common.verbose):
        found = run(lambda: _resolved(component, workflow, source, address))
    common.show(json_text(found.document()), plan_report(found))


async def _resolved(
    component: str, workflow: WorkflowOptions, source: ReleaseSourceOptions, address: GitOpsAddress
) -> ResolvedBuild:
    from pipeline import paths
    from pipeline.gitops.parameters import component_ref
    from pipeline.gitops.reading import read_namespace
    from pipeline.gitops.resolve import read_run_file, resolved_build

    name = component_ref(component, address.namespace)
    given = read_run_file(source.run_file)
    return await resolved_build(
        name,
        await read_namespace(address),
        workflow,
        run=given,
        source=source.source,
        cache=paths.cache_folder(),
    )
