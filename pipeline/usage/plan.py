"""Decide which functions are behind the newest layer version, and how each is moved. Pure.

The newest layer version of a *series* counts: of the same base, architecture, distribution and
release group in the region, whatever the collector's version. A layer without these parts in its
name is a series of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pipeline.aws.functions import FunctionAlias, FunctionVersion
from pipeline.config.entries import suggestion
from pipeline.errors import UsageError, quoted
from pipeline.naming import LayerArn, layer_arn, layer_name_parts, version_key

# The value of --update for all functions.
ALL = "all"
# An ARN of a function has seven parts; the eighth is a version or an alias.
_ARN_PARTS = 7


@dataclass(frozen=True, kw_only=True)
class UsageScope:
    """The publisher's layers.

    Attributes:
        partition: such as `aws`.
        account: of the layers and functions.
        base: beginning of the layers' names.
        distributions: names that a layer's name may contain.
    """

    partition: str
    account: str
    base: str
    distributions: frozenset[str]

    def prefix(self, region: str) -> str:
        """Return the beginning of the ARNs of the layers in a region."""
        return f"arn:{self.partition}:lambda:{region}:{self.account}:layer:{self.base}-"

    def covers(self, arn: LayerArn) -> bool:
        """True if a layer version is the publisher's."""
        return str(arn).startswith(self.prefix(arn.region))

    def own(self, layers: Iterable[str], region: str) -> frozenset[LayerArn]:
        """Return those of a function's layers that are the publisher's."""
        prefix = self.prefix(region)
        return frozenset(layer_arn(each) for each in layers if each.startswith(prefix))

    def series(self, name: str) -> tuple[str, ...]:
        """Return the series of a layer by its name."""
        parts = layer_name_parts(name, self.base, self.distributions)
        return (parts.architecture, parts.distribution, parts.release_group) if parts else (name,)

    def age(self, layer: LayerArn) -> tuple[tuple[object, ...], int]:
        """Return a sort key of the layer versions of a series, the oldest first."""
        parts = layer_name_parts(layer.name, self.base, self.distributions)
        return version_key(parts.version) if parts else (), layer.version


