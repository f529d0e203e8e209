"""`config/regions.yaml`: sets of regions, and regions in quarantine."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator

from pipeline.config.entries import END, ConfigModel, Entries, one_line, read_optional_entry
from pipeline.errors import quoted
from pipeline.naming import PARTITIONS

REGIONS = "regions.yaml"

_REGION = r"[a-z]{2,4}(-[a-z]+)+-\d"
REGION = rf"^{_REGION}{END}"
DAY = rf"^\d{{4}}-\d{{2}}-\d{{2}}{END}"
# Names for all regions of a partition; no set may have such a name.
ALL_REGIONS = {each.replace("aws", "all"): each for each in PARTITIONS}
_NO_SET = "|".join((*ALL_REGIONS, _REGION))
REGION_SET = rf"^(?!({_NO_SET})$)(?!.{{41}})[a-z0-9]+(-[a-z0-9]+)*{END}"


def _region(value: Any) -> Any:  # noqa: ANN401  it may be anything
    if isinstance(value, str) and re.match(REGION, value):
        return value
    raise ValueError(f"{quoted(str(value))} is no region such as eu-west-1")


def _region_set(value: Any) -> Any:  # noqa: ANN401  it may be anything
    if isinstance(value, str) and re.match(REGION_SET, value):
        return value
    raise ValueError(f"{quoted(str(value))} cannot be the name of a set of regions")


def _day(value: Any) -> Any:  # noqa: ANN401  it may be anything
    """Return the date of an unquoted date in YAML, or of a quoted one, which is a string."""
    try:
        if isinstance(value, str) and re.match(DAY, value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # there is no such day
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("must be a date such as 2027-01-31")


Region = Annotated[
    str, BeforeValidator(_region), WithJsonSchema({"type": "string", "pattern": REGION})
]
RegionSet = Annotated[
    str, BeforeValidator(_region_set), WithJsonSchema({"type": "string", "pattern": REGION_SET})
]
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY}),
]


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must name a region")
    return value


SomeRegions = Annotated[
    tuple[Region, ...],
    AfterValidator(_not_empty),  # pydantic reports min_length also where a region is wrong
    Field(strict=False, json_schema_extra={"minItems": 1}),
]


class Quarantine(ConfigModel):
    """A region to which nothing is published for some time."""

    region: Region = Field(description="Such as me-south-1.")
    until: Day = Field(description="The last day of the quarantine, in UTC.")
    reason: str = Field(min_length=1, max_length=200, description="For people, as one line.")

    _one_line = field_validator("reason")(one_line)

    def is_active(self, today: date) -> bool:
        """Return True up to the last day of the quarantine."""
        return today <= self.until


class Regions(ConfigModel):
    """`config/regions.yaml`: where layers are published."""

    sets: dict[RegionSet, SomeRegions] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="Sets of regions by name.",
        json_schema_extra={"additionalProperties": False},
    )
    quarantine: tuple[Quarantine, ...] = Field(
        default=(), strict=False, description="Regions that are left out for some time."
    )


def read_regions(folder: Path) -> Entries[Regions]:
    """Read regions.yaml, which a folder need not have; its one entry has the file's name."""
    return read_optional_entry(folder, REGIONS, Regions)
