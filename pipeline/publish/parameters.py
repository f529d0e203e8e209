"""The parameters of a target: observed and planned with it, set as its last step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.aws.layers import LayerVersion, RegionClient
from pipeline.aws.ssm import RegionParameters
from pipeline.errors import Attempt, AwsError
from pipeline.naming import LayerNameParts, version_in_name
from pipeline.parameters.apply import NamedVersions, set_parameters
from pipeline.parameters.plan import (
    LayerRelease,
    ParameterPlan,
    WantedParameter,
    wanted_parameters,
)
from pipeline.publish.plan import PublishStep, Target, TargetPlan


@dataclass(frozen=True, kw_only=True)
class ParameterContext:
    """The values that the parameters of all targets of a run share.

    Attributes:
        prefix: of their names, such as `/ocel`.
        partition: of the layers.
        account: of the layers.
        release_group: of the layers.
        move_back: whether parameters may go back to older layers and to other release groups.
        clients: by region.
    """

    prefix: str
    partition: str
    account: str
    release_group: str
    move_back: bool
    clients: Mapping[str, RegionParameters]

    def wanted(self, target: Target, version: LayerVersion | None) -> tuple[WantedParameter, ...]:
        """Return a target's parameters.

        Args:
            target: zip and region.
            version: its layer version; None if that is still to be published.
        """
        package = target.package
        entry, place = package.entry, f"{self.partition}:lambda:{target.region}:{self.account}"
        parts = LayerNameParts(
            architecture=entry.architecture,
            distribution=entry.distribution,
            version=version_in_name(entry.collector_version),
            release_group=self.release_group,
        )
        release = LayerRelease(
            layer=f"arn:{place}:layer:{package.layer}",
            base=package.base_name,
            parts=parts,
            collector_version=entry.collector_version,
            sha256=package.sha256,
            number=version.arn.version if version else None,
        )
        return wanted_parameters(self.prefix, release)


def with_parameters(
    plan: TargetPlan, layers: RegionClient, context: ParameterContext | None
) -> TargetPlan:
    """Return the plan of a target with that of its parameters; blocked if they cannot be read."""
    if context is None or plan.blocked:
        return plan
    wanted = context.wanted(plan.target, plan.version)
    with Attempt() as attempt:
        present = context.clients[plan.target.region].read([each.name for each in wanted])
        parameters = NamedVersions(layers).plans(wanted, present, move_back=context.move_back)
        step = any(each.is_change for each in parameters) or foreign(parameters)
        steps = (*plan.steps, PublishStep.PARAMETERS) if step else plan.steps
        return replace(plan, parameters=parameters, steps=steps)
    return replace(plan, steps=(), blocked=attempt.error)


def set_target_parameters(
    target: Target, version: LayerVersion, layers: RegionClient, context: ParameterContext
) -> tuple[ParameterPlan, ...]:
    """Have the parameters of a target name its layer version; return what was done for each.

    Raises:
        AwsError: AWS refuses, or does not answer.
    """
    return set_parameters(
        context.wanted(target, version),
        context.clients[target.region],
        layers,
        move_back=context.move_back,
    )


def foreign(plans: Sequence[ParameterPlan]) -> list[ParameterPlan]:
    """Return the plans of parameters with a value that is not the publisher's."""
    return [each for each in plans if each.is_foreign]


def check_own(plans: Sequence[ParameterPlan]) -> None:
    """Fail if a parameter has a value that is not the publisher's, and was left alone.

    Raises:
        AwsError: every such parameter is named.
    """
    if others := foreign(plans):
        raise AwsError(
            "; ".join(f"{each.name} was left alone: {each.reason}" for each in others),
            hint="delete it if nothing uses it, or choose another --ssm-prefix",
        )
