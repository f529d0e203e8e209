"""Credentials that cannot be right are refused before they are used.

A blank or a line end (of a file that was pasted into a secret) makes an invalid header; the HTTP
library's error would print the whole header. The hooks see every client of a session, and those of
botocore's own providers of credentials, which assume roles and exchange tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from boto3 import Session
from botocore import UNSIGNED

from pipeline.aws.providers import provider_errors
from pipeline.errors import AwsError
from pipeline.naming import is_one_word

_PARTS = {
    "access_key": "access key id",
    "secret_key": "secret access key",
    "token": "session token",
}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def refuse_malformed(session: Session) -> None:
    """Make every client of a session raise an `AwsError` for credentials with a blank in them.

    An error while credentials are renewed is a `CredentialsError`, too.
    """
    session.events.register("before-sign", partial(_check_credentials, session))
    session.events.register("before-send", _check_headers)


def _check_credentials(
    session: Session,
    signature_version: object,
    request_signer: Any,  # noqa: ANN401  botocore has no types
    **_: object,
) -> None:
    credentials = request_signer._credentials  # noqa: SLF001  botocore has no public way to it
    if credentials is None or signature_version is UNSIGNED:
        return
    with provider_errors(session):
        frozen = credentials.get_frozen_credentials()
    for name, shown in _PARTS.items():
        value = getattr(frozen, name)
        if value and not is_one_word(value):
            raise _malformed(f"the {shown} (from {credentials.method})")


def _check_headers(request: Any, **_: object) -> None:  # noqa: ANN401  botocore has no types
    headers: Mapping[str, str | bytes] = request.headers
    for name, value in headers.items():
        text = value if isinstance(value, str) else value.decode("latin-1")
        if _CONTROL.search(text):
            raise _malformed(f"the value of the header {name}")


def _malformed(what: str) -> AwsError:
    return AwsError(
        f"{what} has a blank, a line end or another character that none can have",
        hint="set it again without a blank or line end before, in or after it",
    )
