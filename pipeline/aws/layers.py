"""Layer versions of AWS Lambda: the calls that are used, and no others."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast
from urllib.error import HTTPError

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws import session
from pipeline.aws.bucket import RegionBucket
from pipeline.aws.errors import may_be_done, region_error, region_errors
from pipeline.aws.session import Aws
from pipeline.errors import AwsError
from pipeline.layer.limits import UNZIPPED_BYTES
from pipeline.naming import LayerArn, described_sha256, layer_arn, utc_time

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from datetime import datetime

    from mypy_boto3_lambda.client import LambdaClient

Result = TypeVar("Result")

# The control plane takes 15 requests a second for an account and region. We send nine, so that
# those on their way do not come to more than ten.
SPACING_SECONDS = 0.12
DOWNLOAD_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 1.0
_DOWNLOAD_SECONDS = 120
_PIECE = 1 << 20

# The name that the public statement of a layer version has among those who publish this way.
STATEMENT = "publish"
ACTION = "lambda:GetLayerVersion"
_ACTIONS = {ACTION.lower(), "lambda:*", "*"}


class UncertainError(AwsError):
    """AWS may have done what was asked for: the answer is missing, or says nothing of it."""


@dataclass(frozen=True, kw_only=True)
class LayerVersion:
    """A layer version as AWS shows it.

    Attributes:
        described: the SHA-256 that its description names, in hex; empty for none.
        created: when it was published, in UTC.
        runtimes: that it is for.
        public: whether every account may use it; its policy shows that.
        sha256: of its zip, in hex; AWS' CodeSha256, which lists do not have.
        size: bytes of its zip.
        location: address from which its zip can be had for some minutes; it is as good as a
            password, so it is not to be shown.
    """

    arn: LayerArn
    described: str = ""
    created: datetime | None = None
    runtimes: tuple[str, ...] = ()
    public: bool = False
    sha256: str = ""
    size: int = 0
    location: str = field(default="", repr=False)


def published_layer(aws: Aws, arn: LayerArn) -> LayerVersion:
    """Return a layer version of any account.

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
    return _layer_version(answer)


def fetched(look: Callable[[], LayerVersion], download: Callable[[LayerVersion], Result]) -> Result:
    """Return the result of a download; where it breaks off, it begins again at a fresh address.

    Args:
        look: returns the layer version, with an address that has not expired.
        download: such as `download_layer` or `layer_md5`.

    Raises:
        AwsError: the zip cannot be had however often that is tried.
    """
    for attempt in range(1, DOWNLOAD_ATTEMPTS):
        try:
            return download(look())
        except AwsError:
            time.sleep(FIRST_PAUSE_SECONDS * attempt)
    return download(look())


def download_layer(layer: LayerVersion) -> bytes:
    """Return the zip of a layer version.

    Raises:
        AwsError: it cannot be had.
    """
    hint = "verify by the digest alone tells that it differs; download it with aws lambda"
    with _downloading(layer, hint) as answer:
        return answer.read(UNZIPPED_BYTES)