@dataclass(frozen=True, kw_only=True)
class LayersSeen:
    """The publisher's layer versions in a region, as far as its functions' layers need them."""

    scope: UsageScope
    region: str
    versions: frozenset[LayerArn]

    def with_versions(self, more: Iterable[LayerArn]) -> LayersSeen:
        """Return these and more layer versions."""
        return replace(self, versions=self.versions.union(more))

    @cached_property
    def _newest(self) -> Mapping[tuple[str, ...], LayerArn]:
        oldest_first = sorted(self.versions, key=lambda each: (each.name, self.scope.age(each)))
        newest: dict[tuple[str, ...], LayerArn] = {}
        for each in oldest_first:
            series = self.scope.series(each.name)
            if series not in newest or self.scope.age(newest[series]) <= self.scope.age(each):
                newest[series] = each
        return newest

    def use(self, arn: str) -> LayerUse | None:
        """Return the use of a layer version; None for a layer of another publisher."""
        if not arn.startswith(self.scope.prefix(self.region)):
            return None
        layer = layer_arn(arn)
        return LayerUse(
            layer=layer,
            newest=self._newest.get(self.scope.series(layer.name)),
            exists=layer in self.versions,
        )

    def moved(self, layers: Iterable[str]) -> tuple[str, ...]:
        """Return a function's layers with the newest version in place of each older one.

        The order stays. Two layers of one series become one: a function may not have a layer twice.
        """
        uses = ((each, self.use(each)) for each in layers)
        return tuple(
            dict.fromkeys(
                str(use.newest) if use and use.is_behind and use.newest else each
                for each, use in uses
            )
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerUse:
    """A layer version that a function version uses.

    Attributes:
        newest: of its series; None if the series has no version any more.
        exists: False if the layer version was deleted.
    """

    layer: LayerArn
    newest: LayerArn | None
    exists: bool = True

    @property
    def is_behind(self) -> bool:
        """True unless it is the newest version."""
        return self.layer != self.newest

    @property
    def is_lost(self) -> bool:
        """True if it was deleted and no other version can take its place."""
        return self.newest is None


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionUse:
    """A function version that uses layer versions of the publisher.

    Attributes:
        region: of the function.
        aliases: those that point to this version.
        layers: the publisher's layer versions that it uses, in its order.
        moved: all its layers with the newest versions.
    """

    region: str
    function: FunctionVersion
    layers: tuple[LayerUse, ...]
    moved: tuple[str, ...]
    aliases: tuple[FunctionAlias, ...] = ()

    @property
    def is_behind(self) -> bool:
        """True if one of its layer versions is not the newest."""
        return any(each.is_behind for each in self.layers)

    @property
    def blocked(self) -> str:
        """The reason for which it cannot be moved; empty if it can."""
        lost = [str(each.layer) for each in self.layers if each.is_lost]
        if not lost:
            return ""
        return (
            f"{' and '.join(lost)} was deleted, and no version can take its place: publish the "
            "layer again, or remove it from the function"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionFunctionsSeen:
    """The functions of a region that use the publisher's layers, and these layers' versions.

    Attributes:
        aliases: of these functions, by the function's ARN.
    """

    region: str
    functions: tuple[FunctionVersion, ...]
    aliases: Mapping[str, tuple[FunctionAlias, ...]]
    layers: LayersSeen


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionUsage:
    """The function versions of a region that use the publisher's layers.

    Attributes:
        layers: the layer versions; None if the region was not read.
        unseen: error because of which the region was not read; empty if it was.
    """

    region: str
    uses: tuple[FunctionUse, ...] = ()
    layers: LayersSeen | None = None
    unseen: str = ""


def region_usage(seen: RegionFunctionsSeen) -> RegionUsage:
    """Return the uses of the publisher's layers in a region, by function, `$LATEST` first."""
    uses = (_function_use(each, seen) for each in seen.functions)
    return RegionUsage(
        region=seen.region,
        uses=tuple(sorted(uses, key=lambda each: _place(each.function))),
        layers=seen.layers,
    )


def _place(function: FunctionVersion) -> tuple[str, bool, int]:
    """Return a sort key; AWS has versions without a number besides $LATEST, too."""
    number = int(function.version) if function.version.isdigit() else 0
    return function.name, not function.is_latest, number


def _function_use(function: FunctionVersion, seen: RegionFunctionsSeen) -> FunctionUse:
    uses = (seen.layers.use(each) for each in function.layers)
    aliases = seen.aliases.get(function.arn, ())
    return FunctionUse(
        region=seen.region,
        function=function,
        layers=tuple(each for each in uses if each),
        moved=seen.layers.moved(function.layers),
        aliases=tuple(each for each in aliases if function.version in each.versions),
    )


def names_to_list(names: Iterable[str], used: Collection[str], scope: UsageScope) -> list[str]:
    """Return the names of the layers whose versions are needed, sorted.

    Those are the used layers, and of each of their series the one of the newest collector.

    Args:
        names: of all layers of the account in the region.
        used: names of the layers that functions use.
        scope: the publisher's layers.
    """
    wanted = {scope.series(each) for each in used}
    newest: dict[tuple[str, ...], LayerArn] = {}
    for name in names:
        series = scope.series(name)
        one = LayerArn(partition="", region="", account="", name=name, version=0)
        if series in wanted and (
            series not in newest or scope.age(newest[series]) < scope.age(one)
        ):
            newest[series] = one
    return sorted({*used, *(each.name for each in newest.values())})


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The functions that `--update` names.

    Attributes:
        moves: `$LATEST` of those that are behind, in the order of the regions.
        current: functions whose `$LATEST` has the newest versions already.
        published: functions of which only published versions use a layer.
    """

    moves: tuple[FunctionUse, ...] = ()
    current: tuple[str, ...] = ()
    published: tuple[str, ...] = ()


def selected(regions: Sequence[RegionUsage], names: Collection[str]) -> Selection:
    """Return the functions that `--update` names, by name or ARN.

    Raises:
        UsageError: a name is of no function that uses a layer.
    """
    arns = dict.fromkeys(use.function.arn for each in regions for use in each.uses)
    chosen = frozenset(arn for name in names for arn in _named(name, arns, regions))
    own = [arn for arn in arns if arn in chosen]
    uses = (use for each in regions for use in each.uses)
    latest = {use.function.arn: use for use in uses if use.function.is_latest}
    found = [latest[arn] for arn in own if arn in latest]
    return Selection(
        moves=tuple(each for each in found if each.is_behind),
        current=tuple(each.function.arn for each in found if not each.is_behind),
        published=tuple(arn for arn in own if arn not in latest),
    )


def _named(name: str, arns: Iterable[str], regions: Sequence[RegionUsage]) -> list[str]:
    """Return the ARNs of the functions of one name."""
    known = list(arns)
    found = [each for each in known if name in (ALL, each, each.rpartition(":")[2])]
    if found or name == ALL:
        return found
    parts = name.split(":")
    if name.startswith("arn:") and len(parts) > _ARN_PARTS:
        raise UsageError(
            f"--update {quoted(name)} names a version or an alias; only $LATEST can be changed",
            hint=f"name the function: --update {':'.join(parts[:_ARN_PARTS])}",
        )
    unread = tuple(f"{each.region}: {each.unseen}" for each in regions if each.unseen)
    more = "; some regions could not be read" if unread else ""
    names = (*known, *(each.rpartition(":")[2] for each in known))
    raise UsageError(
        f"no function {quoted(name)} uses one of the layers{suggestion(name, names)}{more}",
        hint="list the functions that do: ocelot layers used",
        details=unread,
    )
