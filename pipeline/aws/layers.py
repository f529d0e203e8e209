"""Lambda's layer versions: listed, read, published, shared."""

from __future__ import annotations

import base64
import json
import math
import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config

from pipeline.aws import session
from pipeline.aws.errors import BOTO_ERRORS, may_be_done, region_error, region_errors
from pipeline.aws.pace import Pace
from pipeline.aws.policy import NO_POLICY, LayerPolicy, LayerStatement, permission, read_policy
from pipeline.aws.s3 import RegionBucket
from pipeline.aws.session import Aws
from pipeline.errors import AwsError
from pipeline.naming import LayerArn, described_sha256, layer_arn, utc_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_lambda.client import LambdaClient


# The control plane accepts 15 requests a second for an account and region. Ocelot sends nine, so
# that with delays on the way at most ten arrive in one second.
SPACING_SECONDS = 0.12


class UncertainError(AwsError):
    """AWS may have done the request: there was no answer, or one that does not say."""


@dataclass(frozen=True, kw_only=True)
class LayerVersion:
    """A layer version as AWS shows it.

    Attributes:
        description: for people; of ocelot's versions it ends with the SHA-256 of the zip.
        created: when it was published, in UTC.
        runtimes: compatible runtimes, by Lambda's names.
        architectures: compatible ones, by Lambda's names.
        licence: such as Apache-2.0; empty for none.
        policy: its policy, as far as it was read.
        sha256: of its zip, in hex; AWS' CodeSha256, which lists do not have.
        size: bytes of its zip.
        location: address from which its zip can be downloaded for some minutes, without
            credentials: a secret, never shown.
    """

    arn: LayerArn
    description: str = ""
    created: datetime | None = None
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    licence: str = ""
    policy: LayerPolicy = NO_POLICY
    sha256: str = ""
    size: int = 0
    location: str = field(default="", repr=False)

    @property
    def described_sha256(self) -> str:
        """The SHA-256 in its description, in hex; empty for none."""
        return described_sha256(self.description)


def layer_version(answer: Mapping[str, Any]) -> LayerVersion:
    """Return the layer version of an answer, or of an entry of a list."""
    content: Mapping[str, Any] = answer.get("Content", {})
    return LayerVersion(
        arn=layer_arn(answer["LayerVersionArn"]),
        description=answer.get("Description", ""),
        created=utc_time(answer.get("CreatedDate", "")),
        runtimes=tuple(answer.get("CompatibleRuntimes", ())),
        architectures=tuple(answer.get("CompatibleArchitectures", ())),
        licence=answer.get("LicenseInfo", ""),
        sha256=base64.b64decode(content.get("CodeSha256", "")).hex(),
        size=content.get("CodeSize", 0),
        location=content.get("Location", ""),
    )


def known_runtimes() -> frozenset[str]:
    """Return the runtimes in botocore's description of Lambda, which lacks newer ones."""
    model: Any = botocore.session.get_session().get_service_model("lambda")
    return frozenset(model.shape_for("Runtime").enum)


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerUpload:
    """A request that publishes a zip, the same for every region.

    Attributes:
        layer: name of the layer.
        sha256: of the zip, in hex.
        body: the request's JSON, with the zip in it or its place in a bucket.
    """

    layer: str
    sha256: str
    body: bytes = field(repr=False)


