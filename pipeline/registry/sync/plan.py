"""Decide how the registry's rows are repaired to match a region's layer versions. Pure.

A row follows its layer version, and no layer version is changed. In doubt, a row or layer version
is reported and left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import cast

from pipeline.aws.layers import LayerVersion
from pipeline.config.distributions import Distribution
from pipeline.naming import LayerArn, layer_name_parts
from pipeline.registry.row import ForeignRow, Row, base_layer_arn, layer_row, row_as_in_aws
from pipeline.registry.rows import Rows
from pipeline.registry.tombstone import Tombstone

# Facts that AWS does not have, copied from a row of the same layer and content in another region.
_COPIED = (
    *("upstream_repository", "upstream_ref", "upstream_commit", "ocelot", "benched"),
    *("zip_size", "unzipped_size", "cpu_times", "memory_times"),
)
NO_DISTRIBUTION = "its name contains no known distribution"
UNFINISHED = "it has a tombstone: its deletion was not finished, and ocelot reap finishes it"
_SHOWN = 12


class Action(StrEnum):
    """The change of a row."""

    RECORD = "record"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The publisher's layers, and all rows; other layers and their rows are left alone.

    Attributes:
        account: of the layers.
        base: beginning of the layers' names.
        distributions: the configured ones, by name.
        registry: all rows, of all regions.
    """

    account: str
    base: str
    distributions: Mapping[str, Distribution]
    registry: Rows

    @cached_property
    def names(self) -> frozenset[str]:
        """The distributions that a layer may be of: configured, or in a row or tombstone."""
        rows = (*self.registry.rows, *(each.row for each in self.registry.tombstones))
        return frozenset(self.distributions) | {row.distribution for row in rows}

    @cached_property
    def foreign(self) -> frozenset[str]:
        """The keys of foreign rows."""
        return frozenset(each.key for each in self.registry.foreign)

    @cached_property
    def buried(self) -> frozenset[str]:
        """The ARNs of layer versions that have a tombstone."""
        return frozenset(str(each.arn) for each in self.registry.tombstones)

    def covers(self, arn: LayerArn) -> bool:
        """True if a layer version is the publisher's, by account and name."""
        return arn.account == self.account and arn.name.startswith(f"{self.base}-")

    def rows(self, region: str) -> tuple[Row, ...]:
        """Return the rows of the publisher's layers in a region."""
        return tuple(
            row for row in self.registry.rows if row.region == region and self.covers(row.arn)
        )

    def tombstones(self, region: str) -> tuple[Tombstone, ...]:
        """Return the tombstones of the publisher's layers in a region."""
        return tuple(
            each
            for each in self.registry.tombstones
            if each.arn.region == region and self.covers(each.arn)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftAlone:
    """A layer, or the ARN of a layer version, that is reported and left alone."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionObservation:
    """The layer versions of a region.

    Attributes:
        versions: with their sha256 only if they have no row and their description names one.
        gone: ARNs of rows whose layer version does not exist: AWS neither lists nor returns it.
        left: further layers and layer versions to be reported.
        unseen: error because of which the region was not read; empty if it was.
    """

    region: str
    versions: tuple[LayerVersion, ...] = ()
    gone: frozenset[str] = frozenset()
    left: tuple[LeftAlone, ...] = ()
    unseen: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """One row to be recorded, updated or deleted.

    Attributes:
        before: the row in the registry; None if there is none.
        after: the row as it should be; None if there should be none.
    """

    before: Row | None = None
    after: Row | None = None

    @property
    def arn(self) -> LayerArn:
        """The layer version's ARN."""
        row = self.after or self.before
        if row is None:
            raise ValueError("a repair has a row")
        return row.arn

    @property
    def action(self) -> Action:
        """The change of the row."""
        if self.after is None:
            return Action.DELETE
        return Action.UPDATE if self.before else Action.RECORD

    @property
    def why(self) -> str:
        """The difference between registry and layer version, in a few words."""
        if self.after is None:
            return "there is no such layer version"
        if self.before is None:
            return "it has no row"
        before, after = self.before.data(), self.after.data()
        return ", ".join(
            f"{name}: {_words(before[name])} -> {_words(value)}"
            for name, value in after.items()
            if before[name] != value
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionPlan:
    """The repairs of a region's rows.

    Attributes:
        versions: number of the publisher's layer versions.
        left: layers and layer versions that are reported and left alone.
        unseen: error because of which nothing is done; empty if the region was read.
    """

    region: str
    versions: int = 0
    repairs: tuple[Repair, ...] = ()
    left: tuple[LeftAlone, ...] = ()
    unseen: str = ""


def region_plan(observation: RegionObservation, scope: Scope) -> RegionPlan:
    """Decide the repairs of a region's rows; none if the region was not read.

    Args:
        observation: the region's layer versions.
        scope: the publisher's layers, and all rows.
    """
    if observation.unseen:
        return RegionPlan(region=observation.region, unseen=observation.unseen)
    rows = {str(row.arn): row for row in scope.rows(observation.region)}
    gone = [rows[arn] for arn in sorted(observation.gone) if arn in rows]
    doubled = _doubled(observation.versions, rows)
    decided = [
        _decided(each, rows.get(str(each.arn)), scope)
        for each in observation.versions
        if str(each.arn) in rows or str(each.arn) not in doubled
    ]
    repairs = [each for each in decided if isinstance(each, Repair)]
    kept = (row for row in scope.registry.rows if row not in gone)
    bases = (*kept, *(each.after for each in repairs if each.after and not each.before))
    repairs = [
        *(Repair(before=row) for row in gone),
        *(replace(each, after=_with_base(each.after, bases, scope)) for each in repairs),
    ]
    return RegionPlan(
        region=observation.region,
        versions=len(observation.versions),
        repairs=tuple(sorted((each for each in repairs if each.before != each.after), key=_order)),
        left=(
            *observation.left,
            *(each for each in decided if isinstance(each, LeftAlone)),
            *doubled.values(),
        ),
    )


def _doubled(versions: Iterable[LayerVersion], rows: Mapping[str, Row]) -> dict[str, LeftAlone]:
    """Return the layer versions, by ARN, of which the layer has an older one of the same content.

    Two publishers at once make such versions. They are not recorded, unless they have a row.
    """
    oldest: dict[tuple[str, str], int] = {}
    doubled: dict[str, LeftAlone] = {}
    for each in sorted(versions, key=lambda each: each.arn.version):
        arn = str(each.arn)
        sha256 = each.sha256 or (rows[arn].code_sha256 if arn in rows else "")
        if not sha256 or sha256 != each.described_sha256:
            continue
        first = oldest.setdefault((each.arn.name, sha256), each.arn.version)
        if first != each.arn.version:
            reason = f"it has the same content as version {first}: delete it if nothing uses it"
            doubled[arn] = LeftAlone(what=arn, reason=reason)
    return doubled


def foreign_rows(scope: Scope, regions: Iterable[str]) -> Iterator[ForeignRow]:
    """Yield the foreign rows, except those that are certainly of other regions."""
    prefixes = tuple(f":lambda:{region}:" for region in regions)
    for each in scope.registry.foreign:
        if ":lambda:" not in each.key or any(prefix in each.key for prefix in prefixes):
            yield each


def _decided(version: LayerVersion, row: Row | None, scope: Scope) -> Repair | LeftAlone | None:
    """Return the repair of a layer version's row, which may change nothing, or why there is none.

    None for a foreign row, which is reported as such.
    """
    arn = str(version.arn)
    if row is None:
        if arn in scope.foreign:
            return None
        if arn in scope.buried:
            return LeftAlone(what=arn, reason=UNFINISHED)
        made = _new_row(version, scope)
        return Repair(after=made) if isinstance(made, Row) else LeftAlone(what=arn, reason=made)
    described = version.described_sha256
    if row.code_sha256 and described and row.code_sha256 != described:
        reason = (
            f"its row has sha256 {row.code_sha256[:_SHOWN]}, its description {described[:_SHOWN]}"
        )
        return LeftAlone(what=arn, reason=reason)
    return Repair(before=row, after=row_as_in_aws(row, version))


def _new_row(version: LayerVersion, scope: Scope) -> Row | str:
    """Return the row of a layer version that has none, without base and MD5; or why not."""
    parts = layer_name_parts(version.arn.name, scope.base, scope.names)
    if parts is None:
        return NO_DISTRIBUTION
    if not version.described_sha256:
        return "its description names no sha256, so its content is not known"
    if version.described_sha256 != version.sha256:
        return (
            f"its description has sha256 {version.described_sha256[:_SHOWN]}, "
            f"AWS has {version.sha256[:_SHOWN]}"
        )
    known = scope.distributions.get(parts.distribution)
    row = layer_row(
        version,
        distribution=parts.distribution,
        description=known.description if known else "",
        architecture=parts.architecture,
        base_name=scope.base,
        version_in_name=parts.version,
        collector_version=parts.collector_version,
    )
    return _with_copied_facts(row, scope.registry.rows)


def _with_copied_facts(row: Row, rows: Iterable[Row]) -> Row:
    """Return a row with the facts of a row of the same layer and content in another region."""
    for each in rows:
        if (each.arn.name, each.code_sha256) == (row.arn.name, row.code_sha256):
            return replace(row, **{name: getattr(each, name) for name in _COPIED})
    return row


def _with_base(row: Row | None, bases: Sequence[Row], scope: Scope) -> Row | None:
    """Return a row with the ARN of its base, if it names none and its distribution has one."""
    known = scope.distributions.get(row.distribution) if row else None
    if row is None or row.base_layer_arn or known is None or known.base is None:
        return row
    return replace(row, base_layer_arn=base_layer_arn(bases, row, known.base))


def _order(repair: Repair) -> tuple[str, int]:
    return repair.arn.name, repair.arn.version


def _words(value: object) -> str:
    """Return an attribute's value as words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(map(str, cast("list[object]", value)))
    return str(value) or "none"
