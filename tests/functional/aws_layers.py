"""Lambda's layers as AWS has them, made of moto.

moto gets a few bytes in place of a layer's zip. The zip itself is kept here, once for all regions,
and moto's answers are changed back: a hundred uploads of 10 MB cost little.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote

from aws_wire import (
    ACCESS_DENIED,
    CODE_STORAGE_EXCEEDED,
    LAYERS,
    ErrorAnswer,
    Name,
    RefusedRequestError,
    Request,
    Response,
    answer,
    layer_path,
)

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CODE_STORAGE_BYTES = 75 * 1024**3
UNZIPPED_BYTES = 262_144_000
ZIPPED_BYTES = 52_428_800
POLICY_BYTES = 20_480
PAGE = 50

_ARN = re.compile(r"arn:[^:]+:lambda:[^:]+:(?P<account>\d{12}):layer:(?P<name>[^:]+)")
_LISTED = (
    "LayerVersionArn",
    "Version",
    "Description",
    "CreatedDate",
    "CompatibleArchitectures",
    "CompatibleRuntimes",
    "LicenseInfo",
)
# moto serves a bucket's files to any signature.
_S3_READER = (
    "AWS4-HMAC-SHA256 Credential=LAMBDA/20260101/{region}/s3/aws4_request, SignedHeaders=host"
)
_NO_ZIP = ErrorAnswer(
    400,
    "InvalidParameterValueException",
    "Could not unzip uploaded file. Please check your file, then try to upload again.",
)
_TOO_BIG = ErrorAnswer(
    400,
    "InvalidParameterValueException",
    f"Unzipped size must be smaller than {UNZIPPED_BYTES} bytes",
)


_NO_ORGANISATION = ErrorAnswer(
    400,
    "InvalidParameterValueException",
    "The principal must be * if an organization is given.",
)


Operation = Callable[[Request, Name], Response]


class Zip(NamedTuple):
    """The zip of layer versions.

    Attributes:
        problem: error with which AWS refuses it.
        stand_in: content that moto has instead, in base64.
    """

    content: bytes
    sha256: bytes
    problem: ErrorAnswer | None
    stand_in: str


class _Layer(NamedTuple):
    """The layer of a request, by account and name."""

    account: str
    name: str


class Layers:
    """All layers of all accounts and regions.

    Attributes:
        downloads: URL below which `download` is served, by region and sha256.
        code_storage: bytes in each region and account; more are refused.
        operations: the calls that are answered here.
    """

    def __init__(
        self, moto: Callable[[Request, str], Response], account: Callable[[Name], str]
    ) -> None:
        """Args: a function that sends a request to moto, and one that returns a call's account."""
        self.downloads = ""
        self.code_storage = CODE_STORAGE_BYTES
        self.operations: Mapping[str, Operation] = {
            "PublishLayerVersion": self._publish,
            "ListLayers": self._names,
            "ListLayerVersions": self._list,
            "GetLayerVersion": self._get,
            "DeleteLayerVersion": self._delete,
            "GetLayerVersionPolicy": self._policy,
            "AddLayerVersionPermission": self._permit,
            "RemoveLayerVersionPermission": self._policy,
            "GetAccountSettings": self._settings,
        }
        self._moto = moto
        self._account = account
        # by sha256, by stand-in and by the stand-in's sha256
        self._zips: dict[str | bytes, Zip] = {}
        self._texts: dict[bytes, Zip] = {}  # by sha256 of their base64
        self._stored: dict[tuple[str, str, str, int], int] = {}

    def slim(self, request: Request, name: Name) -> Request:
        """Keep the zip of a request; return the request with its stand-in."""
        if name.operation != "PublishLayerVersion":
            return request
        # as botocore writes it; hashing is faster than reading JSON of such a size
        head, key, rest = request.body.partition(b'"ZipFile": "')
        text, end, tail = rest.partition(b'"')
        if not key:
            return request
        seen = hashlib.sha256(text).digest()
        if seen not in self._texts:
            self._texts[seen] = self._keep(base64.b64decode(text))
        stand_in = self._texts[seen].stand_in.encode()
        return replace(request, body=head + key + stand_in + end + tail)

    def download(self, sha256: str) -> Response:
        """Return the zip at a layer version's Content.Location."""
        kept = self._zips.get(bytes.fromhex(sha256))
        if not kept:
            return Response(404, {}, b"")
        return Response(200, {"content-type": "application/zip"}, kept.content)

    def _keep(self, content: bytes) -> Zip:
        sha256 = hashlib.sha256(content).digest()
        if sha256 not in self._zips:
            stand_in = sha256.hex().encode()
            named = base64.b64encode(stand_in).decode()
            kept = Zip(content, sha256, _problem(content), named)
            moto = base64.b64encode(hashlib.sha256(stand_in).digest()).decode()
            self._zips.update(dict.fromkeys((sha256, named, moto), kept))
        return self._zips[sha256]

    def _layer(self, name: Name) -> _Layer:
        """Return the layer of a call, which must be the caller's."""
        own = self._account(name)
        found = _ARN.fullmatch(name.resource)
        layer = _Layer(found["account"], found["name"]) if found else _Layer(own, name.resource)
        if layer.account != own:
            raise RefusedRequestError(ACCESS_DENIED)
        return layer

    def _at(self, request: Request, layer: _Layer, target: str, **more: Any) -> Response:  # noqa: ANN401
        return self._moto(replace(request, target=target, **more), layer.account)

    def _statements(self, request: Request, layer: _Layer, version: int) -> list[dict[str, Any]]:
        path = layer_path(layer.name, version, policy=True)
        got = self._at(request, layer, path, method="GET", body=b"")
        return json.loads(got.json["Policy"])["Statement"] if got.ok else []

    def _with_zip(self, got: Response, name: Name) -> Response:
        """Return an answer about a layer version with the figures of its zip."""
        if not got.ok:
            return got
        data = got.json
        kept = self._zips[data["Content"]["CodeSha256"]]
        data["Content"] = {
            "Location": f"{self.downloads}{name.region}/{kept.sha256.hex()}",
            "CodeSha256": base64.b64encode(kept.sha256).decode(),
            "CodeSize": len(kept.content),
        }
        return answer(data, got.status)

    def _used(self, name: Name) -> int:
        owner = (self._account(name), name.region)
        return sum(size for key, size in self._stored.items() if key[:2] == owner)

    def _publish(self, request: Request, name: Name) -> Response:
        layer, parameters = self._layer(name), request.json
        content = parameters["Content"]
        if "S3Bucket" in content:
            target = f"/{content['S3Bucket']}/{quote(content['S3Key'])}"
            signed = {"authorization": _S3_READER.format(region=name.region)}
            got = self._at(request, layer, target, method="GET", body=b"", headers=signed)
            if not got.ok:
                return self._at(request, layer, layer_path(layer.name))
            content = {"ZipFile": self._keep(got.body).stand_in}
        kept = self._zips[content["ZipFile"]]
        if kept.problem:
            raise RefusedRequestError(kept.problem)
        if self._used(name) + len(kept.content) > self.code_storage:
            raise RefusedRequestError(CODE_STORAGE_EXCEEDED)
        body = json.dumps({**parameters, "Content": content}).encode()
        got = self._with_zip(self._at(request, layer, layer_path(layer.name), body=body), name)
        if got.ok:
            key = (layer.account, name.region, layer.name, got.json["Version"])
            self._stored[key] = len(kept.content)
        return got

    def _names(self, request: Request, name: Name) -> Response:
        query, most = request.query, _most(request)
        got = self._moto(replace(request, target=LAYERS), self._account(name))
        after = query.get("Marker", "")
        found = [
            {
                **each,
                "LatestMatchingVersion": {
                    key: each["LatestMatchingVersion"][key]
                    for key in _LISTED
                    if key in each["LatestMatchingVersion"]
                },
            }
            for each in sorted(got.json["Layers"], key=lambda each: each["LayerName"])
            if each["LayerName"] > after
        ]
        page = found[:most]
        more = {"NextMarker": page[-1]["LayerName"]} if len(found) > most else {}
        return answer({"Layers": page, **more})

    def _list(self, request: Request, name: Name) -> Response:
        layer, query, most = self._layer(name), request.query, _most(request)
        got = self._at(request, layer, layer_path(layer.name))
        before = int(query.get("Marker", 1 << 62))
        found = [
            {key: each[key] for key in _LISTED if key in each}
            for each in got.json["LayerVersions"]
            if each["Version"] < before
        ]
        page = found[:most]
        more = {"NextMarker": str(page[-1]["Version"])} if len(found) > most else {}
        return answer({"LayerVersions": page, **more})

    def _get(self, request: Request, name: Name) -> Response:
        layer = self._layer(name)
        return self._with_zip(self._at(request, layer, layer_path(layer.name, name.version)), name)

    def _delete(self, request: Request, name: Name) -> Response:
        layer = self._layer(name)
        got = self._at(request, layer, layer_path(layer.name, name.version))
        self._stored.pop((layer.account, name.region, layer.name, name.version), None)
        return got

    def _policy(self, request: Request, name: Name) -> Response:
        layer = self._layer(name)
        path = layer_path(layer.name, name.version, policy=True, statement=name.statement)
        return self._at(request, layer, path)

    def _permit(self, request: Request, name: Name) -> Response:
        layer, parameters = self._layer(name), request.json
        sid = parameters["StatementId"]
        if any(each["Sid"] == sid for each in self._statements(request, layer, name.version)):
            raise RefusedRequestError(
                ErrorAnswer(
                    409,
                    "ResourceConflictException",
                    f"The statement id ({sid}) provided already exists. Please provide a new "
                    "statement id, or remove the existing statement.",
                )
            )
        if re.fullmatch(r"\d{12}", parameters["Principal"]):
            partition = _partition(name.region)
            parameters["Principal"] = f"arn:{partition}:iam::{parameters['Principal']}:root"
        if organisation := parameters.pop("OrganizationId", ""):
            if parameters["Principal"] != "*":
                raise RefusedRequestError(_NO_ORGANISATION)
            parameters["PrincipalOrgID"] = organisation  # moto makes a condition of it
        path = layer_path(layer.name, name.version, policy=True)
        got = self._at(request, layer, path, body=json.dumps(parameters).encode())
        if not got.ok:
            return got
        size = len(json.dumps({"Statement": self._statements(request, layer, name.version)}))
        if size > POLICY_BYTES:
            own = layer_path(layer.name, name.version, policy=True, statement=sid)
            self._at(request, layer, own, method="DELETE", body=b"")
            message = f"The final policy size ({size}) is bigger than the limit ({POLICY_BYTES})."
            raise RefusedRequestError(ErrorAnswer(400, "PolicyLengthExceededException", message))
        return got._replace(status=201)

    def _settings(self, _request: Request, name: Name) -> Response:
        limit = {
            "TotalCodeSize": self.code_storage,
            "CodeSizeUnzipped": UNZIPPED_BYTES,
            "CodeSizeZipped": ZIPPED_BYTES,
            "ConcurrentExecutions": 1000,
            "UnreservedConcurrentExecutions": 1000,
        }
        usage = {"TotalCodeSize": self._used(name), "FunctionCount": 0}
        return answer({"AccountLimit": limit, "AccountUsage": usage})


def _most(request: Request) -> int:
    """Return the requested length of a page."""
    most = int(request.query.get("MaxItems", PAGE))
    if not 1 <= most <= PAGE:
        raise RefusedRequestError(
            ErrorAnswer(400, "ValidationException", f"MaxItems is 1 to {PAGE}")
        )
    return most


def _problem(content: bytes) -> ErrorAnswer | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            unzipped = sum(each.file_size for each in opened.infolist())
    except zipfile.BadZipFile:
        return _NO_ZIP
    return _TOO_BIG if unzipped > UNZIPPED_BYTES else None


def _partition(region: str) -> str:
    partitions = {"cn": "aws-cn", "us-gov": "aws-us-gov", "eusc-de": "aws-eusc"}
    return partitions.get(region.rsplit("-", 2)[0], "aws")
