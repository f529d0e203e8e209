"""Decide which layer version a parameter in SSM names. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pipeline.aws.ssm import STRING, Parameter
from pipeline.errors import UsageError
from pipeline.naming import (
    LOCAL_GROUP,
    LayerArn,
    LayerNameParts,
    layer_arn,
    layer_name_parts,
    version_key,
)
from pipeline.parameters.names import parameter_name


class ParameterAction(StrEnum):
    """The decision on a parameter."""

    CREATE = "create"
    MOVE = "move"
    KEEP = "keep"
    LEAVE = "leave"
    FOREIGN = "foreign"


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerRelease:
    """A layer version, which parameters are to name.

    Attributes:
        layer: ARN of the layer, without the number of a version.
        base: beginning of the publisher's layer names, such as `ocel`.
        parts: of the layer's name.
        collector_version: such as v0.158.0.
        sha256: of the zip, in hex.
        number: of the layer version; None if it is still to be published.
    """

    layer: str
    base: str
    parts: LayerNameParts
    collector_version: str
    sha256: str
    number: int | None = None

    @property
    def arn(self) -> str:
        """The layer version's ARN; empty if it is still to be published."""
        return f"{self.layer}:{self.number}" if self.number is not None else ""

    @property
    def age_key(self) -> tuple[tuple[object, ...], float]:
        """Sort key of a layer's releases from the oldest to the newest."""
        number = math.inf if self.number is None else self.number
        return version_key(self.parts.version), number

    @property
    def tags(self) -> dict[str, str]:
        """The tags of a parameter that names it; the row of an older tool has no sha256."""
        tags = {
            "ocelot:distribution": self.parts.distribution,
            "ocelot:collector-version": self.collector_version,
            "ocelot:release-group": self.parts.release_group,
            "ocelot:sha256": self.sha256,
        }
        return {key: value for key, value in tags.items() if value}


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedParameter:
    """A parameter, and the release that it is to name.

    Attributes:
        is_latest: True for the one that names the newest version, whichever it is.
    """

    name: str
    release: LayerRelease
    is_latest: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterPlan:
    """The decision on a parameter.

    Attributes:
        before: the parameter as it is; None if there is none.
        reason: why it is left alone; empty for another action.
    """

    wanted: WantedParameter
    action: ParameterAction
    before: Parameter | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.wanted.name

    @property
    def value(self) -> str:
        """The parameter's value after all; empty for one that is not the publisher's."""
        if self.action == ParameterAction.LEAVE:
            return self.before.value if self.before else ""
        return "" if self.is_foreign else self.wanted.release.arn

    @property
    def can_move(self) -> bool:
        """True if it is left alone only because the user does not ask to move it back."""
        release = self.wanted.release
        is_local = self.wanted.is_latest and release.parts.release_group == LOCAL_GROUP
        return self.action == ParameterAction.LEAVE and not is_local

    @property
    def is_foreign(self) -> bool:
        """True if the parameter's value is not the publisher's."""
        return self.action == ParameterAction.FOREIGN

    @property
    def is_change(self) -> bool:
        """True if the parameter is to be written."""
        return self.action in (ParameterAction.CREATE, ParameterAction.MOVE)


def wanted_parameters(prefix: str, release: LayerRelease) -> tuple[WantedParameter, ...]:
    """Return the parameters of a release: of its version, and `latest`, which moves last."""
    parts = release.parts
    version = release.collector_version
    return (
        WantedParameter(
            name=parameter_name(prefix, parts.distribution, parts.architecture, version),
            release=release,
        ),
        WantedParameter(
            name=parameter_name(prefix, parts.distribution, parts.architecture),
            release=release,
            is_latest=True,
        ),
    )


def parameter_plans(
    wanted: Collection[WantedParameter],
    present: Mapping[str, Parameter],
    *,
    move_back: bool = False,
    deleted: Collection[str] = (),
) -> tuple[ParameterPlan, ...]:
    """Decide on each parameter; see `parameter_plan`.

    Args:
        wanted: parameters and the releases that they are to name.
        present: the parameters that exist, by name.
        move_back: True to move them to older versions and other release groups, too.
        deleted: ARNs of layer versions that do not exist any more.
    """
    return tuple(
        parameter_plan(each, present.get(each.name), move_back=move_back, deleted=deleted)
        for each in wanted
    )


def parameter_plan(
    wanted: WantedParameter,
    present: Parameter | None,
    *,
    move_back: bool = False,
    deleted: Collection[str] = (),
) -> ParameterPlan:
    """Decide on a parameter.

    A parameter belongs to the release group whose layer it names: another group's layer takes its
    place only if the user asks for it. The group `local` has no `latest`, and what it wrote is free
    for every other group.
    """

    def decided(action: ParameterAction, reason: str = "") -> ParameterPlan:
        return ParameterPlan(wanted=wanted, action=action, before=present, reason=reason)

    release = wanted.release
    if wanted.is_latest and release.parts.release_group == LOCAL_GROUP:
        reason = f"a release of the group `{LOCAL_GROUP}` does not move it"
        return decided(ParameterAction.LEAVE, reason)
    if present is None:
        return decided(ParameterAction.CREATE)
    named = named_layer(present, release)
    if isinstance(named, str):
        return decided(ParameterAction.FOREIGN, named)
    if present.value == release.arn:
        return decided(ParameterAction.KEEP)
    if not move_back and present.value not in deleted and (reason := _precedence(named, release)):
        return decided(ParameterAction.LEAVE, reason)
    return decided(ParameterAction.MOVE)


def named_layer(present: Parameter, release: LayerRelease) -> NamedLayer | str:
    """Return the layer version that a parameter names; or why it is not the publisher's.

    Args:
        present: the parameter.
        release: one of the same layer name, but maybe another version and release group.
    """
    if present.kind != STRING:
        return f"it is a {present.kind}, not a {STRING}"
    try:
        arn = layer_arn(present.value)
    except UsageError:
        return "its value is no ARN of a layer version"
    parts = layer_name_parts(arn.name, release.base, (release.parts.distribution,))
    own = parts is not None and parts.architecture == release.parts.architecture
    if parts is None or not own or _place(arn.layer) != _place(release.layer):
        return f"it names {arn}, another publisher's layer or another distribution's"
    return NamedLayer(arn=arn, parts=parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedLayer:
    """The publisher's layer version that a parameter names."""

    arn: LayerArn
    parts: LayerNameParts


def _place(layer: str) -> str:
    """Return partition, region and account of a layer's ARN."""
    return layer.rpartition(":")[0]


def _precedence(named: NamedLayer, release: LayerRelease) -> str:
    """Return why a parameter should go on naming its layer version; empty if it should not."""
    group, own = named.parts.release_group, release.parts.release_group
    shown = f"it names {named.arn.name}:{named.arn.version}"
    if group == LOCAL_GROUP != own:
        return ""
    if group != own:
        return f"{shown}, of the release group `{group}`"
    theirs = (version_key(named.parts.version), named.arn.version)
    return f"{shown}, which is newer" if theirs > release.age_key else ""
