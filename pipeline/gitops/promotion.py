"""The plan of a promotion: which components get which release in an environment.

A release comes to an environment from the one before it in the pipeline. Its first environment gets
the release that equals the component's current state, which only `occ` can determine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.errors import GitOpsError, UsageError, quoted
from pipeline.gitops.namespace import Namespace
from pipeline.gitops.occ_choice import CurrentReleases
from pipeline.gitops.occ_steps import BindingRequest
from pipeline.gitops.parameters import PromoteParameters
from pipeline.gitops.pipelines import Pipeline
from pipeline.gitops.repository import Resource

Name = tuple[str, str]  # of project and component


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A component, or all of a project, that is not promoted.

    Attributes:
        component: its name; empty for all of the project.
        reason: for people.
    """

    project: str
    component: str = ""
    reason: str

    def __str__(self) -> str:
        name = f"{self.project}/{self.component}" if self.component else f"project {self.project}"
        return f"{name}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class PromotionScope:
    """The components that are promoted, and from where.

    Attributes:
        pipeline: of the environment.
        environment: to promote to.
        previous: the environment from which releases come; empty for the pipeline's first one.
        names: of projects and components, in order.
        other_projects: those that use another pipeline.
    """

    pipeline: Pipeline
    environment: str
    previous: str
    names: tuple[Name, ...] = field(repr=False)
    other_projects: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A component's release in the environment.

    Attributes:
        before: name of the release that is bound there; empty for none.
        after: name of the release to bind.
        undeployed: True if its binding has the state Undeploy: the release will not run there.
    """

    project: str
    component: str
    before: str
    after: str
    undeployed: bool = False

    def __str__(self) -> str:
        return f"{self.project}/{self.component}"

    def request(self, environment: str) -> BindingRequest:
        """Return the request to bind the release."""
        name = {"project": self.project, "component": self.component}
        return BindingRequest(**name, environment=environment, release=self.after)


@dataclass(frozen=True, kw_only=True)
class PromotionPlan:
    """The releases to bind to an environment.

    Attributes:
        pipeline: its name.
        environment: to promote to.
        previous: the environment from which releases come; empty for the pipeline's first one.
        promotions: the releases to bind.
        unchanged: those that are bound already.
        missing: components without a release to promote.
        other_projects: projects that use another pipeline.
    """

    pipeline: str
    environment: str
    previous: str
    promotions: tuple[Promotion, ...]
    unchanged: tuple[Promotion, ...]
    missing: tuple[LeftOut, ...]
    other_projects: tuple[LeftOut, ...]

    @property
    def requests(self) -> tuple[BindingRequest, ...]:
        """The bindings to write."""
        return tuple(each.request(self.environment) for each in self.promotions)

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects of components that have a release in the environment, or get one."""
        releases = (*self.promotions, *self.unchanged)
        return tuple(dict.fromkeys(each.project for each in releases))

    def check_missing(self) -> None:
        """Check that each component has a release to promote.

        Raises:
            GitOpsError: with every one that has none.
        """
        if self.missing:
            count = len(self.missing)
            raise GitOpsError(
                f"{count} component{'s have' if count > 1 else ' has'} no release to promote to "
                f"{self.environment}",
                hint="release them first, or leave them out: --skip-missing",
                details=tuple(str(each) for each in self.missing),
            )


