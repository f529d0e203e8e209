"""Layer versions of AWS Lambda: the calls that are used, and no others."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Protocol
from urllib.error import HTTPError

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.build.limits import UNZIPPED_BYTES
from pipeline.errors import AwsError
from pipeline.naming import LayerArn, described_sha256
from pipeline.publish.aws import session
from pipeline.publish.aws.asking import Page
from pipeline.publish.aws.session import Aws

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from mypy_boto3_lambda.client import LambdaClient

_DOWNLOAD_SECONDS = 120
_PIECE = 1 << 20

# The name that the public statement of a layer version has among those who publish this way.
STATEMENT = "publish"


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


def published_layer(aws: Aws, arn: LayerArn) -> PublishedLayer:
    """Ask AWS for a layer version.

    Raises:
        AwsError: there are no credentials, it does not exist, or AWS does not answer.
    """
    try:
        client: LambdaClient = aws.client("lambda", arn.region)
        answer = client.get_layer_version(LayerName=arn.layer, VersionNumber=arn.version)
    except (BotoCoreError, ClientError, ValueError) as error:  # no URL: a ValueError
        raise AwsError(
            f"AWS gave no answer about {arn}: {error}",
            hint="check the ARN and the credentials (aws sts get-caller-identity); "
            "lambda:GetLayerVersion must be allowed",
        ) from error
    return _published(arn, answer["Content"])


def download_layer(layer: PublishedLayer) -> bytes:
    """The zip of a layer version.

    Raises:
        AwsError: it cannot be had.
    """
    hint = "verify by the digest alone tells that it differs; download it with aws lambda"
    with _downloading(layer, hint) as answer:
        return answer.read(UNZIPPED_BYTES)


def layer_md5(layer: PublishedLayer) -> str:
    """MD5 of a layer version's zip, in hex; the zip is read piece by piece and not kept.

    Raises:
        AwsError: it cannot be had, or is not what AWS says that it is.
    """
    hint = "run the same command again; lambda:GetLayerVersion must be allowed"
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    left = min(layer.size, UNZIPPED_BYTES) + 1  # one that is too long is told by its digest
    with _downloading(layer, hint) as answer:
        while piece := answer.read(min(_PIECE, left)):
            sha256.update(piece)
            md5.update(piece)
            left -= len(piece)
    if sha256.hexdigest() != layer.sha256:
        raise AwsError(f"the zip of {layer.arn} is not what AWS says that it is", hint=hint)
    return md5.hexdigest()


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@contextmanager
def _downloading(layer: PublishedLayer, hint: str) -> Generator[_Readable]:
    """The zip of a layer version, open to be read."""
    if not layer.location.startswith("https://"):
        raise AwsError(f"AWS named no place for the zip of {layer.arn}", hint=hint)
    try:
        with urllib.request.urlopen(layer.location, timeout=_DOWNLOAD_SECONDS) as answer:  # noqa: S310  https alone, see above
            yield answer
    except (OSError, HTTPException) as error:  # urllib's are OSErrors
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise AwsError(f"the zip of {layer.arn} cannot be had", hint=hint) from error


def _published(arn: LayerArn, content: Mapping[str, Any]) -> PublishedLayer:
    return PublishedLayer(
        arn=arn,
        sha256=_sha256(content),
        size=content.get("CodeSize", 0),
        location=content.get("Location", ""),
    )


def _sha256(content: Mapping[str, Any]) -> str:
    """AWS' CodeSha256 in hex."""
    return base64.b64decode(content.get("CodeSha256", "")).hex()


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerVersion:
    """A layer version as a list of AWS' has it, which has no digest of its own.

    Attributes:
        described: the SHA-256 that its description names, in hex; empty for none.
        created: when it was published, as AWS writes it: `2026-07-01T12:30:00.000+0000`.
        runtimes: that it is for.
    """

    arn: str
    number: int
    described: str
    created: str = ""
    runtimes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Storage:
    """How much code a region stores for an account, and how much it may, in bytes."""

    used: int
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishRequest:
    """A zip on its way to AWS.

    Attributes:
        layer: name of the layer.
        sha256: of the zip, in hex.
        body: the request's JSON, which is the same in every region and made once for all of them.
    """

    layer: str
    sha256: str
    body: bytes = field(repr=False)


