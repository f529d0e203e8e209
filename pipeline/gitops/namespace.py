"""One namespace of a GitOps repository: the resources that OpenChoreo applies there.

A file without a namespace counts to the namespace that the user names, since the tool that applies
it may set one (Flux's `targetNamespace`). Cluster-scoped resources count to every namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from pipeline.config.entries import suggestion
from pipeline.errors import GitOpsError, Problem, quoted
from pipeline.gitops.pipelines import Pipeline, deployment_pipeline
from pipeline.gitops.repository import (
    API_VERSION,
    SUFFIXES,
    GitOpsRepository,
    Resource,
    broken_files,
)

# Kinds that stand in the folders of projects and components, where releases are written.
_WRITTEN = ("Workload", "ComponentRelease", "ReleaseBinding")
_IN_PROJECTS = ("Project", "Component", *_WRITTEN)


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """The resources of one namespace, and those of the cluster.

    Attributes:
        name: the namespace's.
        repository: the GitOps repository.
        resources: of the namespace and the cluster, those of a platform repository last.
    """

    name: str
    repository: GitOpsRepository = field(repr=False)
    resources: tuple[Resource, ...] = field(repr=False)

    def of_kind(self, kind: str) -> tuple[Resource, ...]:
        """Return the resources of a kind, by path."""
        return tuple(self._by_name.get(kind, {}).values())

    def find(self, kind: str, name: str) -> Resource | None:
        """Return the resource of a kind and name; None where there is none."""
        return self._by_name.get(kind, {}).get(name)

    @cached_property
    def _by_name(self) -> Mapping[str, Mapping[str, Resource]]:
        found: dict[str, dict[str, Resource]] = {}
        for each in self.resources:
            found.setdefault(each.kind, {})[each.name] = each
        return found

    @cached_property
    def _by_owner(self) -> Mapping[tuple[str, str, str], tuple[Resource, ...]]:
        """Resources by kind, project and component."""
        found: dict[tuple[str, str, str], list[Resource]] = {}
        for each in self.resources:
            if each.kind in _WRITTEN:
                found.setdefault((each.kind, *each.owner), []).append(each)
        return {owner: tuple(each) for owner, each in found.items()}

    def project(self, name: str) -> Resource:
        """Return a Project.

        Raises:
            GitOpsError: there is none of this name; the nearest one is suggested.
        """
        return self._named("Project", name)

    def component(self, project: str, name: str) -> Resource:
        """Return a Component of a project.

        Raises:
            GitOpsError: there is no such project, or no such component in it.
        """
        owner = self.project(project)
        found = self.find("Component", name)
        if found is not None and found.owner[0] == project:
            return found
        if found is not None:
            raise GitOpsError(
                f"component {name!r} belongs to project {quoted(found.owner[0])}, "
                f"not to {project!r} ({found.place})",
                hint=f"use {found.owner[0]}/{name}",
            )
        names = [each.name for each in self.components(project)]
        raise self._missing("Component", name, names, f" in project {project!r} ({owner.place})")

    def components(self, project: str) -> tuple[Resource, ...]:
        """Return the Components of a project, by path."""
        return tuple(each for each in self.of_kind("Component") if each.owner[0] == project)

    def pipeline(self, project: str) -> Pipeline:
        """Return the pipeline of a project.

        Raises:
            GitOpsError: project or pipeline are missing, or not as occ reads them.
        """
        owner = self.project(project)
        name = owner.text("spec", "deploymentPipelineRef", "name")
        if not name:
            raise GitOpsError(
                f"{owner.place}: project {project!r} has no spec.deploymentPipelineRef.name",
                hint="name its DeploymentPipeline there, as deploymentPipelineRef: {name: …}",
            )
        return self.pipeline_named(name, f" for project {project!r} ({owner.place})")

    def pipeline_named(self, name: str, purpose: str = "") -> Pipeline:
        """Return a pipeline by its name.

        Args:
            name: the DeploymentPipeline's.
            purpose: for the error: which resource names it, and where.

        Raises:
            GitOpsError: it is missing, or not as occ reads it.
        """
        return deployment_pipeline(self._named("DeploymentPipeline", name, purpose))

    def workload(self, project: str, component: str) -> Resource | None:
        """Return the Workload of a component, which may be rewritten; None before the first.

        Raises:
            GitOpsError: there are several, or other documents in its file.
        """
        return _writable(_only(self._by_owner.get(("Workload", project, component), ())))

    def releases(self, project: str, component: str) -> tuple[Resource, ...]:
        """Return the ComponentReleases of a component, by path."""
        return self._by_owner.get(("ComponentRelease", project, component), ())

    def release(self, project: str, component: str, name: str) -> Resource:
        """Return a ComponentRelease of a component by its name.

        Raises:
            GitOpsError: the component has no such release; the nearest one is suggested.
        """
        releases = {each.name: each for each in self.releases(project, component)}
        if name in releases:
            return releases[name]
        raise self._missing("ComponentRelease", name, releases, f" of {project}/{component}")

    def bindings(self, project: str, component: str) -> tuple[Resource, ...]:
        """Return the ReleaseBindings of a component in all environments, by path."""
        return self._by_owner.get(("ReleaseBinding", project, component), ())

    def binding(self, project: str, component: str, environment: str) -> Resource | None:
        """Return the ReleaseBinding of a component and environment, which may be rewritten.

        Returns:
            None where the component is not bound there.

        Raises:
            GitOpsError: there are several, or other documents in its file.
        """
        return _writable(self.read_binding(project, component, environment))

    def read_binding(self, project: str, component: str, environment: str) -> Resource | None:
        """Return the ReleaseBinding of a component and environment, which is not written.

        Returns:
            None where the component is not bound there.

        Raises:
            GitOpsError: there are several.
        """
        return _only(
            each
            for each in self.bindings(project, component)
            if each.text("spec", "environment") == environment
        )

    def component_type(self, component: Resource) -> Resource:
        """Return the ComponentType or ClusterComponentType of a Component.

        Raises:
            GitOpsError: it is missing.
        """
        kind = component.text("spec", "componentType", "kind") or "ComponentType"
        name = component.text("spec", "componentType", "name").rpartition("/")[2]
        return self._named(kind, name, f" for component {component.name!r} ({component.place})")

    def workflow(self, component: Resource) -> Resource | None:
        """Return the Workflow or ClusterWorkflow that builds a Component; None without one here."""
        kind = component.text("spec", "workflow", "kind") or "ClusterWorkflow"
        return self.find(kind, component.text("spec", "workflow", "name"))

    def project_binding(self, project: str, environment: str) -> Resource | None:
        """Return the ProjectReleaseBinding of a project and environment; None without one."""
        for each in self.of_kind("ProjectReleaseBinding"):
            if (each.owner[0], each.text("spec", "environment")) == (project, environment):
                return each
        return None

    def _named(self, kind: str, name: str, purpose: str = "") -> Resource:
        found = self.find(kind, name)
        if found is None:
            raise self._missing(kind, name, [each.name for each in self.of_kind(kind)], purpose)
        return found

    def _missing(
        self, kind: str, name: str, known: Iterable[str], purpose: str = ""
    ) -> GitOpsError:
        """Return the error for a missing resource: the nearest name, or where it stands."""
        known = list(known)
        elsewhere = [
            each for each in self.repository.of_kind(kind) if each.name == name and each.namespace
        ]
        if elsewhere and elsewhere[0].namespace != self.name:
            hint = f"use --namespace {elsewhere[0].namespace}: {elsewhere[0].place}"
        elif known:
            hint = f"there are: {', '.join(sorted(known)[:20])}"
        else:
            hint = f"add it to the repository; it has no {kind} there"
        return GitOpsError(
            f"there is no {kind} {quoted(name)}{purpose} in namespace {self.name!r}"
            f"{suggestion(name, known)}",
            hint=hint,
        )


def _only(found: Iterable[Resource]) -> Resource | None:
    """Return the one resource of some, if there is one.

    Raises:
        GitOpsError: there are several.
    """
    several = list(found)
    if len(several) > 1:
        places = ", ".join(each.place for each in several)
        raise GitOpsError(
            f"there are {len(several)} {several[0].kind}s where occ takes any one: {places}",
            hint="keep one of them",
        )
    return several[0] if several else None


def _writable(resource: Resource | None) -> Resource | None:
    """Return a resource whose file may be rewritten.

    Raises:
        GitOpsError: the file has other documents.
    """
    if resource is not None and not resource.alone:
        raise GitOpsError(
            f"{resource.place}: {resource.kind} {resource.name!r} shares its file with other "
            "documents, which occ would remove",
            hint="give it a file of its own",
        )
    return resource


def namespace_of(
    repository: GitOpsRepository, name: str, platform: GitOpsRepository | None = None
) -> Namespace:
    """Return the resources of one namespace.

    Args:
        repository: the GitOps repository.
        name: the namespace's.
        platform: the repository of the platform's resources, if that is another one. Workloads,
            releases and bindings in it do not count.

    Raises:
        GitOpsError: with every pair of resources of the same kind and name, every resource of
            another version of the API, and every symbolic link beside projects and components.
    """
    resources = [each for each in repository.resources if _belongs(each, name)]
    if platform is not None:
        resources += [
            each
            for each in platform.resources
            if _belongs(each, name) and each.kind not in _WRITTEN
        ]
    problems = [*_version_problems(resources), *_doubled(resources), *_links(repository, resources)]
    if problems:
        raise broken_files(problems)
    return Namespace(name=name, repository=repository, resources=tuple(resources))


def is_cluster_scoped(kind: str) -> bool:
    """Return True for a kind of OpenChoreo's whose resources belong to no namespace."""
    return kind.startswith("Cluster")


