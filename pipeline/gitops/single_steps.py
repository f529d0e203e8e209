"""The steps of a release one by one, on a folder, as `occ` has them as commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import GitOpsError, UsageError, quoted
from pipeline.gitops.descriptor import read_descriptor
from pipeline.gitops.folder import path_in_folder, read_folder
from pipeline.gitops.image.reference import read_reference
from pipeline.gitops.manifests import checked_changes
from pipeline.gitops.names import dns_label, is_dns_name
from pipeline.gitops.namespace import Namespace, namespace_of
from pipeline.gitops.occ import Occ
from pipeline.gitops.occ_choice import chosen_releases
from pipeline.gitops.occ_copy import OccCopy, occ_copy
from pipeline.gitops.occ_layout import occ_layout
from pipeline.gitops.occ_steps import (
    BindingRequest,
    Step,
    write_binding,
    write_release,
    write_workload,
)
from pipeline.gitops.repository import GitOpsRepository

_PLATFORM = "platform"


@dataclass(frozen=True, kw_only=True)
class StepTarget:
    """The component and folder of a single step.

    Attributes:
        root: folder of the GitOps repository.
        platform: folder of the platform's resources, if that is another one.
        namespace: OpenChoreo's.
        project: its name.
        component: its name.
        output_path: for a new file: the file of a Workload, else a folder; None for occ's choice.
        occ: the program.
    """

    root: Path
    platform: Path | None = None
    namespace: str
    project: str
    component: str
    output_path: Path | None = None
    occ: Occ

    @property
    def owner(self) -> tuple[str, str]:
        """Project and component, once it is sure that they can be names.

        Raises:
            UsageError: one cannot.
        """
        return dns_label(self.project, "project"), dns_label(self.component, "component")

    @property
    def output(self) -> str:
        """The path for a new file, from the repository's root; empty for occ's choice.

        Raises:
            UsageError: it leads out of the folder.
        """
        return path_in_folder(self.root, self.output_path) if self.output_path else ""

    def read(self) -> tuple[Namespace, GitOpsRepository | None]:
        """Return the namespace, and the platform's repository; the component is in them.

        Raises:
            UsageError: a name or folder cannot be used.
            GitOpsError: a file is broken, or the component is missing.
        """
        platform = read_folder(self.platform, _PLATFORM) if self.platform else None
        name = dns_label(self.namespace, "namespace")
        found = namespace_of(read_folder(self.root), name, platform)
        found.component(*self.owner)
        return found, platform


async def workload_step(target: StepTarget, image: str, descriptor: Path | None) -> Step:
    """Return the change of a component's Workload; see `write_workload`.

    Raises:
        UsageError: an option cannot be used.
        GitOpsError: the folder or the descriptor cannot be used.
    """
    read_reference(image)
    checked = read_descriptor(descriptor.parent, ".", descriptor.name) if descriptor else None
    namespace, platform = target.read()
    workload = namespace.workload(*target.owner)
    if workload and target.output not in ("", workload.path):
        raise UsageError(
            f"the Workload of {'/'.join(target.owner)} is in {workload.path}",
            hint="leave --output-path out",
        )
    with occ_copy(namespace, occ_layout(namespace, {target.owner}, platform), target.occ) as copy:
        step = await write_workload(
            copy, *target.owner, image, checked, output_path="" if workload else target.output
        )
    return _checked(target, step, "the Workload")


async def release_step(target: StepTarget, name: str) -> Step:
    """Return the change that adds a ComponentRelease; see `write_release`.

    Args:
        target: the component.
        name: of the release; empty for one by the date.

    Raises:
        UsageError: an option cannot be used.
        GitOpsError: the folder cannot be used.
    """
    if name and not is_dns_name(name):
        raise UsageError(
            f"{quoted(name)} cannot be the name of a release",
            hint="use lowercase letters, digits and hyphens",
        )
    namespace, platform = target.read()
    with occ_copy(namespace, occ_layout(namespace, {target.owner}, platform), target.occ) as copy:
        step = await write_release(copy, *target.owner, name, output_path=target.output)
    return _checked(target, step, "the ComponentRelease")


async def binding_step(
    target: StepTarget, *, environment: str, pipeline: str, release: str
) -> Step:
    """Return the change of a ReleaseBinding; see `write_binding`.

    Args:
        target: the component.
        environment: empty for the first one of the pipeline.
        pipeline: the DeploymentPipeline's name; empty for that of the project.
        release: empty for the one that belongs into the environment; see `chosen_releases`.

    Raises:
        UsageError: an option cannot be used.
        GitOpsError: the folder cannot be used, or there is no such release.
    """
    namespace, platform = target.read()
    project, component = target.owner
    way = namespace.pipeline_named(pipeline) if pipeline else namespace.pipeline(project)
    bound_to = way.environment(environment or way.root)
    if release:
        namespace.release(project, component, release)
    with occ_copy(namespace, occ_layout(namespace, {target.owner}, platform), target.occ) as copy:
        request = BindingRequest(
            project=project,
            component=component,
            environment=bound_to,
            release=release or await _chosen(copy, target.owner, way.name, bound_to),
        )
        step = await write_binding(copy, request, way.name, output_path=target.output)
    return _checked(target, step, "the ReleaseBinding")


async def _chosen(copy: OccCopy, owner: tuple[str, str], pipeline: str, environment: str) -> str:
    """Return the release that belongs into an environment.

    Raises:
        GitOpsError: there is none.
    """
    found = await chosen_releases(copy, [owner], pipeline, environment)
    if owner in found.missing:
        raise GitOpsError(
            f"{'/'.join(owner)} has no release for {environment!r}: {found.missing[owner]}",
            hint="name a release with --component-release",
        )
    return found.releases[owner]


def _checked(target: StepTarget, step: Step, kind: str) -> Step:
    checked_changes(target.occ, [step], f"{kind} of {'/'.join(target.owner)}")
    return step
