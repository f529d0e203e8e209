"""The Components that a push to a source repository touches, as OpenChoreo's auto build finds them.

OpenChoreo's own auto build leaves out workflows without marks in their schema, such as the samples'
GitOps workflows; this one takes those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import OcelotError, UsageError
from pipeline.gitops.namespace import Namespace
from pipeline.gitops.parameters import (
    BuildParameters,
    ComponentRef,
    DockerBuild,
    build_parameters,
    component_ref,
)
from pipeline.gitops.urls import repository_key
from pipeline.gitops_options import WorkflowOptions

# https://docs.github.com/en/actions/reference/limits: jobs that a matrix makes in a workflow run
LARGEST_MATRIX = 256

_NO_COMMIT = re.compile(r"0{40}|0{64}")


@dataclass(frozen=True, kw_only=True)
class Push:
    """A push to a branch of a source repository.

    Attributes:
        url: of the repository.
        branch: its name.
        commit: SHA of its newest commit; empty if the push has deleted the branch.
        paths: of the files that were changed; None if that is not known.
    """

    url: str
    branch: str
    commit: str
    paths: tuple[str, ...] | None = field(repr=False)

    @cached_property
    def touched(self) -> Mapping[str, str]:
        """The changed files and the folders above them, each with the first such file."""
        found: dict[str, str] = {}
        for path in self.paths or ():
            found.setdefault(path, path)
            for folder in PurePosixPath(path).parents:
                found.setdefault(str(folder), path)
        return found


@dataclass(frozen=True, kw_only=True)
class ChangedComponent:
    """A Component to release.

    Attributes:
        name: the Component.
        workflow: that builds it.
        commit: full SHA.
        reason: the path that was changed; empty if all Components of the repository are released.
    """

    name: ComponentRef
    workflow: str
    commit: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ChangedComponents:
    """The Components of a push.

    Attributes:
        push: the push.
        components: those to release, by project and name.
        unusable: Components with `autoBuild: true` whose parameters cannot be used, each with the
            reason.
    """

    push: Push
    components: tuple[ChangedComponent, ...]
    unusable: tuple[tuple[str, str], ...] = ()

    def matrix(self) -> dict[str, Any]:
        """Return the matrix of a job in GitHub Actions, with an entry for each Component."""
        return {
            "include": [
                {
                    "component": str(each.name),
                    "namespace": each.name.namespace,
                    "workflow": each.workflow,
                    "commit": each.commit,
                }
                for each in self.components
            ]
        }

    def outputs(self) -> dict[str, str]:
        """Return the outputs of a step in GitHub Actions: `matrix` and `count`.

        Raises:
            UsageError: GitHub would not run a matrix of so many jobs.
        """
        count = len(self.components)
        if count > LARGEST_MATRIX:
            raise UsageError(
                f"the push touches {count} Components; GitHub runs a matrix of {LARGEST_MATRIX} "
                "jobs at most, so none is released",
                hint="release one project at a time: --project NAME",
            )
        return {"matrix": json.dumps(self.matrix()), "count": str(count)}


def is_no_commit(revision: str) -> bool:
    """Return True for the zeros by which git and GitHub say that there is no commit."""
    return _NO_COMMIT.fullmatch(revision) is not None


def changed_components(
    namespace: Namespace, push: Push, projects: Iterable[str] = ()
) -> ChangedComponents:
    """Return the Components with `autoBuild: true` that a push touches.

    Args:
        namespace: of the GitOps repository.
        push: the push.
        projects: the Projects whose Components count; none for all.
    """
    found: list[ChangedComponent] = []
    unusable: list[tuple[str, str]] = []
    wanted = set(projects)
    for resource in namespace.of_kind("Component") if push.commit else ():
        project = resource.owner[0]
        if resource.value("spec", "autoBuild") is not True or (wanted and project not in wanted):
            continue
        try:
            name = component_ref(f"{project}/{resource.name}", namespace.name)
            parameters = build_parameters(name, options=WorkflowOptions(), namespace=namespace)
        except OcelotError as error:
            reason = "; ".join((str(error), *error.details))
            unusable.append((f"{project}/{resource.name}", reason))
            continue
        reason = _reason(parameters, push)
        if reason is not None:
            found.append(
                ChangedComponent(
                    name=name, workflow=parameters.workflow, commit=push.commit, reason=reason
                )
            )
    found.sort(key=lambda each: str(each.name))
    return ChangedComponents(push=push, components=tuple(found), unusable=tuple(unusable))


def _reason(parameters: BuildParameters, push: Push) -> str | None:
    """Return the path for which a Component is released; None if it is not."""
    if parameters.branch != push.branch:
        return None
    if repository_key(parameters.repository_url) != repository_key(push.url):
        return None
    if push.paths is None:
        return ""
    return next((push.touched[at] for at in _watched(parameters) if at in push.touched), None)


def _watched(parameters: BuildParameters) -> Iterator[str]:
    """Yield the files and folders of which an image and its descriptor are made."""
    yield parameters.app_path
    yield f"{parameters.app_path}/{parameters.descriptor}".removeprefix("./")
    if isinstance(parameters.build, DockerBuild):
        yield parameters.build.context
        yield parameters.build.dockerfile
        yield f"{parameters.build.dockerfile}.dockerignore"
