"""AWS Lambda's limits on layers.

A function with all its layers is at most 250 MB unzipped, a zip uploaded in the request itself at
most 50 MB; both count in 1024².
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

from pipeline.errors import LimitError

UNZIPPED_BYTES = 250 * 1024**2
DIRECT_UPLOAD_BYTES = 50 * 1024**2


def check_limits(file: str, *, size: int, unzipped: int) -> tuple[str, ...]:
    """Notes on a layer that Lambda takes with conditions.

    Args:
        file: name of the zip.
        size: bytes of the zip.
        unzipped: bytes of its files.

    Raises:
        LimitError: no function can have it.
    """
    if unzipped > UNZIPPED_BYTES:
        raise LimitError(
            f"{file} is {megabytes(unzipped)} unzipped; Lambda takes "
            f"{megabytes(UNZIPPED_BYTES)} with all layers of a function",
            hint="name fewer components in the distribution",
        )
    if size > DIRECT_UPLOAD_BYTES:
        most = megabytes(DIRECT_UPLOAD_BYTES)
        return (f"{file} is {megabytes(size)}: above {most} a layer has to be uploaded by S3",)
    return ()


def megabytes(size: int) -> str:
    """Bytes for people, in units of 1024²."""
    return f"{size / 1024**2:.1f} MiB"
