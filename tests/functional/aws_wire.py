"""What goes over AWS' wire: requests named by service and operation, answers, errors.

Lambda speaks REST with JSON, DynamoDB JSON, STS forms and XML, S3 REST with XML:
https://smithy.io/2.0/aws/protocols/index.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

DOWNLOADS = "/snapshots/"  # where the zips of layer versions are

_READS = ("Get", "List", "Head", "Describe", "Query", "Scan", "BatchGet", "TransactGet", "Assume")
_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]*)/\d+/(?P<region>[^/]*)/(?P<service>[^/]*)/")
_XML = frozenset({"sts", "s3"})

LAYERS = "/2018-10-31/layers"
_VERSIONS = rf"{LAYERS}/(?P<layer>[^/]+)/versions"
_VERSION = rf"{_VERSIONS}/(?P<version>\d+)"
_LAMBDA = tuple(
    (method, re.compile(path), operation)
    for method, path, operation in (
        ("POST", _VERSIONS, "PublishLayerVersion"),
        ("GET", _VERSIONS, "ListLayerVersions"),
        ("GET", _VERSION, "GetLayerVersion"),
        ("DELETE", _VERSION, "DeleteLayerVersion"),
        ("GET", rf"{_VERSION}/policy", "GetLayerVersionPolicy"),
        ("POST", rf"{_VERSION}/policy", "AddLayerVersionPermission"),
        ("DELETE", rf"{_VERSION}/policy/(?P<statement>[^/]+)", "RemoveLayerVersionPermission"),
        ("GET", "/2016-08-19/account-settings", "GetAccountSettings"),
    )
)
_S3 = {
    ("PUT", "partNumber"): "UploadPart",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "list-type"): "ListObjectsV2",
}
_S3_OBJECT = {
    "PUT": "PutObject",
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "DELETE": "DeleteObject",
}
_S3_BUCKET = {
    "PUT": "CreateBucket",
    "GET": "ListObjects",
    "HEAD": "HeadBucket",
    "DELETE": "DeleteBucket",
}


@dataclass(frozen=True)
class AwsError:
    """An error as AWS answers it, in JSON or XML.

    Attributes:
        status: of HTTP.
        code: "TooManyRequestsException".
        message: for people.
        xml: the code where a service that speaks XML has another, "Throttling".
        headers: what is answered beside it.
    """

    status: int
    code: str
    message: str = ""
    xml: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


THROTTLED = AwsError(429, "TooManyRequestsException", "Rate exceeded", "Throttling")
SERVICE_EXCEPTION = AwsError(
    500, "ServiceException", "An error occurred, please try again.", "InternalFailure"
)
UNAVAILABLE = AwsError(
    503, "ServiceUnavailableException", "Service is unavailable.", "ServiceUnavailable"
)
ACCESS_DENIED = AwsError(
    403, "AccessDeniedException", "User is not authorized to perform this.", "AccessDenied"
)
CODE_STORAGE_EXCEEDED = AwsError(
    400, "CodeStorageExceededException", "Code storage limit exceeded."
)
EXPIRED_TOKEN = AwsError(
    403,
    "ExpiredTokenException",
    "The security token included in the request is expired",
    "ExpiredToken",
)
NOT_OPTED_IN = AwsError(
    403,
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
    "InvalidClientTokenId",
)


class RefusedError(Exception):
    """AWS does not do what it was asked."""

    def __init__(self, error: AwsError) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.error = error


class Response(NamedTuple):
    """An answer; a HEAD's body is empty though its Content-Length tells otherwise."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it came.

    Attributes:
        target: path and query, as sent.
        headers: names in small letters.
        body: empty while only the head is here.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Without the query, quoted as sent."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The last value of each name."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def size(self) -> int:
        """Bytes of the body, from the head."""
        return int(self.headers.get("content-length") or 0)

    @property
    def is_form(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode())) if self.is_form else {}

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Name(NamedTuple):
    """What a request asks for.

    Attributes:
        service: "lambda", "sts", "dynamodb", "s3"; "download" for the zip of a layer version.
        operation: "PublishLayerVersion"; method and path where no table here knows better.
        region: of the signature; empty for a call that is not signed.
        key: the access key; empty for a call that is not signed.
        resource: a layer as the caller names it (quotes undone), a table, bucket and key, a role.
        version: of the layer; 0 for none.
        statement: of the layer version's policy; empty for none.
    """

    service: str
    operation: str
    region: str
    key: str
    resource: str = ""
    version: int = 0
    statement: str = ""

    @property
    def is_writing(self) -> bool:
        return not self.operation.startswith((*_READS, "GET ", "HEAD "))


