"""Decide what to publish: a pure function from what was seen of a target to its frozen plan.

Publishing is reconciliation. For each zip and region there is one layer version that is the same
content; whatever is missing of it (the version, its permission, its row) is a step of the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.aws.layers import LayerVersion
from pipeline.publish.package import Package
from pipeline.registry.row import Row


class Step(StrEnum):
    """One thing to be done for a target."""

    PUBLISH = "publish"
    SHARE = "make public"
    UNSHARE = "make private"
    RECORD = "record"


# Region and name of the layer.
TargetKey = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A zip in a region."""

    region: str
    package: Package

    @property
    def key(self) -> TargetKey:
        """What tells it from others."""
        return (self.region, self.package.layer)

    def __str__(self) -> str:
        return f"{self.region} {self.package.architecture}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """What was seen of a target.

    Attributes:
        version: the one with the same content, which AWS confirmed; the oldest of several.
        row: the registry's row of it, None where there is none or no registry.
        blocked: why nothing can be done there; empty if something can.
        notes: what else is to be told, such as a description that lies.
    """

    version: LayerVersion | None = None
    row: Row | None = None
    blocked: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TargetPlan:
    """What is to be done for a target; nothing where it has neither steps nor a reason."""

    target: Target
    version: LayerVersion | None = None
    steps: tuple[Step, ...] = ()
    blocked: str = ""
    notes: tuple[str, ...] = ()

    @property
    def action(self) -> str:
        """In a few words."""
        if self.blocked:
            return "blocked"
        words = [str(step) for step in self.steps]
        return ", ".join(words if Step.PUBLISH in self.steps else ["reuse", *words])


def target_plan(
    target: Target, seen: Observed, *, public: bool | None, registry: bool
) -> TargetPlan:
    """Decide what to do for a target.

    Args:
        target: zip and region.
        seen: what there is of it.
        public: whether everybody is to use the layers; None to leave that as it is.
        registry: whether there is one to record them in.
    """
    if seen.blocked:
        return TargetPlan(target=target, blocked=seen.blocked, notes=seen.notes)
    version = seen.version
    steps: list[Step] = [] if version else [Step.PUBLISH]
    is_public = version is not None and version.public
    if public and not is_public:
        steps.append(Step.SHARE)
    if public is False and is_public:
        steps.append(Step.UNSHARE)
    will_be_public = is_public if public is None else public
    if registry and not (version and _recorded(seen.row, target, public=will_be_public)):
        steps.append(Step.RECORD)
    return TargetPlan(target=target, version=version, steps=tuple(steps), notes=seen.notes)


def _recorded(row: Row | None, target: Target, *, public: bool) -> bool:
    """Whether the registry's row says what is so, or will be."""
    return row is not None and row.code_sha256 == target.package.sha256 and row.public == public
