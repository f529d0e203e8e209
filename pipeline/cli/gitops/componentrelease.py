"""`ocelot gitops componentrelease`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.gitops.by_hand import Component, Project, ReleaseStepOptions, run_step
from pipeline.cli.options import shared

if TYPE_CHECKING:
    from pipeline.gitops.occ_steps import Step
    from pipeline.gitops.single_steps import StepTarget


@shared
def componentrelease(
    *,
    verb: Annotated[str, typer.Argument(hidden=True, metavar="[generate]")] = "generate",
    project: Project,
    component: Component,
    options: ReleaseStepOptions,
) -> None:
    """Write a ComponentRelease into a folder, as `occ componentrelease generate` does.

    Nothing is written if the component has a release of equal content. A name that another release
    has gets a number: -2, -3 and so on.
    """

    async def work(target: StepTarget) -> Step:
        from pipeline.gitops.single_steps import release_step

        return await release_step(target, options.name or "")

    run_step(options, project, component, verb=(verb, "generate"), work=work)
