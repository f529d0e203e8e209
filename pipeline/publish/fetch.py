"""Fetch what AWS serves of a release, and see that it is what was published.

Publishing has AWS' word for each digest. Here the zips themselves are had, from every region, so
that somebody without credentials can be given what users get.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from pipeline import progress
from pipeline.aws.layers import download_layer, fetched, published_layer
from pipeline.aws.session import Aws
from pipeline.errors import OcelotError, UsageError, VerifyError
from pipeline.files import write_atomic
from pipeline.layer.manifest import FILE_NAME, Manifest, read_manifest
from pipeline.naming import Architecture, LayerArn, layer_arn, zip_name
from pipeline.threads import in_thread

# Zips of some 15 MB each: more at once gain nothing and take memory.
AT_ONCE = 6

_HINT = "give the publish.json of `ocelot publish -o` and the folder of zips that it published"


@dataclass(frozen=True, kw_only=True)
class PublishedVersion:
    """A layer version, as publish.json has it.

    Attributes:
        file: the zip's name.
        sha256: of its content, in hex.
    """

    arn: LayerArn
    file: str
    sha256: str


def published_versions(report: Path) -> tuple[PublishedVersion, ...]:
    """The layer versions that publish.json names.

    Raises:
        UsageError: it cannot be read, or names none, as that of a dry run.
    """
    try:
        targets: list[dict[str, Any]] = json.loads(report.read_bytes())["targets"]
        found = tuple(_version(each) for each in targets if each.get("arn"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{report.name} is no report of publishing", hint=_HINT) from error
    if not found:
        raise UsageError(f"{report.name} names no layer version: was it a dry run?", hint=_HINT)
    return found


def _version(target: dict[str, Any]) -> PublishedVersion:
    file = zip_name(Architecture(target["architecture"]), target["distribution"])
    return PublishedVersion(arn=layer_arn(target["arn"]), file=file, sha256=target["sha256"])


def built_manifest(versions: Sequence[PublishedVersion], layers: Path) -> Manifest:
    """The manifest of the zips that were published.

    Raises:
        UsageError: the folder has none, or it is of other zips.
    """
    manifest = read_manifest(layers / FILE_NAME)
    if manifest is None:
        raise UsageError(f"{layers} has no {FILE_NAME}", hint=_HINT)
    built = {each.file: each.sha256 for each in manifest.layers}
    for each in versions:
        if built.get(each.file) != each.sha256:
            raise UsageError(f"{each.arn} was not published from {layers}", hint=_HINT)
    return manifest


async def fetch(
    versions: Sequence[PublishedVersion], manifest: Manifest, aws: Aws, output: Path
) -> None:
    """Have every layer version's zip, and write each zip once, with its manifest beside it.

    Args:
        versions: what was published.
        manifest: that of the zips from which it was.
        aws: who asks.
        output: a folder.

    Raises:
        VerifyError: AWS serves something else than was published.
        AwsError: a zip cannot be had.
        OutputError: the folder cannot be written.
    """
    failed: dict[str, OcelotError] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def take(version: PublishedVersion) -> None:
        try:
            async with limit:
                content = await in_thread(partial(_content, aws, version))
            write_atomic(output / version.file, content)
            progress.note(f"{version.arn} is what was published")
        except OcelotError as error:
            failed[str(version.arn)] = error

    async with anyio.create_task_group() as tasks:
        for each in versions:
            tasks.start_soon(take, each)
    _check(failed, len(versions))
    files = {each.file for each in versions}
    kept = Manifest(layers=tuple(each for each in manifest.layers if each.file in files))
    write_atomic(output / FILE_NAME, kept.text().encode())


def _content(aws: Aws, version: PublishedVersion) -> bytes:
    content = fetched(partial(published_layer, aws, version.arn), download_layer)
    digest = hashlib.sha256(content).hexdigest()
    if digest != version.sha256:
        raise VerifyError(f"has sha256 {digest} instead of {version.sha256}")
    return content


def _check(failed: dict[str, OcelotError], count: int) -> None:
    """Fail where a layer version is not as it was published; a wrong one counts most."""
    if not failed:
        return
    details = tuple(f"{arn}: {error}" for arn, error in sorted(failed.items()))
    if any(isinstance(error, VerifyError) for error in failed.values()):
        raise VerifyError(
            f"of {len(failed)} of {count} layer versions AWS does not serve what was published",
            hint="do not use them before you know why",
            details=details,
        )
    first = next(iter(failed.values()))
    raise first.with_message(f"{len(failed)} of {count} zips cannot be had", details)
