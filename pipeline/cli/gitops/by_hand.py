"""The options and the output that `workload`, `componentrelease` and `releasebinding` share."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommonOptions
from pipeline.spread import Opt, option_group

if TYPE_CHECKING:
    from pipeline.gitops.occ_steps import Step
    from pipeline.gitops.single_steps import StepTarget

FILE_SYSTEM = "file-system"

Project = Annotated[str, typer.Option("--project", "-p", help="Project of the component.")]
Component = Annotated[str, typer.Option("--component", "-c", help="Name of the component.")]


@option_group
class StepOptions(CommonOptions):
    """The folder of a single step."""

    mode: Annotated[str, Opt("As occ's: file-system, which is all that ocelot has.")] = FILE_SYSTEM
    root_dir: Annotated[Path, Opt("Folder of the GitOps repository.", metavar="FOLDER")] = Path()
    platform_dir: Annotated[
        Path | None,
        Opt("Folder of the platform's resources, if they are not there.", metavar="FOLDER"),
    ] = None
    namespace: Annotated[
        str | None, Opt("OpenChoreo's namespace; default: config/gitops.yaml, else default.", "-n")
    ] = None
    output_path: Annotated[
        Path | None,
        Opt("Where a new file is written, from --root-dir; default: as occ does.", "-o"),
    ] = None
    dry_run: Annotated[bool, Opt("Show what would change; write nothing.")] = False


@option_group
class WorkloadOptions(StepOptions):
    """The options of a Workload."""

    descriptor: Annotated[
        Path | None, Opt("Workload descriptor; without one only the image changes.", metavar="FILE")
    ] = None


@option_group
class ReleaseStepOptions(StepOptions):
    """The options of a ComponentRelease."""

    name: Annotated[str | None, Opt("Name of the release; default: one by the date.")] = None


@option_group
class BindingOptions(StepOptions):
    """The options of a ReleaseBinding."""

    target_env: Annotated[
        str | None, Opt("Environment; default: the first of the pipeline.", "-e")
    ] = None
    use_pipeline: Annotated[str | None, Opt("DeploymentPipeline; default: the project's.")] = None
    component_release: Annotated[
        str | None,
        Opt(
            "Release to bind; default: the one that is equal to the component's current state, or "
            "outside of the first environment the one of the environment before."
        ),
    ] = None


def run_step(
    options: StepOptions,
    project: str,
    component: str,
    *,
    verb: tuple[str, str],
    work: Callable[["StepTarget"], Awaitable["Step"]],
) -> None:
    """Run a step, write its file, and print it.

    Args:
        options: the user's.
        project: its name.
        component: its name.
        verb: the word that the user gave where occ has its verb, and the one that occ has.
        work: the step.

    Raises:
        UsageError: an option cannot be used.
    """
    from pipeline.cli.running import run, shown_progress
    from pipeline.gitops.folder import write_changes
    from pipeline.gitops.installation import check_schema_package
    from pipeline.report.diff import show_diff
    from pipeline.report.gitops_step import step_json, step_report

    _check_words(options, *verb)
    check_schema_package()

    async def step() -> "Step":
        return await work(await _target(options, project, component))

    with shown_progress(verbose=options.verbose):
        made = run(step)
        if not options.dry_run:
            write_changes(options.root_dir, made.changes)
    if options.dry_run and not options.as_json:
        show_diff(made.changes)
    options.show(step_json(made), step_report(made, dry_run=options.dry_run))


def _check_words(options: StepOptions, given: str, expected: str) -> None:
    from pipeline.errors import UsageError, quoted

    if given != expected:
        raise UsageError(
            f"there is no verb {quoted(given)}", hint=f"use {expected}, or leave it out"
        )
    if options.mode != FILE_SYSTEM:
        raise UsageError(
            f"--mode {quoted(options.mode)} needs a cluster",
            hint=f"use occ itself for that, or --mode {FILE_SYSTEM}",
        )


async def _target(options: StepOptions, project: str, component: str) -> "StepTarget":
    from pipeline import paths
    from pipeline.errors import UsageError
    from pipeline.gitops.occ import OCC_VERSION, installed_occ
    from pipeline.gitops.single_steps import StepTarget

    try:
        config = options.load().gitops
    except UsageError:  # there is no config folder
        if options.config is not None:
            raise
        config = None
    version = config.occ_version if config else OCC_VERSION
    return StepTarget(
        root=options.root_dir,
        platform=options.platform_dir,
        namespace=options.namespace or (config.namespace if config else "default"),
        project=project,
        component=component,
        output_path=options.output_path,
        occ=await installed_occ(paths.cache_folder(), version),
    )
