"""Selected rows and tombstones, newest first; a distribution's releases and what each changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pipeline.naming import Architecture, version_in_name
from pipeline.registry.row import Row
from pipeline.registry.tombstone import Tombstone

_SHOWN = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class RowFilter:
    """A selection of rows; an empty field or None selects all.

    Attributes:
        distribution: name of the distribution.
        region: such as `eu-west-1`.
        architecture: of the layer.
        version: the collector's, as v0.158.0, 0.158.0 or 0_158_0.
        public: whether every AWS account may use the layer version.
    """

    distribution: str = ""
    region: str = ""
    architecture: Architecture | None = None
    version: str = ""
    public: bool | None = None

    def matches(self, row: Row) -> bool:
        """True if a row is selected."""
        return (
            self.distribution in ("", row.distribution)
            and self.region in ("", row.region)
            and self.architecture in (None, row.architecture)
            and self.public in (None, row.public)
            and (not self.version or version_in_name(self.version) == _version(row))
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One layer with one content, in all regions where it was published.

    Attributes:
        name: the layer's.
        rows: from the oldest to the newest.
        changes: differences from the release before, of the same architecture and release group;
            empty for the first.
    """

    name: str
    rows: tuple[Row, ...]
    changes: tuple[str, ...] = ()

    @property
    def first(self) -> Row:
        """The row that was written first."""
        return self.rows[0]

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions where it was published, sorted."""
        return tuple(sorted({row.region for row in self.rows}))

    @property
    def public(self) -> tuple[str, ...]:
        """The regions in which every AWS account may use it, sorted."""
        return tuple(sorted({row.region for row in self.rows if row.public}))

    @property
    def shared_with(self) -> dict[str, int]:
        """The organisations and accounts that may use it, sorted, each with its number of regions.

        A region counts once, also with several layer versions.
        """
        pairs = {(one, row.region) for row in self.rows for one in row.shared_with}
        return dict(sorted(Counter(one for one, _ in pairs).items()))

    @property
    def published(self) -> datetime | None:
        """The time when it was first published."""
        return self.first.publish_timestamp


def selected(rows: Iterable[Row], selection: RowFilter) -> tuple[Row, ...]:
    """Return the selected rows, the newest first."""
    found = sorted((row for row in rows if selection.matches(row)), key=lambda row: str(row.arn))
    return tuple(sorted(found, key=lambda row: row.age_key, reverse=True))


def selected_tombstones(
    tombstones: Iterable[Tombstone], selection: RowFilter
) -> tuple[Tombstone, ...]:
    """Return the tombstones of selected rows, the newest deletion first."""
    found = sorted(
        (each for each in tombstones if selection.matches(each.row)), key=lambda each: str(each.arn)
    )
    return tuple(sorted(found, key=lambda each: each.deleted_at, reverse=True))


def releases(rows: Iterable[Row]) -> tuple[Release, ...]:
    """Return the releases of a distribution's rows, the newest first.

    Rows of the same layer name and content are one release, whatever number each region gave its
    layer version.
    """
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.age_key, str(row.arn))):
        grouped.setdefault((row.arn.name, row.code_sha256 or row.md5_hash), []).append(row)
    return tuple(reversed(tuple(_with_changes(grouped))))


def newest_releases(rows: Iterable[Row]) -> tuple[tuple[Row, ...], ...]:
    """Return the rows of the newest release of each distribution and release group, sorted.

    They are those of the newest collector version, and of the newest content of each architecture.
    """
    series: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        series.setdefault((row.distribution, row.release_group), []).append(row)
    return tuple(_newest(series[key]) for key in sorted(series))


def _newest(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows of the newest release of one distribution and release group."""
    first, *others = releases(rows)
    version = _version(first.first)
    newest: dict[Architecture, Release] = {}
    for each in (first, *others):
        if _version(each.first) == version:
            newest.setdefault(each.first.architecture, each)
    return tuple(row for architecture in sorted(newest) for row in newest[architecture].rows)


def _with_changes(grouped: dict[tuple[str, str], list[Row]]) -> Iterator[Release]:
    """Yield the releases from the oldest to the newest, each with its changes."""
    previous: dict[tuple[Architecture, str], Row] = {}
    for (name, _), rows in grouped.items():
        series = (rows[0].architecture, rows[0].release_group)
        changes = tuple(_changes(previous[series], rows[0])) if series in previous else ()
        yield Release(name=name, rows=tuple(rows), changes=changes)
        previous[series] = rows[0]


def _changes(old: Row, new: Row) -> Iterator[str]:
    if _version(old) != _version(new):
        yield f"collector {_collector(old)} -> {_collector(new)}"
    if old.base_name != new.base_name:
        yield f"name {old.base_name} -> {new.base_name}"
    if old.upstream_commit and new.upstream_commit and old.upstream_commit != new.upstream_commit:
        yield f"commit {old.upstream_commit[:_SHOWN]} -> {new.upstream_commit[:_SHOWN]}"
    for digest, before, after in (
        ("sha256", old.code_sha256, new.code_sha256),
        ("md5", old.md5_hash, new.md5_hash),
    ):
        if before and after:
            if before != after:
                yield f"{digest} {before[:_SHOWN]} -> {after[:_SHOWN]}"
            return


def _version(row: Row) -> str:
    return row.layer_version_str or version_in_name(row.collector_version_input)


def _collector(row: Row) -> str:
    return row.collector_version_input or row.layer_version_str
