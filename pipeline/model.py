"""The words of the domain as frozen values.

What a user writes in YAML is a pydantic model (validated, with a JSON Schema); what the program
works out for itself is a dataclass.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from pipeline.errors import quoted
from pipeline.kinds import KINDS

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

TAG_PREFIX = "lambdacomponents"
CUSTOM_TAG = f"{TAG_PREFIX}.custom"
ALL_TAG = f"{TAG_PREFIX}.all"

_ANY_KIND = "|".join(KINDS)
_PATH = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"

# Python's `$` also stands before a newline at the end; `\Z` is unknown to editors (ECMAScript).
_END = r"$(?!\n)"

DISTRIBUTION_NAME = rf"^(?!.{{65}})[a-z0-9]+(-[a-z0-9]+)*{_END}"
BUILD_TAG = rf"^{TAG_PREFIX}\.(custom|all|({_ANY_KIND})\.[a-z0-9_]+){_END}"
COMPONENT_TAG = rf"^{TAG_PREFIX}\.({_ANY_KIND})\.(?!all$)[a-z0-9_]+{_END}"
# The first element of a Go module path is a host name: https://go.dev/ref/mod#module-path
_MODULE = rf"^[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+(/{_PATH})*"
GO_MODULE = f"{_MODULE}{_END}"
GO_VERSION = r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
GO_MODULE_AT_VERSION = rf"{_MODULE}(@{GO_VERSION})?{_END}"
GO_FUNCTION = rf"^[A-Z][A-Za-z0-9_]*{_END}"

# https://github.com/distribution/reference: [host[:port]/]path[:tag][@digest]
_IMAGE = r"^[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)*(:[A-Za-z0-9._-]{1,128})?"
_DIGEST = "@sha256:[0-9a-f]{64}"
IMAGE_BY_DIGEST = rf"{_IMAGE}{_DIGEST}{_END}"

# Narrower than pydantic's ByteSize, which takes bits and odd spellings that editors do not know.
SIZE = rf"^\d{{1,6}}(\.\d{{1,3}})? ?(B|KB|MB|GB|KiB|MiB|GiB){_END}"
_MOST_BYTES = 2**40

_REGION = r"[a-z]{2}(-[a-z]+)+-\d"
REGION = rf"^{_REGION}{_END}"
DAY = rf"^\d{{4}}-\d{{2}}-\d{{2}}{_END}"
# Words for every region of a partition; they are no set's name.
ALL_REGIONS = {"all": "aws", "all-cn": "aws-cn", "all-us-gov": "aws-us-gov"}
_NO_SET = "|".join((*ALL_REGIONS, _REGION))
REGION_SET = rf"^(?!({_NO_SET})$)(?!.{{41}})[a-z0-9]+(-[a-z0-9]+)*{_END}"

TUNING_NAME = rf"^(?!.{{41}})[a-z0-9]+(-[a-z0-9]+)*{_END}"
_FILE = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
GO_FILE = rf"^({_FILE}/)*({_FILE}\.go|go\.mod){_END}"
# A package's path as Go's sources name it; {module} stands for upstream's own module.
GO_IMPORT = rf"^(\{{module\}}|[a-z0-9][a-z0-9.-]*)(/{_PATH})*{_END}"

DistributionName = Annotated[str, StringConstraints(pattern=DISTRIBUTION_NAME, max_length=64)]
# Python's `$` and `(?!…)` are needed, so these patterns are matched by Python's own engine.
BuildTag = Annotated[str, Field(pattern=BUILD_TAG)]
TuningName = Annotated[str, Field(pattern=TUNING_NAME)]
GoFile = Annotated[str, Field(pattern=GO_FILE, max_length=200)]
GoImport = Annotated[str, Field(pattern=GO_IMPORT, max_length=200)]
GoModule = Annotated[str, Field(pattern=GO_MODULE, max_length=200)]


class Architecture(StrEnum):
    """A processor architecture by its Go name."""

    AMD64 = "amd64"
    ARM64 = "arm64"

    @property
    def lambda_name(self) -> str:
        """The name AWS Lambda uses in CompatibleArchitectures."""
        return "x86_64" if self is Architecture.AMD64 else "arm64"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, regex_engine="python-re")


class Distribution(_Entry):
    """One entry of `config/distributions.yaml`: a named set of components."""

    description: str = Field(
        default="", max_length=200, description="For people; it goes into the layer, as one line."
    )
    base: DistributionName | None = Field(
        default=None, description="A distribution whose build tags come first."
    )
    buildtags: tuple[BuildTag, ...] = Field(
        default=(), strict=False, description="Build tags of the components to switch on."
    )
    config_file: str | None = Field(
        default=None,
        alias="config-file",
        pattern=rf"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\.ya?ml{_END}",
        description="The collector config inside the layer, relative to the config folder.",
    )
    tunings: tuple[TuningName, ...] = Field(
        default=(),
        strict=False,
        description="Tunings of tuning.yaml; those of the base come first.",
    )

    @field_validator("description")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return " ".join(value.split())


class Edit(_Entry):
    """A change of one of upstream's Go files: a short string, and what is to stand in its place."""

    file: GoFile = Field(description="Path below collector/.")
    find: str = Field(min_length=1, max_length=200, description="What is there, exactly.")
    times: int = Field(default=1, ge=1, le=20, description="How often it has to be there.")
    put: str = Field(max_length=2000, description="What is to stand in its place.")
    imports: tuple[GoImport, ...] = Field(
        default=(), strict=False, description="Packages that the file has to import then."
    )


