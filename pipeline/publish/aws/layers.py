"""Layer versions of AWS Lambda: the calls that are used, and no others."""

from __future__ import annotations

import base64
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.build.limits import UNZIPPED_BYTES
from pipeline.errors import AwsError
from pipeline.naming import LayerArn

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

_READS = Config(
    connect_timeout=10,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 5},
)
_DOWNLOAD_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class PublishedLayer:
    """A layer version as AWS has it.

    Attributes:
        sha256: of its zip, in hex; AWS' CodeSha256.
        size: bytes of its zip.
        location: address from which its zip can be had for some minutes; it is as good as a
            password, so it is not to be shown.
    """

    arn: LayerArn
    sha256: str
    size: int
    location: str = field(repr=False)


def published_layer(arn: LayerArn) -> PublishedLayer:
    """Ask AWS for a layer version.

    Raises:
        AwsError: there are no credentials, it does not exist, or AWS does not answer.
    """
    try:
        client: LambdaClient = boto3.client(  # pyright: ignore[reportUnknownMemberType]  its other services have no stubs
            "lambda", region_name=arn.region, config=_READS
        )
        answer = client.get_layer_version(LayerName=arn.layer, VersionNumber=arn.version)
    except (BotoCoreError, ClientError, ValueError) as error:  # no URL: a ValueError
        raise AwsError(
            f"AWS gave no answer about {arn}: {error}",
            hint="check the ARN and the credentials (aws sts get-caller-identity); "
            "lambda:GetLayerVersion must be allowed",
        ) from error
    content = answer["Content"]
    return PublishedLayer(
        arn=arn,
        sha256=base64.b64decode(content.get("CodeSha256", "")).hex(),
        size=content.get("CodeSize", 0),
        location=content.get("Location", ""),
    )


def download_layer(layer: PublishedLayer) -> bytes:
    """The zip of a layer version.

    Raises:
        AwsError: it cannot be had.
    """
    hint = "verify by the digest alone tells that it differs; download it with aws lambda"
    if not layer.location.startswith("https://"):
        raise AwsError(f"AWS named no place for the zip of {layer.arn}", hint=hint)
    try:
        with urllib.request.urlopen(layer.location, timeout=_DOWNLOAD_SECONDS) as answer:  # noqa: S310  https alone, see above
            return bytes(answer.read(UNZIPPED_BYTES))
    except (OSError, HTTPException) as error:  # urllib's are OSErrors
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise AwsError(f"the zip of {layer.arn} cannot be had", hint=hint) from error
