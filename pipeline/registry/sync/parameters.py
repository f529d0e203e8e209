"""The parameters in SSM that name a region's layers: decided (pure) and repaired.

Layer versions with a row count, those that are yet to be recorded included; those with a tombstone
do not, but the parameters that they had are looked at. Releases of the group `local` are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.aws.layers import RegionClient
from pipeline.aws.ssm import Parameter, RegionParameters
from pipeline.errors import Attempt
from pipeline.naming import LOCAL_GROUP, Architecture, layer_name_parts
from pipeline.parameters.apply import set_parameters
from pipeline.parameters.names import parameter_name
from pipeline.parameters.plan import (
    LayerRelease,
    NamedLayer,
    ParameterPlan,
    WantedParameter,
    named_layer,
    parameter_plans,
    wanted_parameters,
)
from pipeline.registry.row import Row
from pipeline.registry.sync.plan import LeftAlone, RegionPlan, Scope

DELETED = "it names a deleted layer version, and there is no other to take its place"


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterSync:
    """The repairs of a region's parameters.

    Attributes:
        plans: the decisions; of what was done, if it was no dry run.
        left: parameters that are reported and left alone.
        error: why they are not as they should be; empty if they are.
    """

    region: str
    plans: tuple[ParameterPlan, ...] = ()
    left: tuple[LeftAlone, ...] = ()
    error: str = ""

    @property
    def changes(self) -> tuple[ParameterPlan, ...]:
        """The parameters to be created or moved."""
        return tuple(each for each in self.plans if each.is_change)


def sync_parameters(
    plan: RegionPlan,
    scope: Scope,
    client: RegionParameters,
    layers: RegionClient,
    *,
    dry_run: bool,
) -> ParameterSync:
    """Repair the parameters of a region, and return the decisions. It blocks.

    Args:
        plan: of the region's rows; it was read.
        scope: the publisher's layers, and all rows.
        client: of the region's parameters.
        layers: of the same region.
        dry_run: decide, but write nothing.
    """
    before = scope.rows(plan.region)
    after = rows_after(before, plan)
    plans: tuple[ParameterPlan, ...] = ()
    left: tuple[LeftAlone, ...] = ()
    with Attempt() as attempt:
        releases = tuple(layer_releases(after, scope.base))
        deletions = (each.row for each in scope.tombstones(plan.region))
        gone = tuple(layer_releases((*set(before).difference(after), *deletions), scope.base))
        owners = _owners((*releases, *gone), client.prefix)
        present = client.read(sorted(owners))
        deleted = _deleted(present, owners, releases, layers)
        plans, left = parameter_repairs(releases, gone, present, deleted, prefix=client.prefix)
        changes = [each.wanted for each in plans if each.is_change]
        if changes and not dry_run:
            done = {
                each.name: each for each in set_parameters(changes, client, layers, deleted=deleted)
            }
            plans = tuple(done.get(each.name, each) for each in plans)
    return ParameterSync(region=plan.region, plans=plans, left=left, error=attempt.error)


def rows_after(before: Iterable[Row], plan: RegionPlan) -> tuple[Row, ...]:
    """Return a region's rows as they are after its repairs."""
    rows = {str(row.arn): row for row in before}
    for each in plan.repairs:
        if each.after is None:
            rows.pop(str(each.arn), None)
        elif each.before is None:
            rows[str(each.arn)] = each.after
    return tuple(rows.values())


def layer_releases(rows: Iterable[Row], base: str) -> Iterator[LayerRelease]:
    """Yield the releases of rows whose layers have names as ocelot makes them."""
    for row in rows:
        parts = layer_name_parts(row.arn.name, base, (row.distribution,))
        if parts is None or parts.release_group == LOCAL_GROUP:
            continue
        if version := row.collector_version_input or parts.collector_version:
            yield LayerRelease(
                layer=row.arn.layer,
                base=base,
                parts=parts,
                collector_version=version,
                sha256=row.code_sha256,
                number=row.version,
            )


