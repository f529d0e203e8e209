"""Download published layers from every region, and check that AWS serves what was published.

Publishing relies on the digests that AWS reports. Here the zips themselves are downloaded, so that
people without credentials can be given the very files that the layers' users get.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio

from pipeline import progress
from pipeline.aws.download import download_layer, published_layer, retried_download
from pipeline.aws.session import Aws
from pipeline.errors import OcelotError, VerifyError
from pipeline.files import write_atomic
from pipeline.layer.manifest import FILE_NAME, Manifest
from pipeline.publish.published import PublishedVersion
from pipeline.threads import in_thread

# Downloads at a time, of about 15 MB each: more would only take memory.
DOWNLOADS = 6


async def fetch(
    versions: Sequence[PublishedVersion], manifest: Manifest, aws: Aws, output: Path
) -> None:
    """Download every layer version; write each zip once, and their manifest.

    Args:
        versions: the layer versions.
        manifest: of the zips that were published.
        aws: makes the clients.
        output: a folder.

    Raises:
        VerifyError: AWS serves another zip than was published.
        AwsError: a zip cannot be downloaded.
        OutputError: the folder cannot be written to.
    """
    failed: dict[str, OcelotError] = {}
    limit = anyio.CapacityLimiter(DOWNLOADS)

    async def download(version: PublishedVersion) -> None:
        try:
            async with limit:
                content = await in_thread(partial(_content, aws, version))
            write_atomic(output / version.file, content)
            progress.note(f"{version.arn} is what was published")
        except OcelotError as error:
            failed[str(version.arn)] = error

    async with anyio.create_task_group() as tasks:
        for each in versions:
            tasks.start_soon(download, each)
    _check(failed, len(versions))
    files = {each.file for each in versions}
    kept = Manifest(layers=tuple(each for each in manifest.layers if each.file in files))
    write_atomic(output / FILE_NAME, kept.text().encode())


def _content(aws: Aws, version: PublishedVersion) -> bytes:
    content = retried_download(partial(published_layer, aws, version.arn), download_layer)
    digest = hashlib.sha256(content).hexdigest()
    if digest != version.sha256:
        raise VerifyError(f"has sha256 {digest} instead of {version.sha256}")
    return content


def _check(failed: dict[str, OcelotError], count: int) -> None:
    """Fail if a download failed: by a `VerifyError` if any zip is not what was published."""
    if not failed:
        return
    details = tuple(f"{arn}: {error}" for arn, error in sorted(failed.items()))
    if any(isinstance(error, VerifyError) for error in failed.values()):
        raise VerifyError(
            f"of {len(failed)} of {count} layer versions AWS does not serve what was published",
            hint="find out why before anyone uses them",
            details=details,
        )
    first = next(iter(failed.values()))
    raise first.with_message(f"{len(failed)} of {count} zips cannot be downloaded", details)
