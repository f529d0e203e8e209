"""publish.json, the record of a publication: read, and as rows of the registry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.aws.layers import LayerVersion
from pipeline.errors import UsageError
from pipeline.files import LARGEST_RECORD, read_regular
from pipeline.layer.manifest import FILE_NAME, Layer, Manifest, read_manifest
from pipeline.naming import Architecture, LayerArn, layer_arn, version_in_name, zip_name, zip_parts
from pipeline.registry.row import Row, layer_row

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
_PARAMETER = re.compile(r"/[A-Za-z0-9_./-]{1,1010}")
PUBLISH_FILE = "publish.json"
_HINT = "give the publish.json of `ocelot publish -o` and the folder of zips that it published"


@dataclass(frozen=True, kw_only=True)
class PublishedVersion:
    """A layer version in publish.json.

    Attributes:
        file: the zip's name.
        sha256: of the zip, in hex.
        public: whether every AWS account may use it.
        shared_with: the organisations and accounts that may use it.
        succeeded: False if something else failed, such as making it public.
        parameters: names of the parameters in SSM whose value is its ARN, sorted.
    """

    arn: LayerArn
    file: str
    sha256: str
    public: bool = False
    shared_with: tuple[str, ...] = ()
    succeeded: bool = True
    parameters: tuple[str, ...] = ()

    @property
    def distribution(self) -> str:
        """The distribution in the zip's name; empty if the file has another name."""
        parts = zip_parts(self.file)
        return parts[1] if parts else ""


@dataclass(frozen=True, kw_only=True)
class MissingTarget:
    """A region that has no layer version after publishing, though it was requested.

    Attributes:
        distribution: empty if no layer at all was published there.
        architecture: None for all.
        reason: such as a quarantine; empty if publishing failed.
    """

    region: str
    distribution: str = ""
    architecture: Architecture | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class PublishRecord:
    """A publication.

    Attributes:
        versions: the layer versions; at least one.
        missing: the targets without one.
    """

    versions: tuple[PublishedVersion, ...]
    missing: tuple[MissingTarget, ...] = ()


def read_publish_record(path: Path) -> PublishRecord:
    """Return the publication that publish.json records.

    Raises:
        UsageError: the file cannot be read, or has no layer version, such as that of a dry run.
    """
    try:
        content: dict[str, Any] = json.loads(read_regular(path, LARGEST_RECORD))
        record = _record(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path.name} is no report of publishing", hint=_HINT) from error
    if not record.versions:
        raise UsageError(f"{path.name} names no layer version: was it a dry run?", hint=_HINT)
    return record


def _record(content: dict[str, Any]) -> PublishRecord:
    targets: list[dict[str, Any]] = content["targets"]
    skipped: list[dict[str, Any]] = content.get("skipped", [])
    return PublishRecord(
        versions=tuple(_version(each) for each in targets if each.get("arn")),
        missing=(
            *(_missing(each) for each in targets if each.get("ok") is False and not each["arn"]),
            *(MissingTarget(region=each["region"], reason=each["reason"]) for each in skipped),
        ),
    )


def _version(target: dict[str, Any]) -> PublishedVersion:
    file = zip_name(Architecture(target["architecture"]), target["distribution"])
    return PublishedVersion(
        arn=layer_arn(target["arn"]),
        file=file,
        sha256=target["sha256"],
        public=target.get("public") is True,
        shared_with=tuple(map(str, target.get("shared", ()))),
        succeeded=target.get("ok") is not False,
        parameters=tuple(sorted(_parameters(target))),
    )


def _parameters(target: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the parameters that name a target's layer version."""
    parameters: list[dict[str, Any]] = target.get("parameters", [])
    for each in parameters:
        if each["value"] == target["arn"] and _PARAMETER.fullmatch(each["name"]):
            yield each["name"]


def _missing(target: dict[str, Any]) -> MissingTarget:
    return MissingTarget(
        region=target["region"],
        distribution=target["distribution"],
        architecture=Architecture(target["architecture"]),
    )


def built_manifest(versions: Sequence[PublishedVersion], layers: Path) -> Manifest:
    """Return the manifest of the zips that were published.

    Raises:
        UsageError: the folder has no manifest, or one of other zips.
    """
    manifest = read_manifest(layers / FILE_NAME)
    if manifest is None:
        raise UsageError(f"{layers} has no {FILE_NAME}", hint=_HINT)
    published_rows(versions, manifest.layers)
    return manifest


def published_rows(
    versions: Iterable[PublishedVersion], entries: Iterable[Layer]
) -> tuple[Row, ...]:
    """Return the rows of published layer versions, as far as publish.json and manifest.json know.

    They have no time, and no runtimes.

    Args:
        versions: of publish.json.
        entries: of the manifest of the zips that were published.

    Raises:
        UsageError: the manifest has no such zip.
    """
    built = {(each.file, each.sha256): each for each in entries}
    rows: list[Row] = []
    for each in versions:
        entry = built.get((each.file, each.sha256))
        if entry is None:
            message = f"{each.arn} was not published from the zips of {FILE_NAME}"
            raise UsageError(message, hint=_HINT)
        version = LayerVersion(arn=each.arn, sha256=each.sha256)
        row = version_row(entry, version, base_name=_base_name(entry, each.arn))
        rows.append(replace(row, public=each.public, shared_with=each.shared_with))
    return tuple(rows)


def _base_name(entry: Layer, arn: LayerArn) -> str:
    """Return the beginning of a layer's name."""
    version = version_in_name(entry.collector_version)
    return arn.name.partition(f"-{entry.architecture}-{entry.distribution}-{version}-")[0]


def version_row(entry: Layer, version: LayerVersion, *, base_name: str, md5: str = "") -> Row:
    """Return the row of a layer version, with the facts of its manifest.

    Args:
        entry: the manifest's, for the zip.
        version: the layer version.
        base_name: beginning of the layer's name.
        md5: of the zip, in hex.
    """
    row = layer_row(
        version,
        distribution=entry.distribution,
        description=entry.description,
        architecture=entry.architecture,
        base_name=base_name,
        version_in_name=version_in_name(entry.collector_version),
        collector_version=entry.collector_version,
    )
    return replace(
        row,
        md5_hash=md5,
        upstream_repository=entry.upstream.repository,
        upstream_ref=entry.upstream.ref,
        upstream_commit=entry.upstream.commit,
        ocelot=entry.ocelot,
        benched=entry.benched,
        zip_size=entry.size,
        unzipped_size=entry.unzipped_size,
        cpu_times=start_times(entry.start.cpu_times if entry.start else None),
        memory_times=start_times(entry.start.memory_times if entry.start else None),
    )


def start_times(times: float | None) -> float:
    """Return a multiple of the reference extension's figure with the digits that it is good for.

    Args:
        times: None if it is not known, for which 0 is returned.
    """
    return round(times or 0, 2)
