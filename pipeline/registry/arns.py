"""The ARNs of layer versions by region and architecture. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.naming import Architecture
from pipeline.registry.row import Row


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionArns:
    """The layer versions of a region.

    Attributes:
        region: such as `eu-west-1`.
        name: its display name; empty if it is not known.
        rows: for each column of the table the row of a layer version, or None.
    """

    region: str
    name: str
    rows: tuple[Row | None, ...]

    @property
    def label(self) -> str:
        """The region with its display name, such as `eu-west-1 · Europe (Ireland)`."""
        return f"{self.region} · {self.name}" if self.name else self.region

    @property
    def arns(self) -> tuple[str, ...]:
        """For each column the ARN, empty if the region has no layer version of it."""
        return tuple(str(row.arn) if row else "" for row in self.rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArnTable:
    """The layer versions of a release.

    Attributes:
        architectures: the columns, sorted.
        regions: sorted.
    """

    architectures: tuple[Architecture, ...]
    regions: tuple[RegionArns, ...]


def arn_table(rows: Iterable[Row], names: Mapping[str, str]) -> ArnTable:
    """Return the ARNs of a release by region and architecture.

    Args:
        rows: of one release; of several for a region and architecture the newest is taken.
        names: display names of regions.
    """
    cells = {
        (row.region, row.architecture): row for row in sorted(rows, key=lambda row: row.age_key)
    }
    architectures = tuple(sorted({architecture for _, architecture in cells}))
    return ArnTable(
        architectures=architectures,
        regions=tuple(
            RegionArns(
                region=region,
                name=names.get(region, ""),
                rows=tuple(cells.get((region, each)) for each in architectures),
            )
            for region in sorted({region for region, _ in cells})
        ),
    )
