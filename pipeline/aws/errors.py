"""boto3's exceptions as errors for users."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from pipeline.errors import RUN_AGAIN, AwsError

GIVE_CREDENTIALS = "give credentials: aws sso login, AWS_PROFILE, or --role-arn with --oidc-token"
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")

# Hints by AWS' codes: parts of them, in the order in which they are tried.
_REFUSALS = {
    "UnrecognizedClient|InvalidClientTokenId|OptInRequired": (
        "REGION may not be enabled for this account: enable it, or leave it out"
    ),
    "|".join(EXPIRED): "the credentials have expired: get new ones and run the same command again",
    "AccessDenied": "the identity lacks a permission; oidc/ has a template with all that is needed",
    "CodeStorageExceeded": (
        "the account's code storage in this region is full: delete old layer versions"
    ),
    "Signature|RequestTimeTooSkewed|RequestInTheFuture": (
        "set the clock of this machine; if it is right, check the secret access key"
    ),
    "TooLarge": (
        "leave components out, or upload the zip through a bucket: --bucket 'NAME-{region}'"
    ),
}
_REFUSED = "AWS would refuse it again: change the option or the zip that it names"
_TRANSIENT = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown"
    r"|ServiceException|InternalFailure|InternalError|ServiceUnavailable"
)
_NO_ANSWER = (ConnectionClosedError, NoConnectionError, HTTPClientError, ReadTimeoutError)
_SERVER_ERROR = 500


@contextmanager
def aws_errors(message: str, hint: str) -> Generator[None]:
    """Turn boto3's exceptions into an `AwsError`.

    Their texts are shown by `error_text`.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AwsError(f"{message}: {error_text(error)}", hint=hint) from error


@contextmanager
def region_errors(request: str, region: str) -> Generator[None]:
    """Turn boto3's exceptions into an `AwsError`; see `region_error`."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise region_error(error, request, region) from error


def region_error(error: BotoCoreError | ClientError, request: str, region: str) -> AwsError:
    """Error for a request to a region, with a hint for AWS' code.

    The message does not name the region: a report has it beside each error.

    Args:
        error: raised by boto3.
        request: a few words, such as `list the layers`.
        region: where the request went.
    """
    return AwsError(f"{request}: {error_text(error)}", hint=_hint(error, region))


def error_text(error: Exception) -> str:
    """Return the text of boto3's exception, without what may be a header of the request.

    The HTTP library's own errors quote headers, and AWS' answer to a wrong signature may contain
    the request as it should have been signed: both may hold the session token.
    """
    if isinstance(error, HTTPClientError) and "error" in error.kwargs:
        inner: object = error.kwargs["error"]
        if not isinstance(error, NoConnectionError):
            return f"the HTTP library failed ({type(inner).__name__})"
    return str(error).partition("\n")[0].partition(" The Canonical String")[0]


def error_code(error: BaseException | None) -> str:
    """Return AWS' code of an error; empty for an error of another kind."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def may_be_done(error: BotoCoreError | ClientError) -> bool:
    """True if AWS may have done the request, or may do it when it is sent again."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or bool(_TRANSIENT.search(error_code(error)))
    return isinstance(error, _NO_ANSWER)


def _hint(error: BotoCoreError | ClientError, region: str) -> str:
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return GIVE_CREDENTIALS
    code = error_code(error)
    known = (hint for codes, hint in _REFUSALS.items() if re.search(codes, code))
    again = RUN_AGAIN if may_be_done(error) or not code else _REFUSED
    return next(known, again).replace("REGION", region)
