"""The names that other tools know, made and parsed by pure functions.

They are the names of zips, layers, descriptions, ARNs and upstream's build tags.
"""

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

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LONGEST_LABEL = 63

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ZIP = re.compile(r"collector-(amd64|arm64)-([a-z0-9-]+)\.zip\Z")
# AWS' partitions; each has its own accounts and regions. The last is the EU Sovereign Cloud.
PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-eusc")

_PARTITION = "|".join(PARTITIONS)
_ARN = re.compile(
    rf"arn:({_PARTITION}):lambda:([a-z]{{2,4}}(?:-[a-z]+)+-[0-9]):([0-9]{{12}}):layer:"
    r"([A-Za-z0-9_-]{1,140}):([0-9]{1,9})(?![0-9])"
)
_ROLE = re.compile(
    rf"arn:({_PARTITION}):iam::([0-9]{{12}}):role/(?:[!-~]+/)?([A-Za-z0-9+=,.@_-]{{1,64}})\Z"
)
_ACCOUNT = re.compile(r"[0-9]{12}")
_VERSION = r"[0-9]+_[0-9]+_[0-9]+[A-Za-z0-9_]*"
_DESCRIBED = re.compile(r"(?:^| )sha256:([0-9a-f]{64})\Z")

# The release groups of layers that CI publishes, and of those from a laptop, if none is named.
CI_GROUP, LOCAL_GROUP = "beta", "local"

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
    """The parts of a layer version's ARN."""

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
    """The parts of a role's ARN.

    Attributes:
        name: the role's name, without its path.
        text: the whole ARN.
    """

    partition: str
    account: str
    name: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerNameParts:
    """The parts of a layer's name, as `layer_name` puts them together.

    Attributes:
        version: the collector's, such as `0_158_0`.
        release_group: such as `beta`.
    """

    architecture: Architecture
    distribution: str
    version: str
    release_group: str

    @property
    def series(self) -> tuple[str, str, str]:
        """Architecture, distribution and release group: all but the collector's version."""
        return self.architecture, self.distribution, self.release_group

    @property
    def collector_version(self) -> str:
        """The version such as v0.158.0; empty where the name does not show it."""
        plain = re.fullmatch(r"[0-9]+_[0-9]+_[0-9]+", self.version)
        return f"v{self.version.replace('_', '.')}" if plain else ""


def zip_name(architecture: Architecture, distribution: str) -> str:
    """Return the file name of a layer's zip."""
    return f"collector-{architecture}-{distribution}.zip"


def zip_parts(name: str) -> tuple[Architecture, str] | None:
    """Return architecture and distribution of a zip's file name; None for any other name."""
    found = _ZIP.match(name)
    return (Architecture(found[1]), found[2]) if found else None


def layer_name(
    base: str,
    architecture: Architecture,
    distribution: str,
    version: str,
    release_group: str,
) -> str:
    """Return a layer's name, such as `ocel-amd64-minimal-0_158_0-beta`.

    Args:
        base: the publisher's prefix, such as `ocel`.
        architecture: of the layer.
        distribution: its name.
        version: the collector's, such as v0.158.0.
        release_group: such as `beta` or `prod`.

    Raises:
        UsageError: AWS does not accept the name.
    """
    name = f"{base}-{architecture}-{distribution}-{version_in_name(version)}-{release_group}"
    whole = base and release_group
    if not whole or not re.fullmatch(r"[A-Za-z0-9_-]+", name) or len(name) > LONGEST_NAME:
        raise UsageError(
            f"{quoted(name)} cannot be a layer's name",
            hint=f"use at most {LONGEST_NAME} letters, digits, - and _: change --layer-name or "
            "--release-group",
        )
    return name


def version_in_name(version: str) -> str:
    """Return a version as it stands in a layer's name: `0_158_0` for v0.158.0."""
    return re.sub(r"[^A-Za-z0-9]", "_", version.removeprefix("v"))


def version_key(version: str) -> tuple[object, ...]:
    """Return a sort key of a collector's version as it stands in a layer's name, such as `0_158_0`.

    A pre-release, such as `0_158_0_rc_1`, comes before its release.
    """
    words = [
        (word.isalpha(), 0 if word.isalpha() else int(word), word if word.isalpha() else "")
        for word in re.findall(r"[0-9]+|[A-Za-z]+", version)
    ]
    return words[:3], not words[3:], words[3:]


