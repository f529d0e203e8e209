"""A row of the registry: one published layer version, as other tools know it.

Rows of older tools lack attributes, or have texts where numbers are expected. A row that makes no
sense at all is a `ForeignRow`, which is reported and left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import UsageError, quoted
from pipeline.naming import Architecture, LayerArn, described_text, layer_arn, utc_time

if TYPE_CHECKING:
    from pipeline.aws.dynamodb import Item
    from pipeline.aws.layers import LayerVersion

KEY = "layer_arn"
TIMESTAMP = "publish_timestamp"
SHARED_WITH = "shared_with"
_TEXTS = (
    *("distribution", "distribution_description", "base_layer_arn", "base_name"),
    *("layer_version_str", "collector_version_input", "md5_hash"),
)
# Attributes that only ocelot writes, and only if they are not empty.
_OWN_TEXTS = (
    *("code_sha256", "upstream_repository", "upstream_ref", "upstream_commit", "ocelot"),
    *("benched", "license_info"),
)
_OWN_LISTS = ("compatible_architectures", SHARED_WITH)
# Numbers; 0 is not written.
_OWN_NUMBERS = ("zip_size", "unzipped_size", "cpu_times", "memory_times")
# Keys of indexes, which may not be empty.
_INDEXED = ("distribution", "base_layer_arn")
# Every attribute, in the order in which it is shown.
COLUMNS = (
    *(KEY, *_TEXTS, "architecture", "region", "version", TIMESTAMP, "public"),
    *("compatible_runtimes", *_OWN_TEXTS, *_OWN_LISTS, *_OWN_NUMBERS),
)
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_ARCHITECTURES = {name: each for each in Architecture for name in (each.value, each.lambda_name)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One layer version.

    Attributes:
        arn: of the layer version, with its region and version number.
        distribution: name of the distribution.
        architecture: of the layer.
        distribution_description: for people.
        base_layer_arn: ARN of the layer version of the distribution's base; empty for none.
        base_name: beginning of the publisher's layer names, such as `ocel`.
        layer_version_str: the version in the layer's name, such as `0_158_0`.
        collector_version_input: the collector's version, such as v0.158.0.
        md5_hash: of the zip, in hex.
        publish_timestamp: in UTC; None if an older tool's row has none.
        public: whether every AWS account may use the layer version.
        compatible_runtimes: runtimes, by Lambda's names.
        code_sha256: of the zip, in hex; empty in rows of older tools, as are all that follow.
        upstream_repository: repository of the collector's sources.
        upstream_ref: the requested branch or tag.
        upstream_commit: full SHA.
        ocelot: version of ocelot.
        benched: result of the bench before publishing, as in the manifest.
        license_info: licence of the layer version.
        compatible_architectures: of the layer version, by Lambda's names.
        shared_with: the organisations and accounts that may use the layer version, such as
            `org:o-a1b2c3d4e5` and `account:123456789012`, sorted.
        zip_size: bytes of the zip; 0 if it is not known, as for all that follow.
        unzipped_size: bytes of its files.
        cpu_times: CPU time of a start on the bench, as a multiple of the reference extension's.
        memory_times: memory when ready, as a multiple of the reference extension's.
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
    license_info: str = ""
    compatible_architectures: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()
    zip_size: int = 0
    unzipped_size: int = 0
    cpu_times: float = 0
    memory_times: float = 0

    @property
    def region(self) -> str:
        """The layer version's region."""
        return self.arn.region

    @property
    def version(self) -> int:
        """The layer version's number; each region has its own numbers."""
        return self.arn.version

    @property
    def release_group(self) -> str:
        """The end of the layer's name, such as `beta`; empty for a name of another form."""
        _, found, group = self.arn.name.rpartition(f"-{self.layer_version_str}-")
        return group if found else ""

    @property
    def age_key(self) -> tuple[datetime, int]:
        """Sort key from the oldest row to the newest; rows without a time come first."""
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
            **{name: getattr(self, name) for name in _OWN_TEXTS},
            **{name: list(getattr(self, name)) for name in _OWN_LISTS},
            **{name: getattr(self, name) for name in _OWN_NUMBERS},
        }

    def item(self) -> Item:
        """The row as DynamoDB stores it."""
        optional = (TIMESTAMP, *_OWN_TEXTS, *_OWN_LISTS, *_OWN_NUMBERS, *_INDEXED)
        return {
            name: attribute(value)
            for name, value in self.data().items()
            if value not in ("", [], 0) or name not in optional
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignRow:
    """A row that cannot be read.

    Attributes:
        key: its key, as in the table.
        reason: a few words on what is wrong.
    """

    key: str
    reason: str

    def __str__(self) -> str:
        return f"{quoted(self.key)}: {self.reason}"


def read_row(item: Item) -> Row | ForeignRow:
    """Return the row of an item, which another tool may have written."""
    key = text_of(item.get(KEY))
    try:
        arn = layer_arn(key)
    except UsageError:
        return ForeignRow(key=key, reason=f"its {KEY} is no ARN of a layer version")
    texts = {name: text_of(item.get(name)) for name in (*_TEXTS, *_OWN_TEXTS)}
    architecture = text_of(item.get("architecture"))
    if reason := next(_contradictions(item, arn), ""):
        return ForeignRow(key=key, reason=reason)
    return Row(
        arn=arn,
        architecture=_ARCHITECTURES[architecture],
        publish_timestamp=utc_time(text_of(item.get(TIMESTAMP))),
        public=_flag(item.get("public")),
        compatible_runtimes=words_of(item.get("compatible_runtimes")),
        compatible_architectures=words_of(item.get("compatible_architectures")),
        shared_with=tuple(sorted(words_of(item.get(SHARED_WITH)))),
        zip_size=int(_number(item.get("zip_size"))),
        unzipped_size=int(_number(item.get("unzipped_size"))),
        cpu_times=_number(item.get("cpu_times")),
        memory_times=_number(item.get("memory_times")),
        **texts,
    )


def base_layer_arn(rows: Iterable[Row], of: Row, base: str | None) -> str:
    """Return the ARN of the layer version of a distribution's base; empty if there is none.

    It is the newest one of the same account, region, architecture and collector version; the same
    release group is preferred.

    Args:
        rows: the base's, maybe among others.
        of: the row that will name the ARN.
        base: name of the distribution's base; None if it has none.
    """

    def matches(row: Row) -> bool:
        return (
            row.distribution == base
            and row.arn.layer.rpartition(":")[0] == of.arn.layer.rpartition(":")[0]
            and (row.architecture, row.layer_version_str) == (of.architecture, of.layer_version_str)
        )

    def rank(row: Row) -> tuple[bool, datetime, int]:
        return (row.release_group == of.release_group, *row.age_key)

    newest = max((row for row in rows if matches(row)), key=rank, default=None)
    return str(newest.arn) if newest else ""


def _contradictions(item: Item, arn: LayerArn) -> Iterator[str]:
    """Yield the reasons why an item with that ARN cannot be read."""
    architecture = text_of(item.get("architecture"))
    region, version = text_of(item.get("region")), text_of(item.get("version"))
    if not text_of(item.get("distribution")):
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


def attribute(value: object) -> Mapping[str, Any]:
    """Return a text, number, boolean or list of texts as DynamoDB stores it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, list):
        return {"L": [{"S": each} for each in cast("list[str]", value)]}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def _attributes(value: object) -> Mapping[str, object]:
    """Return an attribute's types and values; none if it is no attribute."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def text_of(value: object) -> str:
    """Return a text or number as text; empty for anything else."""
    attributes = _attributes(value)
    found = attributes.get("S", attributes.get("N"))
    return found if isinstance(found, str) else ""


def _number(value: object) -> float:
    """Return a number or text as a number; 0 for anything else, also for less than 0."""
    text = text_of(value)
    return float(text) if _NUMBER.fullmatch(text) else 0


def _flag(value: object) -> bool:
    """Return True for a boolean, text or number that means true."""
    in_words = text_of(value).strip().lower() in ("true", "yes", "1")
    return in_words or _attributes(value).get("BOOL") is True


def words_of(value: object) -> tuple[str, ...]:
    """Return the words of a list, of a set, or of one text."""
    attributes = _attributes(value)
    as_list, as_set = attributes.get("L"), attributes.get("SS")
    if isinstance(as_list, list):
        texts = (text_of(each) for each in cast("list[object]", as_list))
        return tuple(text for text in texts if text)
    if isinstance(as_set, list):
        return tuple(each for each in cast("list[object]", as_set) if isinstance(each, str))
    return tuple(re.findall(r"[A-Za-z0-9._-]+", text_of(value)))


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
    """Return the row of a layer version, from AWS' facts and the publisher's.

    Both publishing and syncing make their rows by this function.

    Args:
        version: with its sha256.
        distribution: name of the distribution.
        description: of the distribution, for people; the layer version's own takes its place.
        architecture: of the layer.
        base_name: beginning of the layer's name.
        version_in_name: the collector's version as in the layer's name, such as 0_158_0.
        collector_version: such as v0.158.0; empty if it is not known.
    """
    return Row(
        arn=version.arn,
        distribution=distribution,
        distribution_description=described_text(version.description, description),
        architecture=architecture,
        base_name=base_name,
        layer_version_str=version_in_name,
        collector_version_input=collector_version,
        publish_timestamp=version.created,
        public=version.policy.public,
        compatible_runtimes=version.runtimes,
        code_sha256=version.sha256,
        license_info=version.licence,
        compatible_architectures=version.architectures,
        shared_with=version.policy.shared_with,
    )


def row_as_in_aws(row: Row, version: LayerVersion) -> Row:
    """Return a row with the attributes that AWS has of its layer version.

    Attributes that an older tool did not write are not added.
    """
    same_runtimes = set(row.compatible_runtimes) == set(version.runtimes)
    architectures, licence = row.compatible_architectures, row.license_info
    text = row.distribution_description
    return replace(
        row,
        public=version.policy.public,
        distribution_description=text and described_text(version.description, text),
        compatible_runtimes=row.compatible_runtimes if same_runtimes else version.runtimes,
        compatible_architectures=architectures and (version.architectures or architectures),
        license_info=licence and (version.licence or licence),
        shared_with=version.policy.shared_with,
    )