class Replacement(_Entry):
    """A Go module of ours in place of one that upstream's go.mod names."""

    module: GoModule = Field(description="Its path.")
    version: str = Field(
        default="",
        pattern=rf"^({GO_VERSION})?{_END}",
        description="The version that ours stands in for; any if not given.",
    )
    by: str = Field(pattern=rf"^[a-z][a-z0-9]*{_END}", description="Our folder, below tuning/.")


class Tuning(_Entry):
    """One entry of `config/tuning.yaml`: changes of upstream's collector that pay."""

    reason: str = Field(min_length=1, max_length=600, description="Why it is good, for people.")
    gain: str = Field(default="", max_length=300, description="What was measured, and on what.")
    edits: tuple[Edit, ...] = Field(
        default=(), strict=False, description="Changes; all of them or none."
    )
    files: dict[GoFile, GoFile] = Field(
        default_factory=dict[str, str],
        description="Files of our own, .go and go.mod: path below collector/, path below tuning/.",
    )
    replaces: Replacement | None = Field(
        default=None,
        description="A module; where upstream does not have it, the tuning is not needed.",
    )

    @model_validator(mode="after")
    def _something(self) -> Tuning:
        if not self.edits and not self.files and not self.replaces:
            raise ValueError("must have edits, files or replaces")
        return self


class Images(_Entry):
    """`config/images.yaml`: what the Dagger engine's containers are made from."""

    go: str = Field(
        pattern=IMAGE_BY_DIGEST, description="A golang image by digest, of the pinned Go version."
    )


def _size(value: Any) -> Any:  # noqa: ANN401  it may be anything
    if isinstance(value, str) and re.match(SIZE, value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_BYTES:
        return value
    raise ValueError("must be a size such as 14 MiB, or a number of bytes")


Size = Annotated[
    ByteSize,
    BeforeValidator(_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": SIZE},
                {"type": "integer", "minimum": 0, "maximum": _MOST_BYTES},
            ]
        }
    ),
]


Multiple = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Budget(_Entry):
    """One entry of `config/budgets.yaml`: how large and slow a distribution's layers may be."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    zip: Size | None = Field(
        default=None, description="Most bytes of the zip: 14 MiB, or a number."
    )
    unzipped: Size | None = Field(default=None, description="Most bytes of the files in it.")
    modules: int | None = Field(
        default=None, ge=0, description="Most Go modules in the binary, the collector's own aside."
    )
    cpu_to_ready: Multiple | None = Field(
        default=None,
        alias="cpu-to-ready",
        description="Most CPU time from exec to ready, in times that of the reference extension.",
    )
    memory_when_ready: Multiple | None = Field(
        default=None,
        alias="memory-when-ready",
        description="Most memory in use when ready, in times that of the reference extension.",
    )

    @model_validator(mode="after")
    def _something(self) -> Budget:
        if not self.model_fields_set:
            names = [each.alias or name for name, each in Budget.model_fields.items()]
            raise ValueError(f"must limit {', '.join(names[:-1])} or {names[-1]}")
        return self

    @property
    def limits_starts(self) -> bool:
        """Whether it says anything of how a layer starts."""
        return (self.cpu_to_ready, self.memory_when_ready) != (None, None)


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


class Quarantine(_Entry):
    """A region that is left out for some time."""

    region: Region = Field(description="Such as me-south-1.")
    until: Day = Field(description="The last day on which it is left out, in UTC.")
    reason: str = Field(min_length=1, max_length=200, description="For people, as one line.")

    @field_validator("reason")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return " ".join(value.split())

    def counts(self, today: date) -> bool:
        """Whether the region is still left out."""
        return today <= self.until


class Regions(_Entry):
    """`config/regions.yaml`: where layers are published."""

    sets: dict[RegionSet, SomeRegions] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="Regions by the name of their set.",
        json_schema_extra={"additionalProperties": False},
    )
    quarantine: tuple[Quarantine, ...] = Field(
        default=(), strict=False, description="Regions that are left out for some time."
    )


class Component(_Entry):
    """One entry of `config/components.yaml`: a component that upstream does not have."""

    module: str = Field(
        pattern=GO_MODULE_AT_VERSION,
        description="Go module, with @version where it is not the collector's own version.",
    )
    import_path: str | None = Field(
        default=None,
        alias="import",
        pattern=GO_MODULE,
        description="Package that holds the factory; default: the module itself.",
    )
    factory: str = Field(
        default="NewFactory",
        pattern=GO_FUNCTION,
        description="Function that makes the factory and takes no arguments.",
    )

    @model_validator(mode="before")
    @classmethod
    def _module_alone(cls, value: Any) -> Any:  # noqa: ANN401  it may be anything
        return {"module": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _import_inside_module(self) -> Component:
        if not f"{self.package}/".startswith(f"{self.module_path}/"):
            raise ValueError(f"import {self.package} is not inside the module {self.module_path}")
        return self

    @property
    def module_path(self) -> str:
        """The Go module without its version."""
        return self.module.partition("@")[0]

    @property
    def version(self) -> str | None:
        """The Go version after the @, None for the collector's own."""
        return self.module.partition("@")[2] or None

    @property
    def package(self) -> str:
        """The import path of the factory's package."""
        return self.import_path or self.module_path


def name_of(tag: str) -> str:
    """`otlp` for `lambdacomponents.exporter.otlp`."""
    return tag.rpartition(".")[2]


def kind_of(tag: str) -> str:
    """`exporter` for `lambdacomponents.exporter.otlp`; empty for a tag without a kind."""
    match = re.match(rf"^{TAG_PREFIX}\.({_ANY_KIND})\.", tag)
    return match[1] if match else ""


def chosen(tag: str, tags: frozenset[str]) -> bool:
    """Whether a component's tag is switched on by a set of build tags."""
    return bool({tag, ALL_TAG, f"{TAG_PREFIX}.{kind_of(tag)}.all"} & tags)
