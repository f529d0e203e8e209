"""AWS' protocols: requests named by service and operation, answers, errors.

Lambda speaks REST with JSON, DynamoDB and SSM JSON, STS forms and XML, S3 REST with XML:
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

DOWNLOADS = "/snapshots/"  # path of the zips of layer versions

_READS = ("Get", "List", "Head", "Describe", "Query", "Scan", "BatchGet", "TransactGet", "Assume")
_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]*)/\d+/(?P<region>[^/]*)/(?P<service>[^/]*)/")
_XML = frozenset({"sts", "s3"})

LAYERS = "/2018-10-31/layers"
FUNCTIONS = "/2015-03-31/functions"
_VERSIONS = rf"{LAYERS}/(?P<layer>[^/]+)/versions"
_VERSION = rf"{_VERSIONS}/(?P<version>\d+)"
_FUNCTION = rf"{FUNCTIONS}/(?P<function>[^/]+)"
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
        ("GET", FUNCTIONS, "ListFunctions"),
        ("GET", rf"{_FUNCTION}/configuration", "GetFunctionConfiguration"),
        ("PUT", rf"{_FUNCTION}/configuration", "UpdateFunctionConfiguration"),
        ("GET", rf"{_FUNCTION}/aliases", "ListAliases"),
    )
)
# Members of JSON requests that name their resource: a table, or a parameter.
_RESOURCES = ("TableName", "Name", "ResourceId")
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
class ErrorAnswer:
    """An error that AWS answers, in JSON or XML.

    Attributes:
        status: of HTTP.
        code: "TooManyRequestsException".
        message: for people.
        xml: the code of services that speak XML, if it differs, "Throttling".
        headers: further headers.
    """

    status: int
    code: str
    message: str = ""
    xml: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


THROTTLED = ErrorAnswer(429, "TooManyRequestsException", "Rate exceeded", "Throttling")
SERVICE_EXCEPTION = ErrorAnswer(
    500, "ServiceException", "An error occurred, please try again.", "InternalFailure"
)
UNAVAILABLE = ErrorAnswer(
    503, "ServiceUnavailableException", "Service is unavailable.", "ServiceUnavailable"
)
ACCESS_DENIED = ErrorAnswer(
    403, "AccessDeniedException", "User is not authorized to perform this.", "AccessDenied"
)
CODE_STORAGE_EXCEEDED = ErrorAnswer(
    400, "CodeStorageExceededException", "Code storage limit exceeded."
)
EXPIRED_TOKEN = ErrorAnswer(
    403,
    "ExpiredTokenException",
    "The security token included in the request is expired",
    "ExpiredToken",
)
NOT_OPTED_IN = ErrorAnswer(
    403,
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
    "InvalidClientTokenId",
)


class RefusedRequestError(Exception):
    """AWS refuses a request."""

    def __init__(self, error: ErrorAnswer) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.error = error


class Response(NamedTuple):
    """An answer; a HEAD's body is empty whatever its Content-Length."""

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
    """A request.

    Attributes:
        target: path and query, as sent.
        headers: names in lower case.
        body: empty until it is read.
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
        """Bytes of the body, by Content-Length."""
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
    """The operation of a request, and its resource.

    Attributes:
        service: "lambda", "sts", "dynamodb", "ssm", "s3"; "download" for a layer version's zip.
        operation: "PublishLayerVersion"; method and path of an unknown operation.
        region: of the signature; empty for a call that is not signed.
        key: the access key; empty for a call that is not signed.
        resource: a layer or function as in the request (unquoted), a table, bucket and key, a
            parameter, or a role.
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
    """Return the name of a request; only a form's needs the body."""
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
        asked: dict[str, str] = json.loads(request.body or b"{}")
        resource = next((asked[each] for each in _RESOURCES if each in asked), "")
        return Name(service, operation, region, key, resource)
    if service == "s3":
        return Name(service, _s3(request), region, key, unquote(request.path.strip("/")))
    operation, layer, version, statement = _lambda(request)
    return Name(service, operation, region, key, layer, version, statement)


def _lambda(request: Request) -> tuple[str, str, int, str]:
    """Return operation, layer or function, version and statement."""
    for method, path, operation in _LAMBDA:
        found = path.fullmatch(request.path.rstrip("/"))
        if found and method == request.method:
            parts = {part: unquote(value) for part, value in found.groupdict().items()}
            resource = parts.get("layer") or parts.get("function", "")
            return operation, resource, int(parts.get("version", 0)), parts.get("statement", "")
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
    """Return the path of a layer's versions, of one version, its policy or a statement."""
    parts = [LAYERS, layer, "versions", *([str(version)] if version else [])]
    parts += [*(["policy"] if policy or statement else []), *([statement] if statement else [])]
    return "/".join(parts)


def answer(content: object, status: int = 200) -> Response:
    """Return an answer in JSON."""
    return Response(status, {"content-type": "application/json"}, json.dumps(content).encode())


def failure(error: ErrorAnswer, service: str) -> Response:
    """Return an error answer in the service's protocol."""
    if service not in _XML:
        headers = {"content-type": "application/json", "x-amzn-errortype": error.code}
        kind = "User" if error.status < 500 else "Service"
        content = {"Type": kind, "message": error.message}
        if service in ("dynamodb", "ssm"):
            space = "com.amazonaws.dynamodb.v20120810#" if service == "dynamodb" else ""
            content = {"__type": f"{space}{error.code}", **content}
        return Response(error.status, {**headers, **error.headers}, json.dumps(content).encode())
    code, message = error.xml or error.code, escape(error.message)
    found = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "sts":
        kind = "Sender" if error.status < 500 else "Receiver"
        found = f"<ErrorResponse><Error><Type>{kind}</Type>{found}</Error></ErrorResponse>"
    else:
        found = f"<Error>{found}</Error>"
    return Response(error.status, {"content-type": "text/xml", **error.headers}, found.encode())


def error_code(found: Response) -> str:
    """Return the code of an error answer; empty for any other answer."""
    if found.status < 400:
        return ""
    code = found.headers.get("x-amzn-errortype", "")
    match = re.search(rb'<Code>([^<]+)<|"__type": *"(?:[^"#]*#)?([^"]+)"', found.body)
    return code or (next(filter(None, match.groups())).decode() if match else "")
