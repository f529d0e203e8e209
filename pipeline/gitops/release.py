"""A release: an image of a commit, written into the GitOps repository, and its pull request."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.refs import FULL_SHA
from pipeline.errors import UsageError, quoted
from pipeline.gitops.changes import Change
from pipeline.gitops.checks import EnvironmentCheck, check_environment
from pipeline.gitops.crds import Definitions
from pipeline.gitops.delivery import Delivered, DeliveryTarget, Proposal, deliver
from pipeline.gitops.descriptor import Descriptor, read_descriptor
from pipeline.gitops.given import LocatedResource
from pipeline.gitops.image.reference import read_reference
from pipeline.gitops.manifests import ManifestRequest, ReleaseChanges, release_changes
from pipeline.gitops.names import SHORT_COMMIT
from pipeline.gitops.namespace import Namespace, namespace_of
from pipeline.gitops.occ import Occ, installed_occ
from pipeline.gitops.parameters import (
    BuildpacksBuild,
    BuildParameters,
    ComponentRef,
    DockerBuild,
    build_parameters,
)
from pipeline.gitops.reading import GitOpsAddress, read_platform
from pipeline.gitops.repository import GitOpsRepository, Resource, read_resources
from pipeline.gitops.resolve import source_commit
from pipeline.gitops.source import SourceCommit, checkout
from pipeline.gitops.texts import DeliveryTexts, ReleasedCommit
from pipeline.gitops_options import WorkflowOptions

_RELEASE = "ComponentRelease"


@dataclass(frozen=True, kw_only=True)
class ReleaseRequest:
    """A release that the user asks for.

    Attributes:
        name: the Component.
        image: by digest.
        environment: to bind it to; empty for the first of the project's pipeline.
        options: values that override the Component's.
        run: the WorkflowRun of `--from`; None without one.
        source: a local checkout of the source; None for its repository.
        committed: time of the commit, seconds since the epoch; None to look it up.
        with_project: True to add a ProjectReleaseBinding that the environment lacks.
        cache: the user cache.
        occ_version: of the cluster.
    """

    name: ComponentRef
    image: str
    environment: str = ""
    options: WorkflowOptions
    run: LocatedResource | None = None
    source: Path | None = None
    committed: int | None = None
    with_project: bool = False
    cache: Path
    occ_version: str


@dataclass(frozen=True, kw_only=True)
class ComponentRelease:
    """A release as it stands in the repository, or is to stand there.

    Attributes:
        name: the Component.
        release: name of the ComponentRelease.
        binding: name of the ReleaseBinding.
        environment: that it is bound to.
        image: by digest.
        commit: SHA of the source.
        repository_url: of the source.
        build: how the image was built, for people.
    """

    name: ComponentRef
    release: str
    binding: str
    environment: str
    image: str
    commit: str
    repository_url: str
    build: str


async def release(
    request: ReleaseRequest, address: GitOpsAddress, target: DeliveryTarget
) -> Delivered[ComponentRelease]:
    """Release an image by pull request.

    Raises:
        UsageError: the image has no digest, or an option cannot be used.
        GitOpsError: a repository, a resource or the descriptor cannot be used, or a newer commit
            is open.
        GitHubError: GitHub refuses, or does not answer.
        ToolchainError: git, occ or Go is missing.
    """
    # 1. the image, before the first request
    check_image(request.image)
    # 2. occ, and the platform's resources, which no other push changes
    occ = await installed_occ(request.cache, request.occ_version)
    platform = await read_platform(address)
    work = _Release(
        request=request, address=address, occ=occ, platform=platform, sources=_Sources(request)
    )
    # 3. to 6. on the newest base; again if another push came first
    # 7. commit, push and pull request
    prefix = f"release/{request.name.component}-"
    return await deliver(target, work.key, prefix, work.propose)


@dataclass(frozen=True, kw_only=True)
class _Release:
    """A release with what it needs besides the newest base."""

    request: ReleaseRequest
    address: GitOpsAddress
    occ: Occ
    platform: GitOpsRepository | None
    sources: _Sources

    def key(self, repository: GitOpsRepository) -> str:
        """Return the key of the delivery: component and environment."""
        name = self.request.name
        pipeline = self._namespace(repository).pipeline(name.project)
        environment = pipeline.environment(self.request.environment or pipeline.root)
        return f"release {name.namespace}/{name} {environment}"

    async def propose(self, repository: GitOpsRepository) -> Proposal[ComponentRelease]:
        """Return the changes of the newest base, or of a branch on it."""
        request, name = self.request, self.request.name
        # 3. the parameters: of options, the WorkflowRun, the Component in the newest commit
        namespace = self._namespace(repository)
        parameters = build_parameters(
            name, options=request.options, run=request.run, namespace=namespace
        )
        # 4. the source's commit, and the descriptor in it
        commit, descriptor = await self.sources.read(parameters)
        # 5. the manifests, written by occ
        wanted = ManifestRequest(
            project=name.project,
            component=name.component,
            image=request.image,
            release_name=f"{name.component}-{commit.sha[:SHORT_COMMIT]}",
            environment=request.environment,
            descriptor=descriptor,
        )
        made = await release_changes(
            repository, self.address.namespace, wanted, self.occ, platform=self.platform
        )
        # 6. gaps of the environment
        gaps = check_environment(
            namespace,
            Definitions(self.occ.crds, self.occ.version),
            name.project,
            made.environment,
            releases=(bound_release(namespace, made.changes, name, made.release),),
            with_project=request.with_project,
        )
        return _proposal(request, parameters, commit, made, gaps)

    def _namespace(self, repository: GitOpsRepository) -> Namespace:
        return namespace_of(repository, self.address.namespace, self.platform)


def check_image(image: str) -> None:
    """Check that an image is named by its digest.

    Raises:
        UsageError: it is not.
    """
    if not read_reference(image).digest:
        raise UsageError(
            f"{quoted(image)} has no digest: its tag may name another image by the time it runs",
            hint="name the image by digest: NAME@sha256:…, as the build or "
            "`docker buildx imagetools inspect` shows it",
        )


class _Sources:
    """The source of a request, read once for the same parameters."""

    def __init__(self, request: ReleaseRequest) -> None:
        self._request = request
        self._known: tuple[BuildParameters, tuple[SourceCommit, Descriptor | None]] | None = None

    async def read(self, parameters: BuildParameters) -> tuple[SourceCommit, Descriptor | None]:
        """Return the commit, and the descriptor in it; None without one."""
        if self._known is None or self._known[0] != parameters:
            commit = await self._commit(parameters)
            self._known = parameters, (commit, await self._descriptor(parameters, commit))
        return self._known[1]

    async def _commit(self, parameters: BuildParameters) -> SourceCommit:
        request, commit = self._request, parameters.commit
        if request.committed is not None:
            if not FULL_SHA.match(commit):
                raise UsageError(
                    "--commit-time is the time of a commit that is not named",
                    hint="give its full SHA: --commit",
                )
            return SourceCommit(sha=commit, committed=request.committed, folder=request.source)
        return await source_commit(parameters, request.source, request.cache)

    async def _descriptor(
        self, parameters: BuildParameters, commit: SourceCommit
    ) -> Descriptor | None:
        with tempfile.TemporaryDirectory(prefix="ocelot-source-") as name:
            folder = Path(name) / "source"
            await checkout(parameters.repository_url, commit, folder)
            return read_descriptor(
                folder,
                parameters.app_path,
                parameters.descriptor,
                required=parameters.descriptor_is_given,
            )


def bound_release(
    namespace: Namespace, changes: Sequence[Change], name: ComponentRef, release: str
) -> Resource:
    """Return a ComponentRelease: a new one of the changes, else that of the repository.

    Raises:
        GitOpsError: there is none.
    """
    for each in changes:
        for found in read_resources(each.path, each.after or b""):
            if isinstance(found, Resource) and (found.kind, found.name) == (_RELEASE, release):
                return found
    return namespace.release(name.project, name.component, release)


def _proposal(
    request: ReleaseRequest,
    parameters: BuildParameters,
    commit: SourceCommit,
    made: ReleaseChanges,
    gaps: EnvironmentCheck,
) -> Proposal[ComponentRelease]:
    """Return the changes with the texts of commit and pull request."""
    component = request.name.component
    result = ComponentRelease(
        name=request.name,
        release=made.release,
        binding=made.binding,
        environment=made.environment,
        image=request.image,
        commit=commit.sha,
        repository_url=parameters.repository_url,
        build=build_method(parameters),
    )
    facts = (
        ("Project", request.name.project),
        ("Component", component),
        ("Image", request.image),
        ("Revision", commit.sha),
        ("Source", parameters.repository_url),
        ("Build", result.build),
        ("Release", made.release),
        ("Environment", made.environment),
    )
    return Proposal(
        changes=(*made.changes, *gaps.changes),
        texts=DeliveryTexts(
            subject=f"Release {component} ({commit.sha[:SHORT_COMMIT]})", facts=facts
        ),
        result=result,
        source=ReleasedCommit(sha=commit.sha, time=commit.committed),
        warnings=(*made.warnings, *gaps.warnings),
    )


def build_method(parameters: BuildParameters) -> str:
    """Return how an image is built, for people."""
    if isinstance(parameters.build, DockerBuild):
        return "Docker"
    if isinstance(parameters.build, BuildpacksBuild):
        return "Google Cloud Buildpacks"
    return f"React (Node.js {parameters.build.node_version})"
