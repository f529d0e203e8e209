"""moto, corrected where it does not answer as AWS does.

Only one call at a time goes to moto: it is one process with one interpreter anyway, and its
conditional writes are not atomic.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from aws_functions import Functions
from aws_layers import Layers
from aws_parameters import Parameters
from aws_server import ACCOUNT, account_of
from aws_wire import (
    EXPIRED_TOKEN,
    THROTTLED,
    ErrorAnswer,
    Name,
    RefusedRequestError,
    Request,
    Response,
)

# "Request must be smaller than 70167211 bytes for the PublishLayerVersion operation"
REQUEST_BYTES = 70_167_211
GITHUB = "https://token.actions.githubusercontent.com"

_ISSUED = re.compile(rb"<AccessKeyId>([^<]+)<")
_HOP = frozenset({"connection", "content-length", "date", "expect", "server", "transfer-encoding"})
_NO_JWT = ErrorAnswer(400, "InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
_AUDIENCE = ErrorAnswer(400, "InvalidIdentityToken", "Incorrect token audience")
_TOKEN_EXPIRED = ErrorAnswer(400, "ExpiredTokenException", "Token expired")
_UNTRUSTED = ErrorAnswer(
    403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"
)


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Web identity tokens that a role accepts.

    Attributes:
        subject: pattern of the token's, "repo:acme/layers:*".
        audience: of the token.
        issuer: of the token.
        role: pattern of the role's ARN.
    """

    subject: str
    audience: str = "sts.amazonaws.com"
    issuer: str = GITHUB
    role: str = "*"


def web_token(subject: str, **claims: object) -> str:
    """Return a web identity token as GitHub makes it, but without a valid signature.

    Args:
        subject: "repo:acme/layers:ref:refs/heads/main".
        claims: further or other claims: aud, iss, exp.
    """
    payload = {"sub": subject, "aud": "sts.amazonaws.com", "iss": GITHUB, **claims}
    parts = [{"alg": "RS256", "typ": "JWT"}, payload, {}]
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )


class EmulatedAws:
    """AWS, made of moto.

    Attributes:
        layers: Lambda's layers.
        functions: Lambda's functions.
        parameters: SSM's parameters.
        requests_per_second: Lambda throttles more in a region and account; None for no limit. AWS
            has 15.
        trusts: web identity tokens that are accepted.
        clock: seconds, for the throttling.
    """

    def __init__(self, host: str) -> None:
        """Args: moto's address and port."""
        self.layers = Layers(self._moto, self.account)
        self.functions = Functions(self._moto, self.account)
        self.parameters = Parameters(self._moto, self.account)
        self.requests_per_second: int | None = None
        self.trusts: Sequence[Trust] = ()
        self.clock: Callable[[], float] = time.monotonic
        self._connection = http.client.HTTPConnection(host, timeout=60)
        self._lock = threading.Lock()
        self._closed = False
        self._recent: dict[tuple[str, str], deque[float]] = {}
        self._accounts: dict[str, str] = {}  # by access key from STS
        self._fresh: set[str] | None = None
        self._operations = {
            **self.layers.operations,
            **self.functions.operations,
            **self.parameters.operations,
            "AssumeRole": self._assume,
            "AssumeRoleWithWebIdentity": self._assume,
        }

    def close(self) -> None:
        """Send no more requests to moto."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def expire_credentials(self) -> None:
        """Let all keys expire, except those that STS gives from now on."""
        self._fresh = set()

    def account(self, name: Name) -> str:
        """Return the account of a call."""
        if not name.key:
            found = re.search(r"::(\d{12}):", name.resource)  # the role's
            return found[1] if found else ACCOUNT
        return self._accounts.get(name.key) or account_of(name.key) or ACCOUNT

    def do(self, request: Request, name: Name) -> Response:
        """Answer a request as AWS does.

        Raises:
            RefusedRequestError: AWS would refuse it.
        """
        if name.service == "download":
            return self.layers.download(name.resource)
        with self._lock:
            if self._closed:
                raise ConnectionAbortedError
            self._admit(request, name)
            return self._operations.get(name.operation, self._plain)(request, name)

    def _admit(self, request: Request, name: Name) -> None:
        if name.key and self._fresh is not None and name.key not in self._fresh:
            status = 400 if name.service in ("dynamodb", "s3") else 403
            raise RefusedRequestError(replace(EXPIRED_TOKEN, status=status))
        if name.service != "lambda":
            return
        if self.requests_per_second is not None:
            recent = self._recent.setdefault((self.account(name), name.region), deque())
            now = self.clock()
            while recent and recent[0] <= now - 1:
                recent.popleft()
            if len(recent) >= self.requests_per_second:
                raise RefusedRequestError(THROTTLED)
            recent.append(now)
        if request.size > REQUEST_BYTES:
            raise RefusedRequestError(
                ErrorAnswer(
                    413,
                    "RequestEntityTooLargeException",
                    f"Request must be smaller than {REQUEST_BYTES} bytes "
                    f"for the {name.operation} operation",
                )
            )

    def _plain(self, request: Request, name: Name) -> Response:
        return self._moto(request, self.account(name))

    def _moto(self, request: Request, account: str) -> Response:
        """Send a request to moto, for an account."""
        headers = {k: v for k, v in request.headers.items() if k not in _HOP}
        headers["x-moto-account-id"] = account
        try:
            self._connection.request(request.method, request.target, request.body, headers)
            got = self._connection.getresponse()
            body = got.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise RuntimeError(f"moto gave no answer to {request.method} {request.path}") from error
        kept = ("content-length",) if request.method == "HEAD" else ()
        answered = {k.lower(): v for k, v in got.getheaders()}
        answered = {k: v for k, v in answered.items() if k not in _HOP or k in kept}
        return Response(got.status, answered, body)

    def _assume(self, request: Request, name: Name) -> Response:
        if name.operation == "AssumeRoleWithWebIdentity":
            self._check(request.form["WebIdentityToken"], role=name.resource)
        got = self._plain(request, name)
        for key in map(bytes.decode, _ISSUED.findall(got.body)):
            role = re.search(r"::(\d{12}):", name.resource)
            self._accounts[key] = role[1] if role else ACCOUNT
            if self._fresh is not None:
                self._fresh.add(key)
        return got

    def _check(self, token: str, *, role: str) -> None:
        claims = _claims(token)
        if claims is None:
            raise RefusedRequestError(_NO_JWT)
        if claims.get("exp", float("inf")) <= time.time():
            raise RefusedRequestError(_TOKEN_EXPIRED)
        known = [
            each
            for each in self.trusts
            if (each.audience, each.issuer) == (claims.get("aud"), claims.get("iss"))
        ]
        if not known:
            raise RefusedRequestError(_AUDIENCE)
        subject = claims.get("sub", "")
        if not any(fnmatchcase(subject, t.subject) and fnmatchcase(role, t.role) for t in known):
            raise RefusedRequestError(_UNTRUSTED)


def _claims(token: str) -> dict[str, Any] | None:
    try:
        _, payload, _ = token.split(".")
        return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
    except ValueError:
        return None
