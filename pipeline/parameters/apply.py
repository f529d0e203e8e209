"""Write parameters in SSM as they were decided, and read them back. It blocks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from pipeline.aws.layers import RegionClient
from pipeline.aws.ssm import Parameter, RegionParameters
from pipeline.errors import AwsError
from pipeline.naming import layer_arn
from pipeline.parameters.plan import (
    NamedLayer,
    ParameterAction,
    ParameterPlan,
    WantedParameter,
    named_layer,
    parameter_plan,
    parameter_plans,
)

# Rounds of reading, deciding and writing: another publisher may write between two of them.
ROUNDS = 4


class NamedVersions:
    """Decides on parameters, and makes sure of the layer versions that they are to go on naming."""

    def __init__(self, layers: RegionClient, deleted: Collection[str] = ()) -> None:
        """Make one for a region.

        Args:
            layers: of the region.
            deleted: ARNs of layer versions that do not exist any more, as far as they are known.
        """
        self._layers = layers
        self._exist = dict.fromkeys(deleted, False)

    def plans(
        self,
        wanted: Sequence[WantedParameter],
        present: Mapping[str, Parameter],
        *,
        move_back: bool = False,
    ) -> tuple[ParameterPlan, ...]:
        """Decide on each parameter; see `parameter_plan`.

        A parameter that names a newer layer version, or one of another release group, is left
        alone only if that layer version exists: one request for each.

        Raises:
            AwsError: AWS refuses or does not answer.
        """
        decided = partial(parameter_plans, wanted, present, move_back=move_back)
        plans = decided(deleted=self._deleted())
        for each in plans:
            if each.can_move and each.value not in self._exist:
                arn = layer_arn(each.value)
                self._exist[each.value] = bool(self._layers.version(arn.name, arn.version))
        return decided(deleted=self._deleted())

    def _deleted(self) -> frozenset[str]:
        return frozenset(arn for arn, exists in self._exist.items() if not exists)


def set_parameters(
    wanted: Sequence[WantedParameter],
    client: RegionParameters,
    layers: RegionClient,
    *,
    move_back: bool = False,
    deleted: Collection[str] = (),
) -> tuple[ParameterPlan, ...]:
    """Create and move parameters, and return what was decided and done for each.

    Args:
        wanted: parameters and the releases, published by now, that they are to name.
        client: of their region.
        layers: of the same region.
        move_back: True to move them to older versions and other release groups, too.
        deleted: ARNs of layer versions that do not exist any more, as far as they are known.

    Raises:
        AwsError: AWS refuses or does not answer, or another publisher changes them all the time.
    """
    done: dict[str, ParameterPlan] = {}
    named = NamedVersions(layers, deleted)
    with client.turn:
        for _ in range(ROUNDS):
            present = client.read([each.name for each in wanted])
            plans = named.plans(wanted, present, move_back=move_back)
            for each in plans:
                if each.name not in done or each.action != ParameterAction.KEEP:
                    done[each.name] = each
            changes = [each for each in plans if each.is_change]
            for each in changes:
                _write(each, client, layers, move_back=move_back)
            if not changes:
                return tuple(done.values())
    raise AwsError(
        f"the parameters below {client.prefix} changed each time after they were written",
        hint="run the same command again when no other publisher runs",
    )


def _write(
    plan: ParameterPlan, client: RegionParameters, layers: RegionClient, *, move_back: bool
) -> None:
    """Create or replace a parameter, unless another publisher was first."""
    release = plan.wanted.release
    if plan.before is None:
        client.create(plan.name, release.arn, release.tags)  # the next round reads what it is now
        return
    number = client.replace(plan.name, release.arn, release.tags)
    if number > plan.before.number + 1 and not move_back:
        replaced = client.version(plan.name, number - 1)
        if replaced:
            _restore(plan.wanted, replaced, client, layers)


def _restore(
    wanted: WantedParameter, replaced: Parameter, client: RegionParameters, layers: RegionClient
) -> None:
    """Write once more what another publisher wrote just before, if it has precedence."""
    decided = parameter_plan(wanted, replaced)
    named = named_layer(replaced, wanted.release)
    if decided.action == ParameterAction.LEAVE and isinstance(named, NamedLayer):
        found = layers.version(named.arn.name, named.arn.version)
        if found:
            release = replace(
                wanted.release,
                layer=named.arn.layer,
                parts=named.parts,
                collector_version=named.parts.collector_version or named.parts.version,
                sha256=found.sha256,
                number=named.arn.version,
            )
            client.replace(wanted.name, release.arn, release.tags)
