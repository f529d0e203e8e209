"""Downloads of published layer versions, of any account."""

from __future__ import annotations

import hashlib
import time
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, TypeVar
from urllib.error import HTTPError

from pipeline.aws.errors import aws_errors
from pipeline.aws.layers import LayerVersion, layer_version
from pipeline.aws.session import Aws
from pipeline.errors import AwsError
from pipeline.layer.limits import UNZIPPED_BYTES
from pipeline.naming import LayerArn

if TYPE_CHECKING:
    from collections.abc import Generator

    from mypy_boto3_lambda.client import LambdaClient

Result = TypeVar("Result")

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 1.0
_SECONDS = 120
_PIECE = 1 << 20
_HINT = "run the same command again; lambda:GetLayerVersion must be allowed"


def published_layer(aws: Aws, arn: LayerArn) -> LayerVersion:
    """Return a layer version of any account.

    Raises:
        AwsError: there are no credentials or no such layer version, or AWS does not answer.
    """
    with aws_errors(
        f"AWS gave no answer about {arn}",
        "check the ARN and the credentials (aws sts get-caller-identity); "
        "lambda:GetLayerVersion must be allowed",
    ):
        client: LambdaClient = aws.client("lambda", arn.region)
        answer = client.get_layer_version(LayerName=arn.layer, VersionNumber=arn.version)
    return layer_version(answer)


def retried_download(
    find: Callable[[], LayerVersion], download: Callable[[LayerVersion], Result]
) -> Result:
    """Return the result of a download, which is repeated with a new address if it fails.

    Args:
        find: returns the layer version, with an address that has not expired.
        download: `download_layer` or `layer_md5`.

    Raises:
        AwsError: the last attempt failed, too.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return download(find())
        except AwsError:
            time.sleep(FIRST_PAUSE_SECONDS * attempt)
    return download(find())


def download_layer(layer: LayerVersion) -> bytes:
    """Return the zip of a layer version.

    Raises:
        AwsError: it cannot be downloaded.
    """
    with _downloading(layer) as answer:
        return answer.read(UNZIPPED_BYTES)


def layer_md5(layer: LayerVersion) -> str:
    """Return the MD5 of a layer version's zip, in hex; the zip is read piece by piece.

    Raises:
        AwsError: it cannot be downloaded, or has another SHA-256 than AWS says.
    """
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    left = min(layer.size, UNZIPPED_BYTES) + 1  # a zip that is too long has another digest
    with _downloading(layer) as answer:
        while piece := answer.read(min(_PIECE, left)):
            sha256.update(piece)
            md5.update(piece)
            left -= len(piece)
    if sha256.hexdigest() != layer.sha256:
        raise AwsError(f"the zip of {layer.arn} has another sha256 than AWS says", hint=_HINT)
    return md5.hexdigest()


@contextmanager
def _downloading(layer: LayerVersion) -> Generator[HTTPResponse]:
    """Open the zip of a layer version."""
    if not layer.location.startswith("https://"):
        raise AwsError(f"AWS gave no address for the zip of {layer.arn}", hint=_HINT)
    try:
        with urllib.request.urlopen(layer.location, timeout=_SECONDS) as answer:  # noqa: S310  https alone, see above
            yield answer
    except (OSError, HTTPException) as error:  # urllib's are OSErrors
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise AwsError(f"the zip of {layer.arn} cannot be downloaded", hint=_HINT) from error
