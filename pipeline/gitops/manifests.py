"""The files of a GitOps repository that a release or a promotion changes, written by `occ`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.gitops.descriptor import Descriptor
from pipeline.gitops.occ import Occ
from pipeline.gitops.repository import GitOpsRepository


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A file that is added, changed or removed.

    Attributes:
        path: from the repository's root.
        before: its content; None for a new file.
        after: its new content; None for a removed file.
    """

    path: str
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class BindingRequest:
    """A release that is to be bound to an environment."""

    project: str
    component: str
    environment: str
    release: str


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
    """
    raise NotImplementedError(repository, namespace, request, occ, platform)


async def binding_changes(
    repository: GitOpsRepository,
    namespace: str,
    requests: Sequence[BindingRequest],
    occ: Occ,
    *,
    platform: GitOpsRepository | None = None,
) -> tuple[Change, ...]:
    """Return the changes that bind releases to environments, by path.

    Args:
        repository: the GitOps repository at its newest commit.
        namespace: of the components.
        requests: one for each component and environment.
        occ: the program that writes the bindings.
        platform: a second repository with platform resources; it is only read.

    Raises:
        GitOpsError: a release or component is missing, or occ did not do what was asked.
    """
    raise NotImplementedError(repository, namespace, requests, occ, platform)