class RegionLayers:
    """Lambda's layers in one region: each method is one request, and asks once.

    Every method may raise what boto3 raises; see `asking.Asker`, which makes it a user's error.
    """

    def __init__(self, aws: Aws, region: str) -> None:
        self.region = region
        self._aws = aws
        self._client: LambdaClient = aws.client("lambda", region, session.ONCE)
        self._bodies: dict[str, bytes] = {}

    @cached_property
    def _uploads(self) -> LambdaClient:
        """Has more time; it is made when it is first wanted."""
        client: LambdaClient = self._aws.client("lambda", self.region, session.UPLOAD)
        hook: Any = client.meta.events
        hook.register("before-call.lambda.PublishLayerVersion", self._with_shared_body)
        return client

    def names(self, marker: str = "") -> Page[str]:
        """A page of the names of the account's layers; one without a version is none of them."""
        more: dict[str, Any] = {"Marker": marker} if marker else {}
        answer = self._client.list_layers(**more)
        names = tuple(each.get("LayerName", "") for each in answer["Layers"])
        return Page(items=names, marker=answer.get("NextMarker", ""))

    def page(self, layer: str, marker: str = "") -> Page[LayerVersion]:
        """A page of a layer's versions, newest first; none for a layer that is not there."""
        more: dict[str, Any] = {"Marker": marker} if marker else {}
        answer = self._client.list_layer_versions(LayerName=layer, **more)
        versions = tuple(
            LayerVersion(
                arn=each.get("LayerVersionArn", ""),
                number=each.get("Version", 0),
                described=described_sha256(each.get("Description", "")),
                created=each.get("CreatedDate", ""),
                runtimes=tuple(each.get("CompatibleRuntimes", ())),
            )
            for each in answer["LayerVersions"]
        )
        return Page(items=versions, marker=answer.get("NextMarker", ""))

    def stored(self, arn: LayerArn) -> PublishedLayer | None:
        """A version of this region as AWS has it; None where there is none."""
        try:
            answer = self._client.get_layer_version(LayerName=arn.name, VersionNumber=arn.version)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        return _published(arn, answer["Content"])

    def publish(self, request: PublishRequest) -> tuple[LayerVersion, str]:
        """Publish a version; the answer is it and AWS' SHA-256 of the zip in hex."""
        self._bodies[request.sha256] = request.body
        answer = self._uploads.publish_layer_version(
            LayerName=request.layer, Content={"ZipFile": b""}, Description=request.sha256
        )
        version = LayerVersion(
            arn=answer["LayerVersionArn"], number=answer["Version"], described=request.sha256
        )
        return version, _sha256(answer["Content"])

    def _with_shared_body(self, params: dict[str, Any], **_: object) -> None:
        """Put the body that all regions share in place of the one that boto3 has made."""
        made = json.loads(params["body"])
        params["body"] = self._bodies[made["Description"]]

    def policy(self, layer: str, number: int) -> str:
        """A version's policy as JSON; empty for one that has none."""
        try:
            answer = self._client.get_layer_version_policy(LayerName=layer, VersionNumber=number)
        except self._client.exceptions.ResourceNotFoundException:
            return ""
        return answer["Policy"]

    def share(self, layer: str, number: int) -> None:
        """Let everybody use a version; it may be so already."""
        try:
            self._client.add_layer_version_permission(
                LayerName=layer,
                VersionNumber=number,
                StatementId=STATEMENT,
                Action="lambda:GetLayerVersion",
                Principal="*",
            )
        except self._client.exceptions.ResourceConflictException:
            return

    def unshare(self, layer: str, number: int, statement: str) -> None:
        """Take a statement out of a version's policy; it may be gone already."""
        try:
            self._client.remove_layer_version_permission(
                LayerName=layer, VersionNumber=number, StatementId=statement
            )
        except self._client.exceptions.ResourceNotFoundException:
            return

    def storage(self) -> Storage | None:
        """How much code the account stores in this region; None where that is not told."""
        answer = self._client.get_account_settings()
        used = answer.get("AccountUsage", {}).get("TotalCodeSize", 0)
        most = answer.get("AccountLimit", {}).get("TotalCodeSize", 0)
        return Storage(used=used, most=most) if most else None
