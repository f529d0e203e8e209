"""The GitOps repository, and the platform's, read at one commit each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.build.git import GITOPS_VARIABLE
from pipeline.config.gitops import GitOps, Platform
from pipeline.errors import UsageError
from pipeline.gitops.git import cloned, snapshot_at
from pipeline.gitops.names import dns_label
from pipeline.gitops.namespace import Namespace, namespace_of
from pipeline.gitops.objects import Snapshot
from pipeline.gitops.remote import Remote, remote
from pipeline.gitops.repository import GitOpsRepository, read_repository
from pipeline.gitops_options import GitOpsOptions


@dataclass(frozen=True, kw_only=True)
class GitOpsAddress:
    """Where the resources of a namespace are.

    Attributes:
        origin: the GitOps repository.
        branch: to which pull requests go.
        namespace: OpenChoreo's.
        platform: the repository of the platform's resources; None if that is the same.
    """

    origin: Remote
    branch: str
    namespace: str
    platform: Platform | None = None


def gitops_address(
    options: GitOpsOptions,
    config: GitOps | None,
    environment: Mapping[str, str],
    token: str | None = None,
) -> GitOpsAddress:
    """Return the GitOps repository of the options, else of the configuration.

    Args:
        options: the user's.
        config: config/gitops.yaml; None without it.
        environment: the process's; it may have a token, and GITHUB_TOKEN is for GitHub alone.
        token: for the repository; None for that of the environment, if there is one.

    Raises:
        UsageError: no repository is named, or an option cannot be used.
    """
    given = options.repository or (config.repository if config else None)
    if given is None:
        raise UsageError(
            "no GitOps repository is named", hint="give --repository, or add config/gitops.yaml"
        )
    if token is None:
        token = _token(remote(given).host, environment)
    namespace = options.namespace or (config.namespace if config else "default")
    return GitOpsAddress(
        origin=remote(given, token),
        branch=options.branch or (config.branch if config else "main"),
        namespace=dns_label(namespace, "namespace"),
        platform=config.platform if config else None,
    )


def _token(host: str, environment: Mapping[str, str]) -> str:
    """Return the token of the environment for a host; empty for none."""
    if GITOPS_VARIABLE in environment:
        return environment[GITOPS_VARIABLE]
    github = urlsplit(environment.get("GITHUB_SERVER_URL", "https://github.com")).hostname
    return environment.get("GITHUB_TOKEN", "") if host == github else ""


async def read_namespace(address: GitOpsAddress) -> Namespace:
    """Return the resources of a namespace at the newest commit of the branch.

    Raises:
        GitOpsError: a repository cannot be read, or has files that cannot be used.
        UsageError: git could not have such a branch.
        ToolchainError: git is missing.
    """
    async with cloned(address.origin, address.branch) as clone:
        files = await clone.snapshot(clone.base)
    platform = await read_platform(address)
    return namespace_of(repository_at(files), address.namespace, platform)


async def read_platform(address: GitOpsAddress) -> GitOpsRepository | None:
    """Return the platform's repository; None if it is the GitOps repository itself.

    It is read with the GitOps repository's token if it is on the same host.
    """
    if address.platform is None:
        return None
    origin = remote(address.platform.url)
    if origin.host == address.origin.host:
        origin = remote(address.platform.url, address.origin.token)
    files = await snapshot_at(origin, address.platform.ref)
    return read_repository(files.files, files.links, origin=origin.given)


def repository_at(snapshot: Snapshot) -> GitOpsRepository:
    """Return the resources in the files of a commit."""
    return read_repository(snapshot.files, snapshot.links)
