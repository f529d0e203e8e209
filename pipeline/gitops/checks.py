"""Checks of a project and environment before a release is bound there.

OpenChoreo accepts the manifests of a release also where it cannot deploy it: since v1.2 a component
runs only where its project has a ProjectReleaseBinding, and a database or the like (a Resource) has
a binding of its own for each environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from pipeline.errors import GitOpsError
from pipeline.gitops.changes import Change
from pipeline.gitops.crds import Definitions
from pipeline.gitops.namespace import Namespace
from pipeline.gitops.repository import API_VERSION, GROUP, Resource

PROJECT_BINDING = "ProjectReleaseBinding"
# Folder of a project's first binding, below that of the project.
_FOLDER = "release-bindings"


@dataclass(frozen=True, kw_only=True)
class EnvironmentCheck:
    """Gaps of a project in an environment.

    Attributes:
        warnings: for people, a sentence each.
        changes: the file of the ProjectReleaseBinding, if it is to be added.
    """

    warnings: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


def check_environment(
    namespace: Namespace,
    definitions: Definitions,
    project: str,
    environment: str,
    *,
    releases: Iterable[Resource] | None = None,
    with_project: bool = False,
) -> EnvironmentCheck:
    """Return the gaps for which OpenChoreo deploys nothing of a project to an environment.

    Args:
        namespace: of the project.
        definitions: of OpenChoreo's kinds in the cluster's version.
        project: its name.
        environment: its name.
        releases: ComponentReleases that are bound there; only Resources that they use are checked.
            None for all Resources of the project.
        with_project: True to add a missing ProjectReleaseBinding.

    Raises:
        GitOpsError: the project is of an older shape than the cluster's version.
    """
    found = namespace.project(project)
    spec = definitions.spec("Project") or {}
    if "type" in spec.get("required", ()) and found.value("spec", "type") is None:
        raise GitOpsError(
            f"{found.place}: project {project!r} has no spec.type, "
            f"which OpenChoreo {definitions.version} requires",
            hint="add spec.type to it, such as {kind: ClusterProjectType, name: default}; or set "
            "occ-version in config/gitops.yaml, if the cluster is older",
        )
    warnings = tuple(_resource_warnings(namespace, project, environment, releases))
    is_needed = definitions.spec(PROJECT_BINDING) is not None
    if not is_needed or namespace.project_binding(project, environment):
        return EnvironmentCheck(warnings=warnings)
    change = _project_binding(namespace, found, environment)
    if with_project:
        return EnvironmentCheck(warnings=warnings, changes=(change,))
    missing = (
        f"project {project} has no {PROJECT_BINDING} for {environment}, and OpenChoreo deploys "
        f"nothing of it there: add {change.path} by --with-project"
    )
    return EnvironmentCheck(warnings=(missing, *warnings))


def _project_binding(namespace: Namespace, project: Resource, environment: str) -> Change:
    """Return the file of a binding without a release: OpenChoreo takes the newest one then."""
    others = [each for each in namespace.of_kind(PROJECT_BINDING) if not each.origin]
    own = [each.folder for each in others if each.owner[0] == project.name]
    folder = own[0] if own else _below("" if project.origin else project.folder, _FOLDER)
    taken = {each.name for each in others}
    name = wanted = f"{project.name}-{environment}"
    number = 1
    while name in taken or _below(folder, f"{name}.yaml") in namespace.repository.files:
        number += 1
        name = f"{wanted}-{number}"
    lines = (
        f"apiVersion: {API_VERSION}",
        f"kind: {PROJECT_BINDING}",
        "metadata:",
        f"  name: {name}",
        *([f"  namespace: {namespace.name}"] if project.namespace else []),
        "  labels:",
        f"    {GROUP}/project: {project.name}",
        f"    {GROUP}/environment: {environment}",
        "spec:",
        "  owner:",
        f"    projectName: {project.name}",
        f"  environment: {environment}",
    )
    content = "".join(f"{line}\n" for line in lines).encode()
    return Change(path=_below(folder, f"{name}.yaml"), before=None, after=content)


def _below(folder: str, name: str) -> str:
    return name if folder in ("", ".") else f"{folder}/{name}"


def _resource_warnings(
    namespace: Namespace, project: str, environment: str, releases: Iterable[Resource] | None
) -> Iterator[str]:
    """Yield a warning for each Resource that a release uses and that is not bound there."""
    present = {each.name for each in namespace.of_kind("Resource") if each.owner[0] == project}
    bound = {
        each.text("spec", "owner", "resourceName")
        for each in namespace.of_kind("ResourceReleaseBinding")
        if (each.owner[0], each.text("spec", "environment")) == (project, environment)
    }
    users: dict[str, list[str]] = {name: [] for name in sorted(present) if releases is None}
    for release in releases or ():
        for name in used_resources(release):
            users.setdefault(name, []).append(release.owner[1])
    for name in sorted(users.keys() - bound):
        by = f", which {', '.join(users[name])} uses" if users[name] else ""
        if name in present:
            yield (
                f"resource {project}/{name}{by} has no ResourceReleaseBinding for {environment}: "
                "add one to the GitOps repository"
            )
        else:
            yield f"there is no resource {project}/{name}{by}: add it to the GitOps repository"


def used_resources(release: Resource) -> tuple[str, ...]:
    """Return the names of the Resources that a ComponentRelease's workload depends on."""
    listed = release.value("spec", "workload", "dependencies", "resources")
    items = cast("list[Any]", listed) if isinstance(listed, list) else []
    names = [cast("dict[str, Any]", each).get("ref") for each in items if isinstance(each, dict)]
    return tuple(dict.fromkeys(each for each in names if isinstance(each, str)))
