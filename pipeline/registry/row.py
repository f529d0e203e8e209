"""A row of the registry: one published layer version, as other tools know it.

Rows may be of older tools: they lack attributes, or have texts where numbers are expected. What
cannot be understood at all is a `ForeignRow`, to be told and left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.naming import utc_time

if TYPE_CHECKING:
    from pipeline.aws.dynamodb import Item
    from pipeline.aws.layers import LayerVersion

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from pipeline.errors import UsageError, quoted
from pipeline.naming import Architecture, LayerArn, layer_arn

KEY = "layer_arn"
TIMESTAMP = "publish_timestamp"
_TEXTS = (
    *("distribution", "distribution_description", "base_layer_arn", "base_name"),
    *("layer_version_str", "collector_version_input", "md5_hash"),
)
# Attributes that older tools do not know; they are written where they say something.
_OURS = (
    *("code_sha256", "upstream_repository", "upstream_ref", "upstream_commit", "ocelot"),
    "benched",
)
# Keys of indexes may not be empty.
_INDEXED = ("distribution", "base_layer_arn")
# Every attribute, in the order in which it is shown.
COLUMNS = (
    *(KEY, *_TEXTS, "architecture", "region", "version", TIMESTAMP, "public"),
    *("compatible_runtimes", *_OURS),
)
_ARCHITECTURES = {name: each for each in Architecture for name in (each.value, each.lambda_name)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One layer version.

    Attributes:
        arn: names it; region and version number stand in it.
        distribution: its name.
        architecture: what it is for.
        distribution_description: for people.
        base_layer_arn: layer version ARN of the distribution's base; empty without one.
        base_name: what all layers of the publisher begin with, such as `ocel`.
        layer_version_str: the version in the layer's name, such as `0_158_0`.
        collector_version_input: the collector's version, such as v0.158.0.
        md5_hash: of the zip, in hex.
        publish_timestamp: in UTC; None where an older tool's row has none.
        public: whether every AWS account may use it.
        compatible_runtimes: Lambda's names of runtimes.
        code_sha256: of the zip, in hex; empty in rows of older tools, as all that follow.
        upstream_repository: where the collector's sources came from.
        upstream_ref: the branch or tag that was asked for.
        upstream_commit: full SHA.
        ocelot: version of ocelot.
        benched: what the bench found before it was published, as in the manifest.
    """

    arn: LayerArn
    distribution: str
    architecture: Architecture
    distribution_description: str = ""
    base_layer_arn: str = ""
    base_name: str = ""
    layer_version_str: str = ""
    collector_version_input: str = ""
    md5_hash: str = ""
    publish_timestamp: datetime | None = None
    public: bool = False
    compatible_runtimes: tuple[str, ...] = ()
    code_sha256: str = ""
    upstream_repository: str = ""
    upstream_ref: str = ""
    upstream_commit: str = ""
    ocelot: str = ""
    benched: str = ""

    @property
    def region(self) -> str:
        """Where it is."""
        return self.arn.region

    @property
    def version(self) -> int:
        """The layer version's number, which each region counts for itself."""
        return self.arn.version

    @property
    def release_group(self) -> str:
        """What the layer's name ends with, such as `beta`; empty for another name."""
        _, mark, group = self.arn.name.rpartition(f"-{self.layer_version_str}-")
        return group if mark else ""

    @property
    def age_key(self) -> tuple[datetime, int]:
        """What sorts rows from the oldest to the newest; those without a time come first."""
        return self.publish_timestamp or datetime.min.replace(tzinfo=UTC), self.version

    def data(self) -> dict[str, Any]:
        """All attributes by name, as values for JSON."""
        when = self.publish_timestamp
        return {
            KEY: str(self.arn),
            **{name: getattr(self, name) for name in _TEXTS},
            "architecture": self.architecture.value,
            "region": self.region,
            "version": self.version,
            TIMESTAMP: when.astimezone(UTC).isoformat() if when else "",
            "public": self.public,
            "compatible_runtimes": list(self.compatible_runtimes),
            **{name: getattr(self, name) for name in _OURS},
        }

    def item(self) -> Item:
        """The row as DynamoDB stores it."""
        silent = (TIMESTAMP, *_OURS, *_INDEXED)
        return {
            name: _attribute(value)
            for name, value in self.data().items()
            if value != "" or name not in silent
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignRow:
    """A row that cannot be understood.

    Attributes:
        key: its key, as it stands there.
        reason: what is wrong with it.
    """

    key: str
    reason: str

    def __str__(self) -> str:
        return f"{quoted(self.key)}: {self.reason}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """What the registry answers: rows, and what there is besides."""

    rows: tuple[Row, ...]
    foreign: tuple[ForeignRow, ...] = ()


def read_rows(items: Iterable[Item]) -> Rows:
    """Rows of items, in their order."""
    read = tuple(read_row(item) for item in items)
    return Rows(
        rows=tuple(each for each in read if isinstance(each, Row)),
        foreign=tuple(each for each in read if isinstance(each, ForeignRow)),
    )


def read_row(item: Item) -> Row | ForeignRow:
    """The row of an item, whoever wrote it."""
    key = _text(item.get(KEY))
    try:
        arn = layer_arn(key)
    except UsageError:
        return ForeignRow(key=key, reason=f"its {KEY} is no ARN of a layer version")
    texts = {name: _text(item.get(name)) for name in (*_TEXTS, *_OURS)}
    architecture = _text(item.get("architecture"))
    if reason := next(_contradictions(item, arn), ""):
        return ForeignRow(key=key, reason=reason)
    return Row(
        arn=arn,
        architecture=_ARCHITECTURES[architecture],
        publish_timestamp=utc_time(_text(item.get(TIMESTAMP))),
        public=_flag(item.get("public")),
        compatible_runtimes=_words(item.get("compatible_runtimes")),
        **texts,
    )


def base_layer_arn(rows: Iterable[Row], of: Row, base: str | None) -> str:
    """The layer version of a distribution's base that goes with a row; empty for none.

    It is the newest of the base's of the same account, region, architecture and collector's
    version; one of the same release group comes before all others.

    Args:
        rows: those of the base, among others.
        of: the row that is about to be written.
        base: the name of the base of its distribution; None where it has none.
    """

    def fitting(row: Row) -> bool:
        return (
            row.distribution == base
            and row.arn.layer.rpartition(":")[0] == of.arn.layer.rpartition(":")[0]
            and (row.architecture, row.layer_version_str) == (of.architecture, of.layer_version_str)
        )

    def rank(row: Row) -> tuple[bool, datetime, int]:
        return (row.release_group == of.release_group, *row.age_key)

    newest = max((row for row in rows if fitting(row)), key=rank, default=None)
    return str(newest.arn) if newest else ""


def _contradictions(item: Item, arn: LayerArn) -> Iterator[str]:
    """What keeps an item of that ARN from being a row."""
    architecture = _text(item.get("architecture"))
    region, version = _text(item.get("region")), _text(item.get("version"))
    if not _text(item.get("distribution")):
        yield "it has no distribution"
    if architecture not in _ARCHITECTURES:
        yield f"its architecture is {quoted(architecture)}"
    if region and region != arn.region:
        yield f"its region is {quoted(region)}, but its ARN is of {arn.region}"
    if version and not _same_number(version, arn.version):
        yield f"its version is {quoted(version)}, but its ARN is of {arn.version}"


def _same_number(text: str, number: int) -> bool:
    try:
        return float(text) == number
    except ValueError:
        return False


def _attribute(value: object) -> Mapping[str, Any]:
    """A text, number, truth or list of texts as DynamoDB stores it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, list):
        return {"L": [{"S": each} for each in cast("list[str]", value)]}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def _attributes(value: object) -> Mapping[str, object]:
    """An attribute's types and values; none where it is no attribute."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    """A text or number as text; empty for anything else."""
    attributes = _attributes(value)
    found = attributes.get("S", attributes.get("N"))
    return found if isinstance(found, str) else ""


def _flag(value: object) -> bool:
    """A boolean, be it in words."""
    in_words = _text(value).strip().lower() in ("true", "yes", "1")
    return in_words or _attributes(value).get("BOOL") is True


def _words(value: object) -> tuple[str, ...]:
    """Words of a list, of a set, or of one text that has them all."""
    attributes = _attributes(value)
    listed, several = attributes.get("L"), attributes.get("SS")
    if isinstance(listed, list):
        texts = (_text(each) for each in cast("list[object]", listed))
        return tuple(text for text in texts if text)
    if isinstance(several, list):
        return tuple(each for each in cast("list[object]", several) if isinstance(each, str))
    return tuple(re.findall(r"[A-Za-z0-9._-]+", _text(value)))


def layer_row(
    version: LayerVersion,
    *,
    distribution: str,
    description: str,
    architecture: Architecture,
    base_name: str,
    version_in_name: str,
    collector_version: str,
) -> Row:
    """Return the row of a layer version: what AWS shows of it, and what its maker knows.

    Publishing and syncing make rows here alone.

    Args:
        version: with its sha256.
        distribution: its name.
        description: of the distribution, for people.
        architecture: of the layer.
        base_name: what the layer's name begins with.
        version_in_name: the collector's version as in the layer's name, such as 0_158_0.
        collector_version: such as v0.158.0; empty if it is not known.
    """
    return Row(
        arn=version.arn,
        distribution=distribution,
        distribution_description=description,
        architecture=architecture,
        base_name=base_name,
        layer_version_str=version_in_name,
        collector_version_input=collector_version,
        publish_timestamp=version.created,
        public=version.public,
        compatible_runtimes=version.runtimes,
        code_sha256=version.sha256,
    )
