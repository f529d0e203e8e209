"""Deployment pipelines: the environments of a project, and from which one a release comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from pipeline.config.entries import suggestion
from pipeline.errors import GitOpsError, UsageError, quoted
from pipeline.gitops.repository import Resource


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A DeploymentPipeline.

    Attributes:
        resource: in the repository.
        environments: names, the root first, each after those from which releases come to it.
        sources: names of the environments from which releases are promoted to an environment.
    """

    resource: Resource = field(repr=False)
    environments: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """The DeploymentPipeline's name."""
        return self.resource.name

    @property
    def root(self) -> str:
        """The environment in which a release is deployed first."""
        return self.environments[0]

    def environment(self, name: str) -> str:
        """Return the name of an environment of this pipeline.

        Raises:
            UsageError: it is none.
        """
        if name in self.environments:
            return name
        near = suggestion(name, self.environments)
        raise UsageError(
            f"pipeline {self.name!r} has no environment {quoted(name)}{near}",
            hint=f"{self.resource.place} has: {', '.join(self.environments)}",
        )

    def previous(self, environment: str) -> str:
        """Return the environment from which releases are promoted to another; empty for the root.

        Raises:
            UsageError: the pipeline does not have the environment.
            GitOpsError: releases come from several environments.
        """
        source, *others = self.sources[self.environment(environment)] or ("",)
        if others:
            raise GitOpsError(
                f"releases come to {environment!r} from several environments: "
                f"{', '.join((source, *others))} ({self.resource.place})",
                hint="name the release: ocelot gitops deploy PROJECT/COMPONENT "
                f"--environment {environment} --release NAME",
            )
        return source


def deployment_pipeline(resource: Resource) -> Pipeline:
    """Return the pipeline of a DeploymentPipeline.

    Its root is the first environment that is a source and never a target, as for OpenChoreo.
    Environments that no path from there reaches do not belong to it.

    Raises:
        GitOpsError: it has no paths, no root, or two lists of targets for one source.
    """
    targets: dict[str, tuple[str, ...]] = {}
    for source, found in _paths(resource):
        if source in targets:
            raise _broken(
                resource,
                f"has two promotion paths from {quoted(source)}, of which occ reads only the last",
                "name all targets in one path",
            )
        targets[source] = found
    if not targets:
        raise _broken(resource, "has no promotion paths", "add spec.promotionPaths")
    reached = {each for found in targets.values() for each in found}
    root = next((source for source in targets if source not in reached), "")
    if not root:
        raise _broken(
            resource,
            "has no first environment: releases come to each of them from another",
            "remove the promotion path that leads back",
        )
    order = _order(root, targets)
    return Pipeline(
        resource=resource,
        environments=order,
        sources={
            each: tuple(source for source in order if each in targets.get(source, ()))
            for each in order
        },
    )


def _paths(resource: Resource) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield source and targets of each promotion path; the source may be text, an older form."""
    paths = resource.value("spec", "promotionPaths")
    for path in cast("list[Any]", paths) if isinstance(paths, list) else []:
        if isinstance(path, dict):
            keys = cast("dict[str, Any]", path)
            targets = keys.get("targetEnvironmentRefs")
            listed = cast("list[Any]", targets) if isinstance(targets, list) else []
            named = [_name(each) for each in listed]
            if source := _name(keys.get("sourceEnvironmentRef")):
                yield source, tuple(dict.fromkeys(each for each in named if each))


def _name(reference: Any) -> str:  # noqa: ANN401  YAML holds anything
    """Return the name in a reference, or a reference that is the name itself; else empty."""
    if isinstance(reference, dict):
        reference = cast("dict[str, Any]", reference).get("name")
    return reference if isinstance(reference, str) else ""


def _order(root: str, targets: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return all environments that paths from the root reach, each after all of its sources."""
    done: list[str] = []
    entered: set[str] = set()

    def enter(environment: str) -> None:
        entered.add(environment)
        for each in reversed(targets.get(environment, ())):
            if each not in entered:
                enter(each)
        done.append(environment)

    enter(root)
    return tuple(reversed(done))


def _broken(resource: Resource, reason: str, hint: str) -> GitOpsError:
    return GitOpsError(f"{resource.place}: pipeline {resource.name!r} {reason}", hint=hint)
