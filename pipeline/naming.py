"""The names that other tools know, as pure functions."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pipeline.errors import UsageError, quoted

# Kinds of collector components.
KINDS = ("receiver", "exporter", "processor", "extension", "connector")
ANY_KIND = "|".join(KINDS)

# Go build tags of upstream's collector.
TAG_PREFIX = "lambdacomponents"
CUSTOM_TAG = f"{TAG_PREFIX}.custom"
ALL_TAG = f"{TAG_PREFIX}.all"

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ZIP = re.compile(r"collector-(amd64|arm64)-([a-z0-9-]+)\.zip\Z")
_ARN = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):lambda:([a-z]{2}(?:-[a-z]+)+-[0-9]):([0-9]{12}):layer:"
    r"([A-Za-z0-9_-]{1,140}):([0-9]{1,9})\Z"
)
_ROLE = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):iam::([0-9]{12}):role/(?:[!-~]+/)?([A-Za-z0-9+=,.@_-]{1,64})\Z"
)
_VERSION = r"[0-9]+_[0-9]+_[0-9]+[A-Za-z0-9_]*"


_DESCRIBED = re.compile(r"(?:^| )sha256:([0-9a-f]{64})\Z")

# https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
LONGEST_NAME = 140
LONGEST_DESCRIPTION = 256


class Architecture(StrEnum):
    """A processor architecture by its Go name."""

    AMD64 = "amd64"
    ARM64 = "arm64"

    @property
    def lambda_name(self) -> str:
        """The name AWS Lambda uses in CompatibleArchitectures."""
        return "x86_64" if self is Architecture.AMD64 else "arm64"


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerArn:
    """A layer version by its ARN."""

    partition: str
    region: str
    account: str
    name: str
    version: int

    @property
    def layer(self) -> str:
        """The layer's ARN, without the version."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:layer:{self.name}"

    def __str__(self) -> str:
        return f"{self.layer}:{self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleArn:
    """A role by its ARN.

    Attributes:
        name: without the path that may stand before it.
        text: the ARN itself.
    """

    partition: str
    account: str
    name: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerNameParts:
    """What a layer's name says.

    Attributes:
        version: the collector's, such as `0_158_0`.
        release_group: such as `beta`.
    """

    architecture: Architecture
    distribution: str
    version: str
    release_group: str

    @property
    def collector_version(self) -> str:
        """Such as v0.158.0; empty where the words may stand for several versions."""
        plain = re.fullmatch(r"[0-9]+_[0-9]+_[0-9]+", self.version)
        return f"v{self.version.replace('_', '.')}" if plain else ""


def zip_name(architecture: Architecture, distribution: str) -> str:
    """File name of a layer's zip."""
    return f"collector-{architecture}-{distribution}.zip"


def zip_parts(name: str) -> tuple[Architecture, str] | None:
    """Architecture and distribution of a zip's file name; None for another name."""
    found = _ZIP.match(name)
    return (Architecture(found[1]), found[2]) if found else None


def layer_name(
    base: str,
    architecture: Architecture,
    distribution: str,
    version: str,
    release_group: str,
) -> str:
    """The layer's name, such as `ocel-amd64-minimal-0_158_0-beta`.

    Args:
        base: what all layers of a publisher begin with.
        architecture: of the layer.
        distribution: its name.
        version: the collector's, such as v0.158.0.
        release_group: such as `beta` or `prod`.

    Raises:
        UsageError: AWS takes no such name.
    """
    name = f"{base}-{architecture}-{distribution}-{version_in_name(version)}-{release_group}"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or len(name) > LONGEST_NAME:
        raise UsageError(
            f"{quoted(name)} cannot be a layer's name",
            hint=f"letters, digits, - and _, {LONGEST_NAME} at most: shorten --layer-name or "
            "--release-group",
        )
    return name


def version_in_name(version: str) -> str:
    """A version as it stands in a layer's name: `0_158_0` for v0.158.0."""
    return re.sub(r"[^A-Za-z0-9]", "_", version.removeprefix("v"))


def layer_description(text: str, sha256: str) -> str:
    """A layer version's description: words for people, cut to fit, and the zip's SHA-256."""
    mark = f"sha256:{sha256}"
    room = LONGEST_DESCRIPTION - len(mark) - 1
    words = " ".join(text.split())
    words = words if len(words) <= room else f"{words[: room - 1]}…"
    return f"{words} {mark}".strip()


def described_sha256(description: str) -> str:
    """The SHA-256 that a layer version's description names; empty for none."""
    found = _DESCRIBED.search(description)
    return found[1] if found else ""


def layer_arn(text: str) -> LayerArn:
    """A layer version's ARN, taken apart.

    Raises:
        UsageError: it is none.
    """
    found = _ARN.match(text)
    if found is None:
        raise UsageError(
            f"{quoted(text)} is no ARN of a layer version",
            hint="such as arn:aws:lambda:eu-west-1:123456789012:layer:<name>:<version>",
        )
    partition, region, account, name, version = found.groups()
    return LayerArn(
        partition=partition, region=region, account=account, name=name, version=int(version)
    )


def role_arn(text: str) -> RoleArn:
    """A role's ARN, taken apart.

    Raises:
        UsageError: it is none.
    """
    found = _ROLE.match(text)
    if found is None:
        raise UsageError(
            f"{quoted(text)} is no ARN of a role",
            hint="such as arn:aws:iam::123456789012:role/<name>",
        )
    partition, account, name = found.groups()
    return RoleArn(partition=partition, account=account, name=name, text=text)


def layer_parts(name: str, distributions: Collection[str]) -> tuple[Architecture, str] | None:
    """Architecture and distribution of a layer's name; None where it has none of them.

    The longest name counts: it may have another's, or an architecture's, in its own.
    """
    for each in sorted(distributions, key=len, reverse=True):
        pattern = rf"(?:.+-)?(amd64|arm64)-{re.escape(each)}-{_VERSION}(?:-.*)?\Z"
        if found := re.match(pattern, name):
            return Architecture(found[1]), each
    return None


def layer_name_parts(name: str, base: str, distributions: Collection[str]) -> LayerNameParts | None:
    """What a layer's name says, as `layer_name` makes it; None for a name of another form.

    Args:
        name: the layer's.
        base: what it must begin with, up to the architecture.
        distributions: those that it may be of.
    """
    for each in sorted(distributions, key=lambda name: (-len(name), name)):
        pattern = rf"{re.escape(base)}-(amd64|arm64)-{re.escape(each)}-({_VERSION})-([\w-]+)\Z"
        if found := re.match(pattern, name, re.ASCII):
            return LayerNameParts(
                architecture=Architecture(found[1]),
                distribution=each,
                version=found[2],
                release_group=found[3],
            )
    return None


def component_name(tag: str) -> str:
    """`otlp` for `lambdacomponents.exporter.otlp`."""
    return tag.rpartition(".")[2]


def component_kind(tag: str) -> str:
    """`exporter` for `lambdacomponents.exporter.otlp`; empty for a tag without a kind."""
    match = re.match(rf"^{TAG_PREFIX}\.({ANY_KIND})\.", tag)
    return match[1] if match else ""


def is_selected(tag: str, tags: frozenset[str]) -> bool:
    """Whether a component's tag is switched on by a set of build tags."""
    return bool({tag, ALL_TAG, f"{TAG_PREFIX}.{component_kind(tag)}.all"} & tags)


def utc_time(text: str) -> datetime | None:
    """A time in UTC; one without a zone is taken for UTC, and None is no time."""
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
