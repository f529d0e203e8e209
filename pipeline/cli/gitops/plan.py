"""`ocelot gitops plan`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import (
    CommonOptions,
    GitOpsTokenOptions,
    RegistryPasswordOptions,
    ReleaseSourceOptions,
    shared,
)
from pipeline.cli.running import run, shown_progress
from pipeline.gitops_options import GitOpsOptions, ImageOptions, WorkflowOptions

if TYPE_CHECKING:
    from pipeline.gitops.image.plan import ImagePlan
    from pipeline.gitops.image.request import ImageSettings
    from pipeline.gitops.reading import GitOpsAddress
    from pipeline.gitops.resolve import ResolvedBuild


@shared
def plan(
    component: Annotated[
        str, typer.Argument(metavar="PROJECT/COMPONENT", help="Component to release.")
    ],
    *,
    workflow: WorkflowOptions,
    image: ImageOptions,
    source: ReleaseSourceOptions,
    gitops: GitOpsOptions,
    token: GitOpsTokenOptions,
    password: RegistryPasswordOptions,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Also look the image up, and write plan.json with the steps that build it.",
        ),
    ] = None,
    common: CommonOptions,
) -> None:
    """Show what a release of a Component would build: the parameters and the commit.

    A parameter comes from an option, else from the WorkflowRun of --from, else from the Component's
    own spec.workflow in the GitOps repository, else it is the workflow's default. The folder of
    --output gets the source and all other files of the build, which `dagger call gitops-release`
    runs.
    """
    from pipeline.gitops.installation import check_registry_package
    from pipeline.report.gitops import image_report, plan_report
    from pipeline.report.rendering import json_text

    address = token.address(gitops, common)
    settings: ImageSettings | None = None
    made: ImagePlan | None = None
    if output:
        check_registry_package()
        settings = _settings(image, password, common, output)
    with shown_progress(verbose=common.verbose):
        found = run(lambda: _resolved(component, workflow, source, address))
        if output and settings:
            made = run(partial(_image, found, image, settings, output))
    shown = {"image": str(made.reference), "found": made.found} if made else {}
    reports = [image_report(made, output)] if made and output else []
    common.show(json_text({**found.document(), **shown}), plan_report(found), *reports)


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


def _settings(
    image: ImageOptions, password: RegistryPasswordOptions, common: CommonOptions, output: Path
) -> ImageSettings:
    """Return the settings of images; the folder for the plan can be written to."""
    from pipeline.errors import UsageError
    from pipeline.gitops.image.plan import check_output
    from pipeline.gitops.image.registry_auth import read_credentials
    from pipeline.gitops.image.request import image_settings

    check_output(output)
    config = common.load()
    if config.gitops is None:
        raise UsageError(
            "there is no gitops.yaml in the config folder, and so no registry",
            hint="add one with `repository` and `registry`",
        )
    credentials = read_credentials(image.registry_user, password.registry_password, os.environ)
    return image_settings(config.gitops, config.folder, credentials)


async def _image(
    found: ResolvedBuild, options: ImageOptions, settings: ImageSettings, output: Path
) -> ImagePlan:
    """Return the plan of an image, and write it into the folder with all files of the build."""
    from pipeline.gitops.image.docker import docker_options
    from pipeline.gitops.image.plan import SOURCE_FOLDER, image_plan, write_plan
    from pipeline.gitops.image.request import ImageRequest
    from pipeline.gitops.source import check_paths, checkout

    request = ImageRequest(
        parameters=found.parameters,
        commit=found.commit.sha,
        docker=docker_options(
            options.build_arg or [], options.target or "", options.build_secret_id or []
        ),
        platforms=tuple(options.platform or ()),
    )

    async def checked_out() -> Path:
        folder = output / SOURCE_FOLDER
        await checkout(found.parameters.repository_url, found.commit, folder)
        check_paths(folder, found.parameters)
        return folder

    made = await image_plan(request, settings, checked_out, rebuild=options.rebuild)
    write_plan(made, output)
    return made
