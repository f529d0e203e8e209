"""`config/regions.yaml`: sets of regions, and regions that are left out for some time."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator

from pipeline.config.entries import END, ConfigModel
from pipeline.errors import quoted

REGIONS = "regions.yaml"

_REGION = r"[a-z]{2}(-[a-z]+)+-\d"
REGION = rf"^{_REGION}{END}"
DAY = rf"^\d{{4}}-\d{{2}}-\d{{2}}{END}"
# Words for every region of a partition; they are no set's name.
ALL_REGIONS = {"all": "aws", "all-cn": "aws-cn", "all-us-gov": "aws-us-gov"}
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
    """A date, which YAML gives as such unless it stands in quotes."""
    try:
        if isinstance(value, str) and re.match(DAY, value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # no such day
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
    AfterValidator(_not_empty),  # of min_length pydantic complains for each bad region as well
    Field(strict=False, json_schema_extra={"minItems": 1}),
]


class Quarantine(ConfigModel):
    """A region that is left out for some time."""

    region: Region = Field(description="Such as me-south-1.")
    until: Day = Field(description="The last day on which it is left out, in UTC.")
    reason: str = Field(min_length=1, max_length=200, description="For people, as one line.")

    @field_validator("reason")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return " ".join(value.split())

    def counts(self, today: date) -> bool:
        """True while the region is still left out."""
        return today <= self.until


class Regions(ConfigModel):
    """`config/regions.yaml`: where layers are published."""

    sets: dict[RegionSet, SomeRegions] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="Regions by the name of their set.",
        json_schema_extra={"additionalProperties": False},
    )
    quarantine: tuple[Quarantine, ...] = Field(
        default=(), strict=False, description="Regions that are left out for some time."
    )
