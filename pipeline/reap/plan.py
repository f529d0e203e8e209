"""Decide for each layer version: keep or delete. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from pipeline.aws.layers import LayerVersion
from pipeline.naming import LayerNameParts, version_key
from pipeline.reap.references import KeepReason, References
from pipeline.reap.request import ReapRequest, Reason
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.sync.plan import LeftAlone
from pipeline.registry.tombstone import Tombstone

# Hexadecimal digits of a digest that are shown and compared.
DIGITS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionUse:
    """The layer versions of a region, and who uses them.

    Attributes:
        versions: without sha256 and policy; those that `ReapRequest.reads`, which may be more than
            it selects, since they decide which version is the newest.
        parts: of the layers' names, by name; a layer whose name has none is in `left`.
        recorded: rows and tombstones by ARN.
        functions: by ARN of a layer version, those that use it, such as `checkout:7`, sorted.
        parameters: by ARN of a layer version, the names of those in whose value it stands, sorted.
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
    def row(self) -> Row | None:
        """Its row, which may stand in a tombstone; None for none."""
        found = self.recorded.row if isinstance(self.recorded, Tombstone) else self.recorded
        return found if isinstance(found, Row) else None

    @property
    def size(self) -> int:
        """Bytes of its zip; 0 if they are not known."""
        return self.version.size or (self.row.zip_size if self.row else 0)

    @property
    def kinds(self) -> frozenset[Reason]:
        """The kinds of its reasons."""
        return frozenset(each.reason for each in self.reasons)

    @property
    def overridden(self) -> tuple[str, ...]:
        """The reasons that the user overrides, sorted; empty unless it is to be deleted."""
        return tuple(sorted(self.kinds)) if self.is_deleted else ()


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
        account: of the layers.
        skipped: regions that are left out, each with the reason.
        notes: for the user.
    """

    regions: tuple[RegionReap, ...]
    account: str = ""
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def versions(self) -> tuple[VersionPlan, ...]:
        """The decisions on all layer versions."""
        return tuple(one for each in self.regions for one in each.versions)

    @cached_property
    def deletions(self) -> tuple[VersionPlan, ...]:
        """The layer versions to be deleted."""
        return tuple(each for each in self.versions if each.is_deleted)

    @property
    def unseen(self) -> tuple[tuple[str, str], ...]:
        """The regions that could not be read, each with the error."""
        return tuple((each.region, each.unseen) for each in self.regions if each.unseen)

    @cached_property
    def freed(self) -> int:
        """The bytes of zips that become free, as far as their sizes are known.

        AWS keeps a deleted layer version's zip as long as a function uses it.
        """
        return sum(each.size for each in self.deletions if Reason.USED not in each.overridden)

    @cached_property
    def digest(self) -> str:
        """The digest over what is deleted; see `reap_digest`."""
        return reap_digest((str(each.version.arn), each.overridden) for each in self.deletions)


def region_reap(use: RegionUse, request: ReapRequest, references: References) -> RegionReap:
    """Decide for each selected layer version of a region; for none if the region was not read."""
    if use.unseen:
        return RegionReap(region=use.region, unseen=use.unseen)
    ranks = _ranks(use, across_versions=request.across_versions)
    selected = (
        each for each in use.versions if request.selects(each.arn.name, use.parts[each.arn.name])
    )
    return RegionReap(
        region=use.region,
        versions=tuple(
            VersionPlan(
                version=each,
                parts=use.parts[each.arn.name],
                recorded=use.recorded.get(str(each.arn)),
                reasons=tuple(_reasons(each, ranks[str(each.arn)], use, request, references)),
                forced=request.forced,
            )
            for each in sorted(selected, key=lambda each: (each.arn.name, -each.arn.version))
        ),
        left=tuple(each for each in use.left if fnmatchcase(each.what, request.pattern)),
    )


def _ranks(use: RegionUse, *, across_versions: bool) -> dict[str, int]:
    """Return the rank of each layer version among those that it is counted with; 0 is the newest.

    These are the versions of its layer, or of all layers that differ in the collector's version.
    """
    counted: defaultdict[Hashable, list[LayerVersion]] = defaultdict(list)
    for each in use.versions:
        name = each.arn.name
        counted[use.parts[name].series if across_versions else name].append(each)

    def age_key(version: LayerVersion) -> tuple[object, ...]:
        arn = version.arn
        return version_key(use.parts[arn.name].version), arn.version, arn.name

    return {
        str(each.arn): rank
        for versions in counted.values()
        for rank, each in enumerate(sorted(versions, key=age_key, reverse=True))
    }


def _reasons(
    version: LayerVersion,
    rank: int,
    use: RegionUse,
    request: ReapRequest,
    references: References,
) -> Iterator[KeepReason]:
    """Yield all reasons to keep a layer version."""
    arn = str(version.arn)
    recorded = use.recorded.get(arn)
    if rank == 0:
        series = "its layer" if not request.across_versions else "all collector versions"
        yield KeepReason(reason=Reason.NEWEST, text=f"the newest version of {series}")
    yield from _users(arn, use)
    for sha256 in sorted(_sha256s(version, recorded)):
        yield from references.by_sha256.get(sha256, ())
    yield from references.by_arn.get(arn, ())
    if rank < request.keep:
        yield KeepReason(reason=Reason.COUNT, text=f"--keep {request.keep}")
    if young := _young(version, request):
        yield KeepReason(reason=Reason.AGE, text=young)
    if isinstance(recorded, ForeignRow):
        text = f"its row cannot be read: {recorded.reason}"
        yield KeepReason(reason=Reason.UNREADABLE, text=text)


def _users(arn: str, use: RegionUse) -> Iterator[KeepReason]:
    """Yield the functions and parameters that use a layer version."""
    for each in use.functions.get(arn, ()):
        yield KeepReason(reason=Reason.USED, text=f"function {each}")
    for each in use.parameters.get(arn, ()):
        yield KeepReason(reason=Reason.PARAMETER, text=f"parameter {each}")


def _sha256s(version: LayerVersion, recorded: Row | ForeignRow | Tombstone | None) -> set[str]:
    """Return the SHA-256 that AWS, the description and the row name, as far as they do."""
    row = recorded.row if isinstance(recorded, Tombstone) else recorded
    named = {version.sha256, version.described_sha256}
    return {*named, row.code_sha256 if isinstance(row, Row) else ""} - {""}


def _young(version: LayerVersion, request: ReapRequest) -> str:
    """Return why a layer version is too young to be deleted; empty if it is not."""
    if request.older_than is None:
        return ""
    if version.created is None:
        return "its age is not known"
    age = request.now - version.created
    return f"too young: {version.created:%Y-%m-%d %H:%M}" if age < request.older_than else ""


def reap_digest(deletions: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    """Return the digest over layer versions and the overridden reasons to keep each of them.

    AWS never uses the number of a layer version again, so that the ARN stands for its content.

    Args:
        deletions: ARN and overridden reasons, sorted; in any order.
    """
    lines = sorted(f"{arn} {','.join(forced)}\n" for arn, forced in deletions)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:DIGITS]