def layer_description(text: str, sha256: str) -> str:
    """Return a layer version's description: the text, cut to fit, and the zip's SHA-256."""
    digest = f"sha256:{sha256}"
    longest = LONGEST_DESCRIPTION - len(digest) - 1
    line = " ".join(text.split())
    line = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return f"{line} {digest}".strip()


def described_sha256(description: str) -> str:
    """Return the SHA-256 in a layer version's description; empty where there is none."""
    found = _DESCRIBED.search(description)
    return found[1] if found else ""


def described_text(description: str, text: str) -> str:
    """Return the text in a layer version's description, without the SHA-256.

    Args:
        description: the layer version's.
        text: returned if the description was made of it, maybe cut, or names no SHA-256.
    """
    sha256 = described_sha256(description)
    if not sha256 or layer_description(text, sha256) == description:
        return text
    return description.replace(f"sha256:{sha256}", "").strip()


def layer_arn(text: str) -> LayerArn:
    """Parse a layer version's ARN.

    Raises:
        UsageError: it is no such ARN.
    """
    found = _ARN.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{quoted(text)} is no ARN of a layer version",
            hint="give one such as arn:aws:lambda:eu-west-1:123456789012:layer:<name>:<version>",
        )
    partition, region, account, name, version = found.groups()
    return LayerArn(
        partition=partition, region=region, account=account, name=name, version=int(version)
    )


def named_arns(text: str) -> tuple[str, ...]:
    """Return the ARNs of layer versions that stand anywhere in a text, each once, in its order."""
    return tuple(dict.fromkeys(found[0] for found in _ARN.finditer(text)))


def account_id(text: str | None) -> str | None:
    """Return an AWS account's id; None for none.

    Raises:
        UsageError: it is no such id.
    """
    if text is not None and not _ACCOUNT.fullmatch(text):
        raise UsageError(
            f"{quoted(text)} is no id of an AWS account", hint="give its twelve digits: --account"
        )
    return text


def role_arn(text: str) -> RoleArn:
    """Parse a role's ARN.

    Raises:
        UsageError: it is no such ARN.
    """
    found = _ROLE.match(text)
    if found is None:
        raise UsageError(
            f"{quoted(text)} is no ARN of a role",
            hint="give one such as arn:aws:iam::123456789012:role/<name>",
        )
    partition, account, name = found.groups()
    return RoleArn(partition=partition, account=account, name=name, text=text)


def architecture_and_distribution(
    name: str, distributions: Collection[str]
) -> tuple[Architecture, str] | None:
    """Return architecture and distribution of a layer's name; None where it names none of them.

    Longer names are tried first: a distribution's name may end with another's name.
    """
    for each in sorted(distributions, key=len, reverse=True):
        pattern = rf"(?:.+-)?(amd64|arm64)-{re.escape(each)}-{_VERSION}(?:-.*)?\Z"
        if found := re.match(pattern, name):
            return Architecture(found[1]), each
    return None


def layer_name_parts(name: str, base: str, distributions: Collection[str]) -> LayerNameParts | None:
    """Parse a name that `layer_name` made; None for any other name.

    Args:
        name: the layer's name.
        base: the publisher's prefix, up to the architecture.
        distributions: the names of distributions that it may contain.
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


def is_one_word(text: str) -> bool:
    """Return True for printable ASCII without blanks, as keys and tokens are."""
    return re.fullmatch(r"[!-~]+", text) is not None


def component_name(tag: str) -> str:
    """Return a component's name from its build tag: `otlp` for `lambdacomponents.exporter.otlp`."""
    return tag.rpartition(".")[2]


def component_kind(tag: str) -> str:
    """Return a component's kind from its build tag, such as `exporter`; empty for other tags."""
    match = re.match(rf"^{TAG_PREFIX}\.({ANY_KIND})\.", tag)
    return match[1] if match else ""


def is_selected(tag: str, tags: frozenset[str]) -> bool:
    """Return True if a set of build tags switches on the component of a tag."""
    return bool({tag, ALL_TAG, f"{TAG_PREFIX}.{component_kind(tag)}.all"} & tags)


def utc_time(text: str) -> datetime | None:
    """Parse an ISO 8601 time and return it in UTC, the default zone; None for any other text."""
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
