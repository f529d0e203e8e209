"""boto3's exceptions as errors for users."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from pipeline.errors import RUN_AGAIN, AwsError
from pipeline.process import masked

# Every exception of a request; the last is for an answer that is not AWS', such as a proxy's page.
BOTO_ERRORS = (BotoCoreError, ClientError, ResponseParserError)

GIVE_CREDENTIALS = "give credentials: aws sso login, AWS_PROFILE, or --role-arn with --oidc-token"
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")

_CLOCK = "set the clock of this machine: AWS refuses requests that are minutes off"
_CLOCK_TEXT = re.compile(r"Signature (expired|not yet current)|too skewed")
_NETWORK = "check the network, HTTPS_PROXY and AWS_ENDPOINT_URL, then run the same command again"
# Hints by the class of boto3's exception, in the order in which they are tried.
_CLASSES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((NoCredentialsError, PartialCredentialsError), GIVE_CREDENTIALS),
    (
        (SSOError, TokenRetrievalError),
        "log in again: aws sso login, with --profile if you use one",
    ),
    ((ProxyConnectionError,), "check the proxy: HTTPS_PROXY, and NO_PROXY for hosts without it"),
    (
        (SSLError,),
        "the certificate of the endpoint or proxy is not trusted here: name the file with that of "
        "its authority by AWS_CA_BUNDLE; an endpoint of your own may not speak https",
    ),
    (
        (ResponseParserError,),
        "another server answered than AWS: check HTTPS_PROXY and AWS_ENDPOINT_URL",
    ),
    (
        (CredentialRetrievalError,),
        "get that provider of credentials to work by itself (aws sts get-caller-identity uses it, "
        "too)",
    ),
)
_FIPS = (
    "AWS_USE_FIPS_ENDPOINT (or use_fips_endpoint of the profile) is set, and not every region has "
    "such an endpoint: leave the region out, or unset it"
)

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
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    "PolicyLengthExceeded": (
        "the policy of a layer version has at most 20 KB, about 60 statements: share with an "
        "organisation instead of with each account, or with fewer: --share"
    ),
    "RequestTimeTooSkewed|RequestInTheFuture": _CLOCK,
    "Signature": "check the secret access key; if it is right, set the clock of this machine",
    "TooLarge": (
        "leave components out, or upload the zip through a bucket: --bucket 'NAME-{region}'"
    ),
}
_REFUSED = "AWS would refuse it again: change the option or the zip that it names"
_TRANSIENT = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown"
    r"|ServiceException|InternalFailure|InternalError|ServiceUnavailable"
)
_NO_ANSWER = (
    *(ConnectionClosedError, NoConnectionError, HTTPClientError, ReadTimeoutError),
    ResponseParserError,
)
_SERVER_ERROR = 500


class CredentialsError(AwsError):
    """Error for credentials that cannot be had; no request to AWS can help."""


@contextmanager
def aws_errors(message: str, hint: str) -> Generator[None]:
    """Turn boto3's exceptions into an `AwsError`.

    Their texts are shown by `error_text`. The hint is for errors whose class has none.
    """
    try:
        yield
    except BOTO_ERRORS as error:
        hint = general_hint(error) or hint
        raise AwsError(f"{message}: {error_text(error)}", hint=hint) from error


@contextmanager
def region_errors(request: str, region: str) -> Generator[None]:
    """Turn boto3's exceptions into an `AwsError`; see `region_error`."""
    try:
        yield
    except BOTO_ERRORS as error:
        raise region_error(error, request, region) from error


def region_error(error: Exception, request: str, region: str) -> AwsError:
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
    text = str(error).partition("\n")[0].partition(" The Canonical String")[0]
    # the text of a provider is what its program printed
    return masked(text) if isinstance(error, CredentialRetrievalError) else text


def error_code(error: BaseException | None) -> str:
    """Return AWS' code of an error; empty for an error of another kind."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def may_be_done(error: Exception) -> bool:
    """True if AWS may have done the request, or may do it when it is sent again."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or bool(_TRANSIENT.search(error_code(error)))
    return isinstance(error, _NO_ANSWER)


def class_hint(error: Exception) -> str:
    """Return the hint for an exception whose class, rather than the request, says what to do.

    Empty for any other. A clock that is wrong is told by AWS' text: the codes of a wrong key and of
    an old token are the same.
    """
    text = str(error)
    if isinstance(error, ClientError):
        return _CLOCK if _CLOCK_TEXT.search(text) else ""
    if "fips" in text.lower():
        return _FIPS
    return next((hint for classes, hint in _CLASSES if isinstance(error, classes)), "")


def general_hint(error: Exception) -> str:
    """Return the hint of an exception's class, that of a missing answer included; or empty."""
    return class_hint(error) or (_NETWORK if isinstance(error, _NO_ANSWER) else "")


def _hint(error: Exception, region: str) -> str:
    if better := class_hint(error):
        return better
    code = error_code(error)
    known = (hint for codes, hint in _REFUSALS.items() if re.search(codes, code))
    again = RUN_AGAIN if may_be_done(error) or not code else _REFUSED
    return next(known, again).replace("REGION", region)
