"""`ocelot gitops workload`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.gitops.by_hand import Component, Project, WorkloadOptions, run_step
from pipeline.cli.options import shared

if TYPE_CHECKING:
    from pipeline.gitops.occ_steps import Step
    from pipeline.gitops.single_steps import StepTarget


@shared
def workload(
    *,
    verb: Annotated[str, typer.Argument(hidden=True, metavar="[create]")] = "create",
    project: Project,
    component: Component,
    image: Annotated[str, typer.Option(metavar="NAME", help="Image of the component.")],
    options: WorkloadOptions,
) -> None:
    """Write a component's Workload into a folder, as `occ workload create` does.

    Name, labels, annotations, command and arguments of an existing Workload stay, and its comments
    where only the image changes.
    """

    async def work(target: StepTarget) -> Step:
        from pipeline.gitops.single_steps import workload_step

        return await workload_step(target, image, options.descriptor)

    run_step(options, project, component, verb=(verb, "create"), work=work)