def parameter_repairs(
    releases: Sequence[LayerRelease],
    gone: Sequence[LayerRelease],
    present: Mapping[str, Parameter],
    deleted: Collection[str],
    *,
    prefix: str,
) -> tuple[tuple[ParameterPlan, ...], tuple[LeftAlone, ...]]:
    """Decide on the parameters of a region, and which are left alone without a decision.

    Args:
        releases: whose layer versions exist.
        gone: whose layer versions were deleted, or are to be deleted.
        present: the parameters that exist, by name.
        deleted: the values of these that name deleted layer versions.
        prefix: of the parameters' names.
    """
    own: defaultdict[_Kind, list[LayerRelease]] = defaultdict(list)
    for each in releases:
        own[each.parts.distribution, each.parts.architecture].append(each)
    plans: list[ParameterPlan] = []
    left: list[LeftAlone] = []
    for kind, ours in sorted(own.items()):
        group = _release_group(ours, present, prefix)
        if not group:
            left.append(LeftAlone(what=parameter_name(prefix, *kind), reason=_several(ours)))
            continue
        plans += parameter_plans(_newest(ours, group, prefix), present, deleted=deleted)
    others = _owners((*releases, *gone), prefix).keys() - {each.name for each in plans}
    left += (
        LeftAlone(what=name, reason=DELETED)
        for name in sorted(others & present.keys())
        if present[name].value in deleted
    )
    return tuple(plans), tuple(left)


# Distribution and architecture.
_Kind = tuple[str, Architecture]


def _release_group(
    releases: Sequence[LayerRelease], present: Mapping[str, Parameter], prefix: str
) -> str:
    """Return the release group that the parameters of a distribution belong to; empty in doubt.

    It is the one of `latest`; else that of all other parameters; else that of all releases.
    """
    named: dict[bool, set[str]] = {True: set(), False: set()}
    for release in releases:
        for each in wanted_parameters(prefix, release):
            found = named_layer(present[each.name], release) if each.name in present else ""
            if isinstance(found, NamedLayer) and found.parts.release_group != LOCAL_GROUP:
                named[each.is_latest].add(found.parts.release_group)
    groups = named[True] or named[False] or {each.parts.release_group for each in releases}
    return groups.pop() if len(groups) == 1 else ""


def _several(releases: Iterable[LayerRelease]) -> str:
    groups = ", ".join(sorted({each.parts.release_group for each in releases}))
    return (
        f"there are releases of the groups {groups}, and no parameter shows which one it is to "
        "name: publish that one with --ssm-prefix"
    )


def _newest(
    releases: Iterable[LayerRelease], group: str, prefix: str
) -> tuple[WantedParameter, ...]:
    """Return the parameters of a release group, each with the newest release that it may name."""
    wanted: dict[str, WantedParameter] = {}
    for release in sorted(releases, key=lambda each: each.age_key):
        if release.parts.release_group == group:
            wanted.update({each.name: each for each in wanted_parameters(prefix, release)})
    return tuple(sorted(wanted.values(), key=lambda each: (each.is_latest, each.name)))


def _owners(releases: Iterable[LayerRelease], prefix: str) -> dict[str, LayerRelease]:
    """Return the names of all parameters, each with a release that it may name."""
    return {
        each.name: release for release in releases for each in wanted_parameters(prefix, release)
    }


def _deleted(
    present: Mapping[str, Parameter],
    owners: Mapping[str, LayerRelease],
    releases: Iterable[LayerRelease],
    layers: RegionClient,
) -> frozenset[str]:
    """Return the values of parameters that name a layer version of the publisher's that is gone."""
    known = {each.arn for each in releases}
    doubtful = {
        each.value: found
        for name, each in present.items()
        if each.value not in known
        and isinstance(found := named_layer(each, owners[name]), NamedLayer)
    }
    return frozenset(
        value
        for value, found in doubtful.items()
        if layers.version(found.arn.name, found.arn.version) is None
    )
