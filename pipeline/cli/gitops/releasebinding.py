"""`ocelot gitops releasebinding`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.gitops.by_hand import BindingOptions, Component, Project, run_step
from pipeline.cli.options import shared

if TYPE_CHECKING:
    from pipeline.gitops.occ_steps import Step
    from pipeline.gitops.single_steps import StepTarget


@shared
def releasebinding(
    *,
    verb: Annotated[str, typer.Argument(hidden=True, metavar="[generate]")] = "generate",
    project: Project,
    component: Component,
    options: BindingOptions,
) -> None:
    """Write a ReleaseBinding into a folder, as `occ releasebinding generate` does.

    Of an existing ReleaseBinding only the release's name changes.
    """

    async def work(target: StepTarget) -> Step:
        from pipeline.gitops.single_steps import binding_step

        return await binding_step(
            target,
            environment=options.target_env or "",
            pipeline=options.use_pipeline or "",
            release=options.component_release or "",
        )

    run_step(options, project, component, verb=(verb, "generate"), work=work)