def name(request: Request) -> Name:
    """Name a request; that of a form needs its body, all others the head alone."""
    signed = _CREDENTIAL.search(request.headers.get("authorization", ""))
    signed = signed or _CREDENTIAL.search(f"Credential={request.query.get('X-Amz-Credential')}/")
    key, region, service = signed.group("key", "region", "service") if signed else ("", "", "")
    if request.path.startswith(DOWNLOADS):
        found = request.path.removeprefix(DOWNLOADS).split("/")
        return Name("download", "GetLayerVersionContent", found[0], "", found[-1])
    if request.is_form:
        form = request.form
        return Name(service or "sts", form["Action"], region, key, form.get("RoleArn", ""))
    if "x-amz-target" in request.headers:
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        table = json.loads(request.body or b"{}").get("TableName", "")
        return Name(service, operation, region, key, table)
    if service == "s3":
        return Name(service, _s3(request), region, key, unquote(request.path.strip("/")))
    operation, layer, version, statement = _lambda(request)
    return Name(service, operation, region, key, layer, version, statement)


def _lambda(request: Request) -> tuple[str, str, int, str]:
    """Operation, layer, version and statement."""
    for method, path, operation in _LAMBDA:
        found = path.fullmatch(request.path.rstrip("/"))
        if found and method == request.method:
            parts = {part: unquote(value) for part, value in found.groupdict().items()}
            layer, version = parts.get("layer", ""), int(parts.get("version", 0))
            return operation, layer, version, parts.get("statement", "")
    if request.path.rstrip("/") == LAYERS and "find" in request.query:
        layer, _, version = request.query["Arn"].rpartition(":")
        return "GetLayerVersionByArn", layer, int(version), ""
    if (request.method, request.path.rstrip("/")) == ("GET", LAYERS):
        return "ListLayers", "", 0, ""
    return f"{request.method} {request.path}", "", 0, ""


def _s3(request: Request) -> str:
    for (method, part), operation in _S3.items():
        if method == request.method and part in request.query:
            return operation
    known = _S3_OBJECT if "/" in request.path.strip("/") else _S3_BUCKET
    return known.get(request.method, f"{request.method} {request.path}")


def layer_path(layer: str, version: int = 0, *, policy: bool = False, statement: str = "") -> str:
    """The path of a layer's versions, of one, its policy or a statement of that."""
    parts = [LAYERS, layer, "versions", *([str(version)] if version else [])]
    parts += [*(["policy"] if policy or statement else []), *([statement] if statement else [])]
    return "/".join(parts)


def answer(content: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(status, {"content-type": "application/json"}, json.dumps(content).encode())


def failure(error: AwsError, service: str) -> Response:
    """An error in the words of the service."""
    if service not in _XML:
        headers = {"content-type": "application/json", "x-amzn-errortype": error.code}
        kind = "User" if error.status < 500 else "Service"
        told = {"Type": kind, "message": error.message}
        if service == "dynamodb":
            told = {"__type": f"com.amazonaws.dynamodb.v20120810#{error.code}", **told}
        return Response(error.status, {**headers, **error.headers}, json.dumps(told).encode())
    code, message = error.xml or error.code, escape(error.message)
    found = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "sts":
        kind = "Sender" if error.status < 500 else "Receiver"
        found = f"<ErrorResponse><Error><Type>{kind}</Type>{found}</Error></ErrorResponse>"
    else:
        found = f"<Error>{found}</Error>"
    return Response(error.status, {"content-type": "text/xml", **error.headers}, found.encode())


def error_code(found: Response) -> str:
    """The code of an error, as the service has it; empty for an answer that is none."""
    if found.status < 400:
        return ""
    code = found.headers.get("x-amzn-errortype", "")
    told = re.search(rb'<Code>([^<]+)<|"__type": *"(?:[^"#]*#)?([^"]+)"', found.body)
    return code or (next(filter(None, told.groups())).decode() if told else "")
