"""The files of a GitOps repository that a release or a promotion changes, written by `occ`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.gitops.changes import Change
from pipeline.gitops.crds import Definitions, check_resources
from pipeline.gitops.descriptor import Descriptor
from pipeline.gitops.namespace import namespace_of
from pipeline.gitops.occ import Occ
from pipeline.gitops.occ_choice import CurrentReleases, chosen_releases
from pipeline.gitops.occ_copy import occ_copy
from pipeline.gitops.occ_layout import Promoted, occ_layout
from pipeline.gitops.occ_steps import (
    RELEASE,
    BindingRequest,
    Step,
    write_binding,
    write_bindings,
    write_release,
    write_workload,
)
from pipeline.gitops.repository import GitOpsRepository, read_repository


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestRequest:
    """A release to make, and the environment to bind it to.

    Attributes:
        project: its name.
        component: its name.
        image: reference with digest, such as `registry/name:tag@sha256:…`.
        release_name: of the new release; one that is taken gets -2, -3 and so on.
        environment: to bind the release to; empty for the first of the project's pipeline.
        descriptor: of the Workload; without one only its image changes.
    """

    project: str
    component: str
    image: str
    release_name: str
    environment: str = ""
    descriptor: Descriptor | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseChanges:
    """The changes of a release.

    Attributes:
        changes: by path; none if the repository has all of it already.
        release: name of the release that is bound; an existing one of equal content is kept.
        binding: name of the ReleaseBinding.
        environment: that it is bound to.
        warnings: for people, a sentence each.
    """

    changes: tuple[Change, ...]
    release: str
    binding: str
    environment: str
    warnings: tuple[str, ...] = ()


async def release_changes(
    repository: GitOpsRepository,
    namespace: str,
    request: ManifestRequest,
    occ: Occ,
    *,
    platform: GitOpsRepository | None = None,
) -> ReleaseChanges:
    """Return the changes that release an image: Workload, ComponentRelease and ReleaseBinding.

    Args:
        repository: the GitOps repository at its newest commit.
        namespace: of the component.
        request: the release.
        occ: the program that writes the resources.
        platform: a second repository with platform resources; it is only read.

    Raises:
        GitOpsError: a resource is missing or broken, or occ did not do what was asked.
        UsageError: the project's pipeline does not have the environment.
    """
    found = namespace_of(repository, namespace, platform)
    owner = (request.project, request.component)
    found.component_type(found.component(*owner))
    pipeline = found.pipeline(request.project)
    environment = pipeline.environment(request.environment or pipeline.root)
    bound = found.binding(*owner, environment)
    with occ_copy(found, occ_layout(found, {owner}, platform), occ) as copy:
        workload = await write_workload(copy, *owner, request.image, request.descriptor)
        release = await write_release(
            copy,
            *owner,
            request.release_name,
            bound=bound.text(*RELEASE) if bound else "",
        )
        wanted = BindingRequest(
            project=request.project,
            component=request.component,
            environment=environment,
            release=release.name,
        )
        binding = await write_binding(copy, wanted, pipeline.name)
    steps = (workload, release, binding)
    return ReleaseChanges(
        changes=checked_changes(occ, steps, f"the release of {'/'.join(owner)}"),
        release=release.name,
        binding=binding.name,
        environment=environment,
        warnings=tuple(warning for step in steps for warning in step.warnings),
    )


async def binding_changes(
    repository: GitOpsRepository,
    namespace: str,
    requests: Sequence[BindingRequest],
    occ: Occ,
    *,
    platform: GitOpsRepository | None = None,
) -> tuple[Change, ...]:
    """Return the changes that bind releases to environments, by path.

    occ runs once for each environment.

    Args:
        repository: the GitOps repository at its newest commit.
        namespace: of the components.
        requests: one for each component and environment.
        occ: the program that writes the bindings.
        platform: a second repository with platform resources; it is only read.

    Raises:
        GitOpsError: a release or component is missing, or occ did not do what was asked.
        UsageError: a project's pipeline does not have the environment.
    """
    found = namespace_of(repository, namespace, platform)
    by_environment: dict[str, list[BindingRequest]] = {}
    for each in requests:
        found.component(each.project, each.component)
        found.pipeline(each.project).environment(each.environment)
        found.release(each.project, each.component, each.release)
        by_environment.setdefault(each.environment, []).append(each)
    steps: list[Step] = []
    for environment, group in by_environment.items():
        releases = {(each.project, each.component): each.release for each in group}
        promoted = Promoted(environment=environment, releases=releases)
        layout = occ_layout(found, releases.keys(), platform, promoted)
        with occ_copy(found, layout, occ) as copy:
            steps += await write_bindings(copy, group)
    return checked_changes(occ, steps, "these ReleaseBindings")


async def current_releases(
    repository: GitOpsRepository,
    namespace: str,
    components: Sequence[tuple[str, str]],
    environment: str,
    occ: Occ,
    *,
    pipeline: str = "",
    platform: GitOpsRepository | None = None,
) -> CurrentReleases:
    """Return the releases that belong into an environment, in one run of occ.

    Args:
        repository: the GitOps repository at its newest commit.
        namespace: of the components.
        components: names of project and component, all of one pipeline.
        environment: in the first one of the pipeline it is the release that is equal to the
            current state of the component; in others the one that is bound in the one before.
        occ: the program that compares them.
        pipeline: the DeploymentPipeline's name; empty for that of the first component's project.
        platform: a second repository with platform resources; it is only read.

    Raises:
        GitOpsError: a resource is missing or broken.
        UsageError: the pipeline does not have the environment.
    """
    found = namespace_of(repository, namespace, platform)
    if not components:
        return CurrentReleases(releases={}, missing={})
    way = found.pipeline_named(pipeline) if pipeline else found.pipeline(components[0][0])
    target = way.environment(environment)
    with occ_copy(found, occ_layout(found, set(components), platform), occ) as copy:
        return await chosen_releases(copy, components, way.name, target)


def checked_changes(occ: Occ, steps: Sequence[Step], purpose: str) -> tuple[Change, ...]:
    """Return the changes of steps by path, once their resources have passed the schemas.

    Raises:
        GitOpsError: the cluster would not accept a resource; `purpose` says for what it is.
    """
    changes = sorted(
        (change for step in steps for change in step.changes), key=lambda change: change.path
    )
    files = {each.path: each.after for each in changes if each.after is not None}
    resources = read_repository(files).resources
    check_resources(Definitions(occ.crds, occ.version), resources, files, purpose)
    return tuple(changes)