def _belongs(resource: Resource, namespace: str) -> bool:
    return is_cluster_scoped(resource.kind) or resource.namespace in ("", namespace)


def _version_problems(resources: Iterable[Resource]) -> Iterator[Problem]:
    for each in resources:
        version = each.text("apiVersion")
        if version != API_VERSION and each.kind in _IN_PROJECTS:
            yield each.problem(f"apiVersion {quoted(version)}: occ reads {API_VERSION} only")


def _doubled(resources: Iterable[Resource]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Resource] = {}
    for each in resources:
        other = first.setdefault((each.kind, each.name), each)
        if other is not each:
            note = "" if each.namespace and other.namespace else "; give both a metadata.namespace"
            yield each.problem(
                f"{each.kind} {quoted(each.name)} stands already in {other.place}{note}"
            )


def _links(repository: GitOpsRepository, resources: Iterable[Resource]) -> Iterator[Problem]:
    """Yield a problem for each link to a YAML file or folder beside or below what is written."""
    folders = {each.folder for each in resources if each.kind in _IN_PROJECTS and not each.origin}
    for link in repository.links:
        path = PurePosixPath(link)
        above = {str(each) for each in path.parents}
        if path.suffix in ("", *SUFFIXES) and above & folders:
            message = "is a symbolic link, which occ would follow out of its folder"
            yield Problem(file=link, line=0, message=message)
