"""S3 buckets, through which zips reach Lambda that are too large for a request."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.aws import session
from pipeline.aws.errors import region_errors
from pipeline.aws.session import Aws

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class RegionBucket:
    """A bucket in one region.

    Every request names the account that must own the bucket: a bucket of the same name in another
    account gets no zip. Every method raises an `AwsError` if AWS refuses or does not answer.
    """

    def __init__(self, aws: Aws, region: str, name: str, account: str) -> None:
        self.name = name
        self._region = region
        self._account = account
        self._client: S3Client = aws.client("s3", region, session.UPLOAD)

    def check(self) -> None:
        """Check that the bucket exists and belongs to the account."""
        with region_errors(f"look for the bucket {self.name}", self._region):
            self._client.head_bucket(Bucket=self.name, ExpectedBucketOwner=self._account)

    def put(self, key: str, path: Path, sha256: str) -> None:
        """Upload a file, read piece by piece; S3 checks its SHA-256, given in hex."""
        with region_errors(f"upload to {self.name}", self._region), path.open("rb") as file:
            self._client.put_object(
                Bucket=self.name,
                Key=key,
                Body=file,
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                ExpectedBucketOwner=self._account,
            )

    def delete(self, key: str) -> None:
        """Delete a file; it is no error if there is none."""
        with region_errors("clear the bucket", self._region):
            self._client.delete_object(Bucket=self.name, Key=key, ExpectedBucketOwner=self._account)
