"""Releases that `occ` would bind to an environment if none is named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.gitops.changes import same_value
from pipeline.gitops.occ_copy import OccCopy, shown_resources
from pipeline.gitops.occ_steps import RELEASE
from pipeline.gitops.repository import Resource

# occ's lines on standard error for components that it leaves out.
_FAILED = re.compile(r"^Error generating binding for (\S+)/(\S+): (.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class CurrentReleases:
    """The releases that occ would bind to an environment.

    Attributes:
        releases: names by project and component.
        missing: the reason why there is none, by project and component.
    """

    releases: Mapping[tuple[str, str], str]
    missing: Mapping[tuple[str, str], str]


async def chosen_releases(
    copy: OccCopy, components: Sequence[tuple[str, str]], pipeline: str, environment: str
) -> CurrentReleases:
    """Return the releases that occ would bind, in one run of it.

    Args:
        copy: the namespace.
        components: names of project and component.
        pipeline: the DeploymentPipeline's name.
        environment: in a pipeline's first one, occ takes a release that is equal to the current
            state; in others, the one of the environment before.
    """
    target = ("--use-pipeline", pipeline, "--target-env", environment)
    shown, errors = await copy.run("releasebinding", "generate", "--all", *target, "--dry-run")
    chosen: dict[tuple[str, str], str] = {}
    for each in shown_resources(shown):
        if each.owner in components:
            chosen[each.owner] = _preferred(copy, each)
    reasons = {
        (project, component): _reason(project, component, reason)
        for project, component, reason in _FAILED.findall(errors)
    }
    missing = {each: reasons.get(each, "occ names none") for each in components}
    return CurrentReleases(
        releases=chosen, missing={each: missing[each] for each in components if each not in chosen}
    )


def _preferred(copy: OccCopy, binding: Resource) -> str:
    """Return the release of a binding, or the one of equal content that is bound already."""
    releases = copy.namespace.releases(*binding.owner)
    specs = {each.name: each.data.get("spec") for each in releases}
    name = binding.text(*RELEASE)
    equal = [each for each in specs if same_value(specs[each], specs.get(name))]
    bound = copy.namespace.binding(*binding.owner, binding.text("spec", "environment"))
    present = bound.text(*RELEASE) if bound else ""
    return present if present in equal else (equal or [name])[0]


def _reason(project: str, component: str, reason: str) -> str:
    """Return occ's reason why a component has no release to bind, with what to do."""
    command = f"ocelot gitops componentrelease --project {project} --component {component}"
    if "older occ version" in reason:
        return f"its release was made by an older occ: make it anew with `{command}`"
    if "no matching release" in reason or "no releases found" in reason:
        return f"no release is equal to its current state: make one with `{command}`"
    return reason
