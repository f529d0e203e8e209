"""Decide the steps for one target: a pure function from its observation to a frozen plan.

A target should have one layer version of its content, with the right permission, and its row in the
registry. Each of these that is missing is a step of the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline.aws.layers import LayerVersion
from pipeline.aws.policy import EVERYONE, NO_POLICY, LayerPolicy
from pipeline.parameters.plan import ParameterPlan
from pipeline.publish.package import LICENCE, Package
from pipeline.registry.row import Row, row_as_in_aws


class PublishStep(StrEnum):
    """One change to a target."""

    PUBLISH = "publish"
    MAKE_PUBLIC = "make public"
    MAKE_PRIVATE = "make private"
    SHARE = "share"
    RECORD = "record"
    PARAMETERS = "set parameters"


# Region and name of the layer.
TargetKey = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A zip in a region."""

    region: str
    package: Package

    @property
    def key(self) -> TargetKey:
        """Region and name of the layer, which no other target of the run has."""
        return (self.region, self.package.layer)

    def __str__(self) -> str:
        return f"{self.region} {self.package.architecture}"

    @property
    def full_name(self) -> str:
        """Region and name of the layer, in a text."""
        return " ".join(self.key)


def target_names(targets: Sequence[Target]) -> Iterator[str]:
    """Yield a short name for each target that no other one has."""
    names = Counter(map(str, targets))
    for each in targets:
        yield str(each) if names[str(each)] == 1 else each.full_name


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetObservation:
    """The state of a target in AWS.

    Attributes:
        version: the layer version of the same content, confirmed by AWS; the oldest of several.
        row: the registry's row of it; None for none, or without a registry.
        blocked: error because of which nothing can be done; empty if there is none.
        notes: for the user, such as a description that names another content.
    """

    version: LayerVersion | None = None
    row: Row | None = None
    blocked: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TargetPlan:
    """The steps for a target.

    Attributes:
        version: the layer version that exists already; None if there is none.
        steps: in their order; empty if nothing is missing.
        policy: of the layer version after the steps.
        blocked: error because of which nothing can be done; empty if there is none.
        notes: for the user.
        parameters: the decisions on the parameters that are to name the layer version.
    """

    target: Target
    version: LayerVersion | None = None
    steps: tuple[PublishStep, ...] = ()
    policy: LayerPolicy = NO_POLICY
    blocked: str = ""
    notes: tuple[str, ...] = ()
    parameters: tuple[ParameterPlan, ...] = ()

    @property
    def action(self) -> str:
        """The steps in a few words."""
        if self.blocked:
            return "blocked"
        words = [str(step) for step in self.steps]
        return ", ".join(words if PublishStep.PUBLISH in self.steps else ["reuse", *words])


def target_plan(
    target: Target,
    observation: TargetObservation,
    *,
    public: bool | None,
    share: tuple[str, ...] | None,
    registry: bool,
) -> TargetPlan:
    """Decide the steps for a target.

    Args:
        target: zip and region.
        observation: its state in AWS.
        public: whether every account should be able to use the layer; None: leave that as it is.
        share: the organisations and accounts that ocelot's own statements should let use the layer;
            None: leave that as it is.
        registry: whether there is one, in which layer versions are recorded.
    """
    notes = observation.notes
    if observation.blocked:
        return TargetPlan(target=target, blocked=observation.blocked, notes=notes)
    version = observation.version
    steps: list[PublishStep] = [] if version else [PublishStep.PUBLISH]
    before = version.policy if version else NO_POLICY
    after = before if public is None else before.with_public(public=public)
    if after.public != before.public:
        steps.append(PublishStep.MAKE_PUBLIC if after.public else PublishStep.MAKE_PRIVATE)
    if share is not None:
        shared = after.with_shares(share)
        steps += [PublishStep.SHARE] if shared != after else []
        after = shared
        notes += tuple(_foreign_grants(after, share))
    if version:
        notes += tuple(_differences(version, target.package))
    future = replace(version, policy=after) if version else None
    if registry and not (future and _recorded(observation.row, target, future)):
        steps.append(PublishStep.RECORD)
    return TargetPlan(target=target, version=version, steps=tuple(steps), policy=after, notes=notes)


def _recorded(row: Row | None, target: Target, version: LayerVersion) -> bool:
    """True if the row has the target's content and is as the layer version will be."""
    return (
        row is not None
        and row.code_sha256 == target.package.sha256
        and row == row_as_in_aws(row, version)
    )


def _foreign_grants(policy: LayerPolicy, share: tuple[str, ...]) -> Iterator[str]:
    """Yield a note on each statement that lets others than requested use the layer version."""
    for each in policy.statements:
        if others := {*each.grantees} - {EVERYONE, *share}:
            yield (
                f"{', '.join(sorted(others))} may use it, too, by the statement "
                f"`{each.id}`, which ocelot did not add and leaves alone"
            )


def _differences(version: LayerVersion, package: Package) -> Iterator[str]:
    """Yield a note on what differs from the package and cannot be changed."""
    pairs = {
        "runtimes": (version.runtimes, package.runtimes),
        "architectures": (version.architectures, (package.architecture.lambda_name,)),
        "licence": (_some(version.licence), (LICENCE,)),
        "description": (_some(version.description), (package.description,)),
    }
    found = "; ".join(
        f"{name} {_quoted(has)} instead of {_quoted(wanted)}"
        for name, (has, wanted) in pairs.items()
        if set(has) != set(wanted)
    )
    if found:
        yield (
            f"version {version.arn.version} cannot be changed and has {found}; to have it "
            "otherwise, delete that version, or use another --release-group"
        )


def _some(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _quoted(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "none"