class RegionClient:
    """Lambda's layers in one region; several threads may use it.

    Requests, retries included, are sent at least `SPACING_SECONDS` apart. Every method raises an
    `AwsError` if AWS refuses, or answers none of the attempts.

    Attributes:
        region: its name, such as `eu-west-1`.
        retries: number of retries so far.
        stopped: once it is set, no request is sent any more.
        bucket: for zips that are too large for a request; None for none.
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
        self._pace = Pace(SPACING_SECONDS, self.stopped)
        self._storage_lock = threading.Lock()
        self._storage_left: float | None = None  # None until it was read; infinite if unknown
        self._bodies: dict[str, bytes] = {}
        self._client = self._made(session.LAYERS)

    def _made(self, config: Config) -> LambdaClient:
        client: LambdaClient = self._aws.client("lambda", self.region, config)
        events: Any = client.meta.events
        events.register("request-created.lambda", self._count)
        events.register("before-send.lambda", self._pace.wait)
        events.register("before-call.lambda.PublishLayerVersion", self._share_body)
        return client

    @cached_property
    def _uploads(self) -> LambdaClient:
        """A client with more time and no retries, made when it is first used."""
        return self._made(session.PUBLISH)

    @property
    def lambda_client(self) -> LambdaClient:
        """boto3's client, with the pace of this one."""
        return self._client

    def _count(self, request: Any, **_: object) -> None:  # noqa: ANN401  botocore has no types
        self.retries += request.context["retries"]["attempt"] > 1

    def _share_body(self, params: dict[str, Any], **_: object) -> None:
        """Replace the body that boto3 made by the one that all regions share."""
        made = json.loads(params["body"])
        params["body"] = self._bodies[made["Description"]]

    def names(self) -> list[str]:
        """Return the names of the account's layers that have a version."""
        with region_errors("list the layers", self.region):
            pages = self._client.get_paginator("list_layers").paginate()
            return [each.get("LayerName", "") for page in pages for each in page["Layers"]]

    def versions(self, layer: str) -> list[LayerVersion]:
        """Return all versions of a layer, the newest first; none if there is no such layer."""
        with region_errors("list the layer's versions", self.region):
            pages = self._client.get_paginator("list_layer_versions").paginate(LayerName=layer)
            listed = [layer_version(each) for page in pages for each in page["LayerVersions"]]
        return sorted(listed, key=lambda each: each.arn.version, reverse=True)

    def version(self, layer: str, number: int) -> LayerVersion | None:
        """Return a version of a layer; None if there is none."""
        with region_errors(f"read version {number}", self.region):
            try:
                answer = self._client.get_layer_version(LayerName=layer, VersionNumber=number)
            except self._client.exceptions.ResourceNotFoundException:
                return None
            return layer_version(answer)

    def publish(self, upload: LayerUpload) -> LayerVersion:
        """Publish a version; the request is sent once.

        Raises:
            UncertainError: it may or may not have been published.
            AwsError: it was certainly not published.
        """
        self._bodies[upload.sha256] = upload.body
        try:
            answer = self._uploads.publish_layer_version(
                LayerName=upload.layer, Content={"ZipFile": b""}, Description=upload.sha256
            )
        except BOTO_ERRORS as error:
            refusal = region_error(error, "publish", self.region)
            if may_be_done(error):
                raise UncertainError(str(refusal), hint=refusal.hint) from error
            raise refusal from error
        return layer_version(answer)

    def delete(self, layer: str, number: int) -> None:
        """Delete a version; it is no error if there is none."""
        with region_errors(f"delete version {number}", self.region):
            self._client.delete_layer_version(LayerName=layer, VersionNumber=number)

    def policy(self, layer: str, number: int) -> LayerPolicy:
        """Return the policy of a version; without statements if there is none."""
        with region_errors("read the policy", self.region):
            try:
                answer = self._client.get_layer_version_policy(
                    LayerName=layer, VersionNumber=number
                )
            except self._client.exceptions.ResourceNotFoundException:
                return NO_POLICY
            return read_policy(answer["Policy"])

    def add_statement(self, layer: str, number: int, statement: LayerStatement) -> None:
        """Add one of ocelot's own statements; it is no error if its id exists already."""
        with region_errors(f"add {statement.id} to the policy", self.region):
            try:
                self._client.add_layer_version_permission(
                    LayerName=layer, VersionNumber=number, **cast("Any", permission(statement))
                )
            except self._client.exceptions.ResourceConflictException:
                return

    def remove_statement(self, layer: str, number: int, statement: str) -> None:
        """Remove a statement from a version's policy; it is no error if there is none."""
        with region_errors(f"remove {statement} from the policy", self.region):
            try:
                self._client.remove_layer_version_permission(
                    LayerName=layer, VersionNumber=number, StatementId=statement
                )
            except self._client.exceptions.ResourceNotFoundException:
                return

    def reserve_storage(self, size: int) -> int | None:
        """Reserve code storage for a zip; return the bytes left if it does not fit, else None.

        If the identity may not read the limit, or an emulator has none, every zip fits.
        """
        with self._storage_lock:
            if self._storage_left is None:
                self._storage_left = self._read_storage_left()
            if size > self._storage_left:
                return int(self._storage_left)
            self._storage_left -= size
            return None

    def _read_storage_left(self) -> float:
        try:
            answer = self._client.get_account_settings()
        except BOTO_ERRORS:
            return math.inf
        used = answer.get("AccountUsage", {}).get("TotalCodeSize", 0)
        limit = answer.get("AccountLimit", {}).get("TotalCodeSize", 0)
        return limit - used if limit else math.inf
