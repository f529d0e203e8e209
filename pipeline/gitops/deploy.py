"""One component deployed to an environment: promoted, rolled back, or set up, by pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops.changes import Change
from pipeline.gitops.checks import check_environment
from pipeline.gitops.crds import Definitions
from pipeline.gitops.delivery import Delivered, DeliveryTarget, Proposal, deliver
from pipeline.gitops.environment_configs import Setting, read_settings, with_settings
from pipeline.gitops.manifests import BindingRequest, binding_changes
from pipeline.gitops.namespace import Namespace, namespace_of
from pipeline.gitops.occ import Occ, installed_occ
from pipeline.gitops.occ_steps import RELEASE
from pipeline.gitops.parameters import ComponentRef
from pipeline.gitops.reading import GitOpsAddress, read_platform
from pipeline.gitops.repository import GitOpsRepository, Resource, read_resources
from pipeline.gitops.texts import DeliveryTexts


@dataclass(frozen=True, kw_only=True)
class DeployRequest:
    """A deployment that the user asks for.

    Attributes:
        name: the Component.
        environment: where to.
        release: name of the ComponentRelease; empty for the previous environment's, or with
            settings for the one that is bound.
        settings: as KEY=VALUE.
        with_project: True to add a ProjectReleaseBinding that the environment lacks.
        cache: the user cache.
        occ_version: of the cluster.
    """

    name: ComponentRef
    environment: str
    release: str = ""
    settings: tuple[str, ...] = ()
    with_project: bool = False
    cache: Path
    occ_version: str


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A component in an environment, as it is to be.

    Attributes:
        name: the Component.
        environment: where to.
        release: name of the ComponentRelease.
        previous: name of the one that was bound; empty for none.
        settings: that are set.
    """

    name: ComponentRef
    environment: str
    release: str
    previous: str
    settings: tuple[Setting, ...]


async def deploy(
    request: DeployRequest, address: GitOpsAddress, target: DeliveryTarget
) -> Delivered[Deployment]:
    """Bind a release to an environment, and change its settings there, by pull request.

    Raises:
        UsageError: an option cannot be used.
        GitOpsError: a repository, a resource or the release cannot be used.
        GitHubError: GitHub refuses, or does not answer.
        ToolchainError: git, occ or Go is missing.
    """
    occ = await installed_occ(request.cache, request.occ_version)
    platform = await read_platform(address)
    work = _Deployment(request=request, namespace=address.namespace, occ=occ, platform=platform)
    name = request.name
    key = f"deploy {name.namespace}/{name} {request.environment}"
    return await deliver(target, key, f"deploy/{name.component}-", work.propose)


@dataclass(frozen=True, kw_only=True)
class _Deployment:
    """A deployment with what it needs besides the newest base."""

    request: DeployRequest
    namespace: str
    occ: Occ
    platform: GitOpsRepository | None

    async def propose(self, repository: GitOpsRepository) -> Proposal[Deployment]:
        """Return the changes of the newest base, or of a branch on it."""
        request, name = self.request, self.request.name
        # 1. the release, and the settings by the schema that it has
        namespace = namespace_of(repository, self.namespace, self.platform)
        namespace.component(name.project, name.component)
        bound = namespace.binding(name.project, name.component, request.environment)
        previous = bound.text(*RELEASE) if bound else ""
        release = namespace.release(
            name.project, name.component, chosen_release(namespace, request, previous)
        )
        settings = read_settings(request.settings, settings_schema(namespace, name, release))
        # 2. the binding, written by occ; the settings, written into its text
        wanted = BindingRequest(
            project=name.project,
            component=name.component,
            environment=request.environment,
            release=release.name,
        )
        made = await binding_changes(
            repository, self.namespace, [wanted], self.occ, platform=self.platform
        )
        changes = with_settings_of(made, bound, repository, request.environment, settings)
        # 3. gaps of the environment
        gaps = check_environment(
            namespace,
            Definitions(self.occ.crds, self.occ.version),
            name.project,
            request.environment,
            releases=(release,),
            with_project=request.with_project,
        )
        return Proposal(
            changes=(*changes, *gaps.changes),
            texts=_texts(request, release.name, previous, settings),
            result=Deployment(
                name=name,
                environment=request.environment,
                release=release.name,
                previous=previous,
                settings=settings,
            ),
            warnings=gaps.warnings,
        )


def chosen_release(namespace: Namespace, request: DeployRequest, bound: str) -> str:
    """Return the name of the release to bind.

    Args:
        namespace: of the component.
        request: the user's.
        bound: name of the release that is bound now; empty for none.

    Raises:
        UsageError: the pipeline has no such environment, or no release is named for its first.
        GitOpsError: the previous environment has no release.
    """
    project, component = request.name.project, request.name.component
    pipeline = namespace.pipeline(project)
    environment = pipeline.environment(request.environment)
    if request.release:
        return request.release
    if request.settings and bound:
        return bound
    previous = pipeline.previous(environment)
    if not previous:
        raise UsageError(
            f"{environment} is the first environment of pipeline {pipeline.name}",
            hint="name the release: --release NAME; or release an image: ocelot gitops release",
        )
    binding = namespace.binding(project, component, previous)
    if binding is None:
        raise GitOpsError(
            f"{request.name} is not bound to {previous}, from which {environment} gets releases",
            hint=f"deploy it to {previous} first, or name the release: --release NAME",
        )
    return binding.text(*RELEASE)


def settings_schema(
    namespace: Namespace, name: ComponentRef, release: Resource
) -> Mapping[str, Any]:
    """Return the schema of a component's settings: the release's own, else the ComponentType's."""
    below = ("environmentConfigs", "openAPIV3Schema")
    found = release.value("spec", "componentType", "spec", *below)
    if not isinstance(found, dict):
        component = namespace.component(name.project, name.component)
        found = namespace.component_type(component).value("spec", *below)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def with_settings_of(
    changes: Sequence[Change],
    bound: Resource | None,
    repository: GitOpsRepository,
    environment: str,
    settings: Sequence[Setting],
) -> tuple[Change, ...]:
    """Return the changes with settings in the text of the binding, whether it changed or not."""
    if not settings:
        return tuple(changes)
    if changes:
        (change,) = changes
        content = change.after or b""
        (document,) = [
            each.document
            for each in read_resources(change.path, content)
            if isinstance(each, Resource) and each.text("spec", "environment") == environment
        ]
        path, before = change.path, change.before
    else:
        if bound is None:
            raise GitOpsError(f"nothing is bound to {environment}", hint="give --release NAME")
        path, document = bound.path, bound.document
        before = content = repository.files[path]
    after = with_settings(content, document, settings, file=path)
    return () if after == before else (Change(path=path, before=before, after=after),)


def _texts(
    request: DeployRequest, release: str, previous: str, settings: Sequence[Setting]
) -> DeliveryTexts:
    name, environment = request.name, request.environment
    subject = f"Deploy {name.component} to {environment} ({release})"
    if settings and release == previous:
        subject = f"Set {name.component} in {environment}"
    facts = [
        ("Project", name.project),
        ("Component", name.component),
        ("Environment", environment),
        ("Release", release),
        ("Previous release", previous or "none"),
        *(("Setting", str(each)) for each in settings),
    ]
    return DeliveryTexts(subject=subject, facts=tuple(facts))