def layer_md5(layer: LayerVersion) -> str:
    """Return the MD5 of a layer version's zip, in hex; the zip is read piece by piece.

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
def _downloading(layer: LayerVersion, hint: str) -> Generator[_Readable]:
    """Open the zip of a layer version."""
    if not layer.location.startswith("https://"):
        raise AwsError(f"AWS named no place for the zip of {layer.arn}", hint=hint)
    try:
        with urllib.request.urlopen(layer.location, timeout=_DOWNLOAD_SECONDS) as answer:  # noqa: S310  https alone, see above
            yield answer
    except (OSError, HTTPException) as error:  # urllib's are OSErrors
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise AwsError(f"the zip of {layer.arn} cannot be had", hint=hint) from error


def _layer_version(answer: Mapping[str, Any]) -> LayerVersion:
    """Return the layer version of an answer, or of an entry of a list."""
    content: Mapping[str, Any] = answer.get("Content", {})
    return LayerVersion(
        arn=layer_arn(answer["LayerVersionArn"]),
        described=described_sha256(answer.get("Description", "")),
        created=utc_time(answer.get("CreatedDate", "")),
        runtimes=tuple(answer.get("CompatibleRuntimes", ())),
        sha256=base64.b64decode(content.get("CodeSha256", "")).hex(),
        size=content.get("CodeSize", 0),
        location=content.get("Location", ""),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerUpload:
    """A zip on its way to AWS.

    Attributes:
        layer: name of the layer.
        sha256: of the zip, in hex.
        body: the request's JSON, which is the same in every region and made once for all of them.
    """

    layer: str
    sha256: str
    body: bytes = field(repr=False)


class RegionClient:
    """Lambda's layers in one region; may be used by several threads.

    No request is sent sooner than `SPACING_SECONDS` after the one before, be it botocore's own
    second attempt. Every method raises an `AwsError` where AWS refuses, or does not answer however
    often it is asked.

    Attributes:
        region: its name, such as `eu-west-1`.
        retries: requests that had to be sent again so far.
        stopped: once it is set no request is sent any more.
        bucket: takes the zips that are too large for a request, if there is one.
    """

    def __init__(
        self,
        aws: Aws,
        region: str,
        stopped: threading.Event | None = None,
        bucket: RegionBucket | None = None,
    ) -> None:
        self.region = region
        self.bucket = bucket
        self.retries = 0
        self.stopped = stopped or threading.Event()
        self._aws = aws
        self._turn = threading.Lock()
        self._next_at = 0.0
        self._storage = threading.Lock()
        self._left: list[int | None] = []  # nothing in it before AWS was asked
        self._bodies: dict[str, bytes] = {}
        self._client = self._made(session.LAYERS)

    def _made(self, config: Config) -> LambdaClient:
        client: LambdaClient = self._aws.client("lambda", self.region, config)
        events: Any = client.meta.events
        events.register("request-created.lambda", self._count)
        events.register("before-send.lambda", self._wait)
        events.register("before-call.lambda.PublishLayerVersion", self._share_body)
        return client

    @cached_property
    def _uploads(self) -> LambdaClient:
        """Has more time and one attempt; it is made when it is first wanted."""
        return self._made(session.PUBLISH)

    def _count(self, request: Any, **_: object) -> None:  # noqa: ANN401  botocore has no types
        self.retries += request.context["retries"]["attempt"] > 1

    def _wait(self, **_: object) -> None:
        """Wait until it is this request's turn."""
        with self._turn:
            time.sleep(max(0.0, self._next_at - time.monotonic()))
            self._next_at = time.monotonic() + SPACING_SECONDS
        if self.stopped.is_set():
            raise AwsError(f"{self.region}: no request is sent any more")

    def _share_body(self, params: dict[str, Any], **_: object) -> None:
        """Put the body that all regions share in place of the one that boto3 has made."""
        made = json.loads(params["body"])
        params["body"] = self._bodies[made["Description"]]

    def names(self) -> list[str]:
        """Return the names of the account's layers that have a version."""
        with region_errors("list the layers", self.region):
            pages = self._client.get_paginator("list_layers").paginate()
            return [each.get("LayerName", "") for page in pages for each in page["Layers"]]

    def versions(self, layer: str) -> list[LayerVersion]:
        """Return all versions of a layer, the newest first; none where there is no such layer."""
        with region_errors("list the layer's versions", self.region):
            pages = self._client.get_paginator("list_layer_versions").paginate(LayerName=layer)
            listed = [_layer_version(each) for page in pages for each in page["LayerVersions"]]
        return sorted(listed, key=lambda each: each.arn.version, reverse=True)

    def version(self, layer: str, number: int) -> LayerVersion | None:
        """Return a version of a layer; None where there is none."""
        with region_errors(f"look at version {number}", self.region):
            try:
                answer = self._client.get_layer_version(LayerName=layer, VersionNumber=number)
            except self._client.exceptions.ResourceNotFoundException:
                return None
            return _layer_version(answer)

    def publish(self, upload: LayerUpload) -> LayerVersion:
        """Publish a version; the request is sent once.

        Raises:
            UncertainError: nobody knows whether it was published.
            AwsError: it certainly was not.
        """
        self._bodies[upload.sha256] = upload.body
        try:
            answer = self._uploads.publish_layer_version(
                LayerName=upload.layer, Content={"ZipFile": b""}, Description=upload.sha256
            )
        except (BotoCoreError, ClientError) as error:
            refusal = region_error(error, "publish", self.region)
            if may_be_done(error):
                raise UncertainError(str(refusal), hint=refusal.hint) from error
            raise refusal from error
        return _layer_version(answer)

    def public_statements(self, layer: str, number: int) -> tuple[str, ...]:
        """Return the identifiers of the statements that let every account use a version."""
        with region_errors("read the policy", self.region):
            try:
                answer = self._client.get_layer_version_policy(
                    LayerName=layer, VersionNumber=number
                )
            except self._client.exceptions.ResourceNotFoundException:
                return ()
            return public_statements(answer["Policy"])

    def share(self, layer: str, number: int) -> None:
        """Let every account use a version, be it so already."""
        with region_errors("make public", self.region):
            try:
                self._client.add_layer_version_permission(
                    LayerName=layer,
                    VersionNumber=number,
                    StatementId=STATEMENT,
                    Action=ACTION,
                    Principal="*",
                )
            except self._client.exceptions.ResourceConflictException:
                return

    def unshare(self, layer: str, number: int, statement: str) -> None:
        """Take a statement out of a version's policy, be it gone already."""
        with region_errors("make private", self.region):
            try:
                self._client.remove_layer_version_permission(
                    LayerName=layer, VersionNumber=number, StatementId=statement
                )
            except self._client.exceptions.ResourceNotFoundException:
                return

    def reserve_storage(self, size: int) -> int | None:
        """Count bytes that are about to be stored; the bytes left where they do not fit, else None.

        An emulator may not know what is left, and the identity need not be allowed to read it:
        then everything fits.
        """
        with self._storage:
            if not self._left:
                self._left.append(self._storage_left())
            (left,) = self._left
            if left is None or size > left:
                return left
            self._left = [left - size]
            return None

    def _storage_left(self) -> int | None:
        try:
            answer = self._client.get_account_settings()
        except (BotoCoreError, ClientError):
            return None
        used = answer.get("AccountUsage", {}).get("TotalCodeSize", 0)
        most = answer.get("AccountLimit", {}).get("TotalCodeSize", 0)
        return most - used if most else None


def public_statements(policy: str) -> tuple[str, ...]:
    """Return the identifiers of a policy's statements that let every account use a layer version.

    A statement with a condition lets only some.

    Args:
        policy: JSON, as GetLayerVersionPolicy gives it; empty for none.
    """
    try:
        parsed: object = json.loads(policy) if policy else {}
    except ValueError:
        return ()
    statements = map(_mapping, _list(_mapping(parsed).get("Statement", [])))
    return tuple(str(each.get("Sid", "")) for each in statements if _lets_every_account(each))


def _lets_every_account(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        principal = _mapping(cast("object", principal)).get("AWS")
    return (
        statement.get("Effect") == "Allow"
        and "*" in _list(principal)
        and any(str(each).lower() in _ACTIONS for each in _list(statement.get("Action", [])))
        and not statement.get("Condition")
    )


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]
