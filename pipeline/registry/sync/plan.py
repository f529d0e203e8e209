"""Decide what the registry needs to be in step with a region's layers: pure, on frozen data.

A row follows its layer version and never the other way round: nothing of Lambda's is changed.
Whatever is in doubt is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from pipeline.aws.layers import LayerVersion
from pipeline.config.distributions import Distribution
from pipeline.naming import LayerArn, layer_name_parts
from pipeline.registry.row import ForeignRow, Row, Rows, base_layer_arn, layer_row

# What a row of the same layer and content in another region knows, and AWS does not.
_FROM_SIBLINGS = ("upstream_repository", "upstream_ref", "upstream_commit", "ocelot", "benched")
NAMELESS = "its name tells of no distribution that is known"
_SHOWN = 12


class Action(StrEnum):
    """What is done to a row."""

    RECORD = "record"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Whose layers and rows are meant; those of others are none of ours.

    Attributes:
        account: of the layers.
        base: what their names begin with.
        distributions: the configured ones, by name.
        registry: all rows that there are, of all regions.
    """

    account: str
    base: str
    distributions: Mapping[str, Distribution]
    registry: Rows

    @cached_property
    def names(self) -> frozenset[str]:
        """The distributions that a layer may be of: configured, or known by a row."""
        return frozenset(self.distributions) | {row.distribution for row in self.registry.rows}

    @cached_property
    def foreign(self) -> frozenset[str]:
        """The keys of rows that cannot be understood."""
        return frozenset(each.key for each in self.registry.foreign)

    def covers(self, arn: LayerArn) -> bool:
        """Whether a layer version is of the account and of a layer with such a name."""
        return arn.account == self.account and arn.name.startswith(f"{self.base}-")

    def rows(self, region: str) -> tuple[Row, ...]:
        """The rows that are meant in a region."""
        return tuple(
            row for row in self.registry.rows if row.region == region and self.covers(row.arn)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """Something that is reported and left alone."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """All that was seen of a region, or nothing.

    Attributes:
        versions: the layer versions; with their sha256 only where they have no row and name one.
        gone: the ARNs of rows that AWS has certainly no layer version for: it does not list it,
            and says that it is not there when it is asked for.
        left: what was noticed besides.
        unseen: why nothing can be said of the region; empty where it was seen.
    """

    region: str
    versions: tuple[LayerVersion, ...] = ()
    gone: frozenset[str] = frozenset()
    left: tuple[Left, ...] = ()
    unseen: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """A row that is to be written or deleted.

    Attributes:
        seen: the row that is there; None where there is none.
        wanted: the row as it is to be; None where it is to go.
    """

    seen: Row | None = None
    wanted: Row | None = None

    @property
    def arn(self) -> LayerArn:
        """The layer version's."""
        row = self.wanted or self.seen
        if row is None:
            raise ValueError("a repair is of a row")
        return row.arn

    @property
    def action(self) -> Action:
        """What is done."""
        if self.wanted is None:
            return Action.DELETE
        return Action.UPDATE if self.seen else Action.RECORD

    @property
    def why(self) -> str:
        """What is wrong now, in a few words."""
        if self.wanted is None:
            return "there is no such layer version"
        if self.seen is None:
            return "there is no row of it"
        before, after = self.seen.data(), self.wanted.data()
        return ", ".join(
            f"{name}: {_words(before[name])} -> {_words(value)}"
            for name, value in after.items()
            if before[name] != value
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionPlan:
    """What the registry needs to be in step with a region.

    Attributes:
        versions: how many layer versions were seen.
        unseen: why nothing is done; empty where the region was seen.
    """

    region: str
    versions: int = 0
    repairs: tuple[Repair, ...] = ()
    left: tuple[Left, ...] = ()
    unseen: str = ""


def region_plan(look: Look, scope: Scope) -> RegionPlan:
    """Decide what the registry needs; nothing where the region was not seen.

    Args:
        look: what was seen of it.
        scope: whose layers are meant, and the rows that there are.
    """
    if look.unseen:
        return RegionPlan(region=look.region, unseen=look.unseen)
    rows = {str(row.arn): row for row in scope.rows(look.region)}
    gone = [rows[arn] for arn in sorted(look.gone) if arn in rows]
    judged = [_judged(each, rows.get(str(each.arn)), scope) for each in look.versions]
    repairs = [each for each in judged if isinstance(each, Repair)]
    staying = (row for row in scope.registry.rows if row not in gone)
    bases = (*staying, *(each.wanted for each in repairs if each.wanted and not each.seen))
    repairs = [
        *(Repair(seen=row) for row in gone),
        *(replace(each, wanted=_with_base(each.wanted, bases, scope)) for each in repairs),
    ]
    return RegionPlan(
        region=look.region,
        versions=len(look.versions),
        repairs=tuple(sorted((each for each in repairs if each.seen != each.wanted), key=_order)),
        left=(*look.left, *(each for each in judged if isinstance(each, Left))),
    )


def foreign_rows(scope: Scope, regions: Iterable[str]) -> Iterator[ForeignRow]:
    """The rows that cannot be understood, but for those that are surely of other regions."""
    prefixes = tuple(f":lambda:{region}:" for region in regions)
    for each in scope.registry.foreign:
        if ":lambda:" not in each.key or any(prefix in each.key for prefix in prefixes):
            yield each


def _judged(version: LayerVersion, row: Row | None, scope: Scope) -> Repair | Left | None:
    """The row of a layer version as it is and should be, which may be the same; or why not."""
    arn = str(version.arn)
    if row is None:
        if arn in scope.foreign:
            return None  # reported as a foreign row
        made = _recorded(version, scope)
        return Repair(wanted=made) if isinstance(made, Row) else Left(what=arn, reason=made)
    if row.code_sha256 and version.described and row.code_sha256 != version.described:
        reason = (
            f"its row says sha256 {row.code_sha256[:_SHOWN]}, "
            f"its description {version.described[:_SHOWN]}"
        )
        return Left(what=arn, reason=reason)
    return Repair(seen=row, wanted=replace(row, public=version.public))


def _recorded(version: LayerVersion, scope: Scope) -> Row | str:
    """The row of a layer version that has none, but for its base and MD5; or why there is none."""
    words = layer_name_parts(version.arn.name, scope.base, scope.names)
    if words is None:
        return NAMELESS
    if not version.described:
        return "its description names no sha256: nobody knows what it is"
    if version.described != version.sha256:
        return (
            f"its description says sha256 {version.described[:_SHOWN]}, "
            f"AWS says {version.sha256[:_SHOWN]}"
        )
    known = scope.distributions.get(words.distribution)
    row = layer_row(
        version,
        distribution=words.distribution,
        description=known.description if known else "",
        architecture=words.architecture,
        base_name=scope.base,
        version_in_name=words.version,
        collector_version=words.collector_version,
    )
    return _with_siblings(row, scope.registry.rows)


def _with_siblings(row: Row, rows: Iterable[Row]) -> Row:
    """A row with what is known of the same layer and content in another region."""
    for each in rows:
        if (each.arn.name, each.code_sha256) == (row.arn.name, row.code_sha256):
            return replace(row, **{name: getattr(each, name) for name in _FROM_SIBLINGS})
    return row


def _with_base(row: Row | None, bases: Sequence[Row], scope: Scope) -> Row | None:
    known = scope.distributions.get(row.distribution) if row else None
    if row is None or row.base_layer_arn or known is None or known.base is None:
        return row
    return replace(row, base_layer_arn=base_layer_arn(bases, row, known.base))


def _order(repair: Repair) -> tuple[str, int]:
    return repair.arn.name, repair.arn.version


def _words(value: object) -> str:
    """A value in a few words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "none"