def promotion_scope(namespace: Namespace, parameters: PromoteParameters) -> PromotionScope:
    """Return the components of a project, or of all projects that use the pipeline.

    Args:
        namespace: of the components.
        parameters: the user's.

    Raises:
        GitOpsError: a project or pipeline is missing, or releases come from several environments.
        UsageError: the pipeline lacks the environment, is not the project's, or is not named.
    """
    chosen = [namespace.project(parameters.project)] if parameters.project else []
    projects = chosen or sorted(namespace.of_kind("Project"), key=lambda each: each.name)
    pipelines = {each.name: _pipeline_name(each) for each in projects}
    if chosen and not parameters.pipeline:
        pipeline = namespace.pipeline(parameters.project)
    else:
        name = parameters.pipeline or _only_pipeline(pipelines.values())
        pipeline = namespace.pipeline_named(name)
    others = tuple(
        LeftOut(project=project, reason=f"it uses pipeline {used}" if used else "has no pipeline")
        for project, used in pipelines.items()
        if used != pipeline.name
    )
    if chosen and others:
        raise UsageError(
            f"project {parameters.project!r} does not use pipeline {pipeline.name!r}: "
            f"{others[0].reason} ({chosen[0].place})",
            hint="leave --pipeline out",
        )
    left_out = {each.project for each in others}
    return PromotionScope(
        pipeline=pipeline,
        environment=pipeline.environment(parameters.environment),
        previous=pipeline.previous(parameters.environment),
        names=tuple(
            (project, component)
            for project in pipelines
            if project not in left_out
            for component in sorted(each.name for each in namespace.components(project))
        ),
        other_projects=others,
    )


def _pipeline_name(project: Resource) -> str:
    return project.text("spec", "deploymentPipelineRef", "name")


def _only_pipeline(names: Iterable[str]) -> str:
    """Return the one pipeline that all projects use.

    Raises:
        UsageError: they use several, or none.
    """
    used = sorted({each for each in names if each})
    if len(used) != 1:
        listed = ", ".join(used) or "none"
        raise UsageError(
            f"the projects use several pipelines: {listed}"
            if used
            else "no project has a pipeline",
            hint="name the one whose projects are promoted: --pipeline NAME",
        )
    return used[0]


def previous_releases(namespace: Namespace, scope: PromotionScope) -> CurrentReleases:
    """Return the release of each component in the environment before.

    Raises:
        GitOpsError: a component has two bindings there.
    """
    releases: dict[Name, str] = {}
    missing: dict[Name, str] = {}
    for name in scope.names:
        binding = namespace.read_binding(*name, scope.previous)
        release = binding.text("spec", "releaseName") if binding else ""
        if binding is None:
            missing[name] = f"it has no ReleaseBinding in {scope.previous}"
        elif not release:
            missing[name] = f"{binding.place} names no release"
        elif release not in {each.name for each in namespace.releases(*name)}:
            missing[name] = f"{binding.place} names release {quoted(release)}, which is not there"
        else:
            releases[name] = release
    return CurrentReleases(releases=releases, missing=missing)


def promotion_plan(
    namespace: Namespace, scope: PromotionScope, current: CurrentReleases
) -> PromotionPlan:
    """Return the releases to bind, those bound already, and the components without one.

    Args:
        namespace: of the components.
        scope: the components.
        current: the release that belongs into the environment, for each of them.

    Raises:
        GitOpsError: with every component whose ReleaseBinding there cannot be written.
    """
    found: list[Promotion] = []
    broken: list[str] = []
    for project, component in (name for name in scope.names if name in current.releases):
        try:
            bound = namespace.binding(project, component, scope.environment)
        except GitOpsError as error:
            broken.append(str(error))
            continue
        promotion = Promotion(
            project=project,
            component=component,
            before=bound.text("spec", "releaseName") if bound else "",
            after=current.releases[project, component],
            undeployed=bound is not None and bound.text("spec", "state") == "Undeploy",
        )
        found.append(promotion)
    if broken:
        raise GitOpsError(
            f"releases cannot be bound to {scope.environment}",
            hint="fix these files in the GitOps repository, and push them",
            details=tuple(broken),
        )
    return PromotionPlan(
        pipeline=scope.pipeline.name,
        environment=scope.environment,
        previous=scope.previous,
        promotions=tuple(each for each in found if each.before != each.after),
        unchanged=tuple(each for each in found if each.before == each.after),
        missing=tuple(
            LeftOut(project=name[0], component=name[1], reason=current.missing[name])
            for name in scope.names
            if name not in current.releases
        ),
        other_projects=scope.other_projects,
    )
