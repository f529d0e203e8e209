"""AWS Lambda's limits on layers.

A function with all its layers is at most 250 MB unzipped; a zip in the request itself is at most
50 MB. AWS's MB is 1024² bytes.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

from pipeline.errors import LimitError

UNZIPPED_BYTES = 250 * 1024**2
DIRECT_UPLOAD_BYTES = 50 * 1024**2


def check_limits(file: str, *, size: int, unzipped: int) -> tuple[str, ...]:
    """Return notes on a layer that is within the limits, such as that it needs an S3 upload.

    Args:
        file: name of the zip.
        size: bytes of the zip.
        unzipped: bytes of its files.

    Raises:
        LimitError: the layer is too large for any function.
    """
    if unzipped > UNZIPPED_BYTES:
        raise LimitError(
            f"{file} is {megabytes(unzipped)} unzipped; a function with all its layers may have "
            f"{megabytes(UNZIPPED_BYTES)}",
            hint="name fewer components in the distribution",
        )
    if size > DIRECT_UPLOAD_BYTES:
        most = megabytes(DIRECT_UPLOAD_BYTES)
        return (f"{file} is {megabytes(size)}: above {most} a layer has to be uploaded to S3",)
    return ()


def megabytes(size: int) -> str:
    """Return a number of bytes as text, in MiB."""
    return f"{size / 1024**2:.1f} MiB"
