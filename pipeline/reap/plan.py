"""Decide for each layer version: keep or delete. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.aws.layers import LayerVersion
from pipeline.naming import LayerNameParts
from pipeline.reap.references import KeepReason
from pipeline.reap.request import Reason
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.sync.plan import LeftAlone
from pipeline.registry.tombstone import Tombstone

# Hexadecimal digits of a digest that are shown and compared.
DIGITS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionUse:
    """The layer versions of a region, and who uses them.

    Attributes:
        versions: all of the publisher's, without sha256 and policy, also those that the pattern
            does not match: they decide which version is the newest.
        parts: of the layers' names, by name; a layer whose name has none is in `left`.
        recorded: rows and tombstones by ARN.
        functions: by ARN of a layer version, those that use it, such as `checkout:7`, sorted.
        parameters: by ARN of a layer version, the names of those whose value it is, sorted.
        left: layers that are reported and left alone.
        unseen: error because of which nothing is done; empty if the region was read.
    """

    region: str
    versions: tuple[LayerVersion, ...] = ()
    parts: Mapping[str, LayerNameParts] = field(default_factory=dict[str, LayerNameParts])
    recorded: Mapping[str, Row | ForeignRow | Tombstone] = field(
        default_factory=dict[str, Row | ForeignRow | Tombstone]
    )
    functions: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    left: tuple[LeftAlone, ...] = ()
    unseen: str = ""


@dataclass(frozen=True, kw_only=True)
class VersionPlan:
    """The decision on a layer version that pattern and options select.

    Attributes:
        version: as AWS lists it.
        parts: of the layer's name.
        recorded: its row or tombstone; None for none.
        reasons: to keep it, the overridden ones included.
        forced: the reasons that the user overrides.
    """

    version: LayerVersion
    parts: LayerNameParts
    recorded: Row | ForeignRow | Tombstone | None = None
    reasons: tuple[KeepReason, ...] = ()
    forced: frozenset[Reason] = frozenset()

    @property
    def is_deleted(self) -> bool:
        """True if it is to be deleted: no reason is left that keeps it."""
        return all(each.reason in self.forced for each in self.reasons)

    @property
    def overridden(self) -> tuple[str, ...]:
        """The reasons that the user overrides, sorted; empty unless it is to be deleted."""
        return tuple(sorted({each.reason for each in self.reasons})) if self.is_deleted else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionReap:
    """The plan for a region.

    Attributes:
        versions: the decisions, sorted by layer, newest first.
        left: layers that are reported and left alone.
        unseen: error because of which nothing is done; empty if the region was read.
    """

    region: str
    versions: tuple[VersionPlan, ...] = ()
    left: tuple[LeftAlone, ...] = ()
    unseen: str = ""


@dataclass(frozen=True)
class ReapPlan:
    """The plan for all regions.

    Attributes:
        regions: in the order of the options.
        skipped: regions that are left out, each with the reason.
        notes: for the user.
    """

    regions: tuple[RegionReap, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def deletions(self) -> tuple[VersionPlan, ...]:
        """The layer versions to be deleted."""
        return tuple(one for each in self.regions for one in each.versions if one.is_deleted)

    @cached_property
    def digest(self) -> str:
        """The digest over what is deleted; see `reap_digest`."""
        return reap_digest((str(each.version.arn), each.overridden) for each in self.deletions)


def reap_digest(deletions: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    """Return the digest over layer versions and the overridden reasons to keep each of them.

    AWS never uses the number of a layer version again, so that the ARN stands for its content.

    Args:
        deletions: ARN and overridden reasons, sorted; in any order.
    """
    lines = sorted(f"{arn} {','.join(forced)}\n" for arn, forced in deletions)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:DIGITS]
