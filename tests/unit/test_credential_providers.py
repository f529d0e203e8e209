"""Failures of providers of credentials and of AWS' settings are errors with a next step."""

from __future__ import annotations

import json
import shlex
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from pipeline import progress
from pipeline.aws import providers, session
from pipeline.aws.errors import CredentialsError, aws_errors, may_be_done, region_error
from pipeline.aws.session import default_aws, first_identity, identity
from pipeline.errors import RUN_AGAIN, AwsError

REGION = "eu-west-1"
KEY = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cret"}
ROLE = "role_arn = arn:aws:iam::123456789012:role/x\n"
MFA = "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
GIVEN = {"Version": 1, "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "s3cret"}
EXPIRING = {**GIVEN, "SessionToken": "t"}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """AWS' config file, the only source of credentials."""
    names = ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SESSION_TOKEN", *KEY)
    for name in (*names, "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return tmp_path / "config"


def printing(text: str, *, seconds: float = 0) -> str:
    """Return a default profile whose program waits, then prints a text."""
    code = f"import time; time.sleep({seconds}); print({text!r})"
    return f"[default]\ncredential_process = {sys.executable} -c {shlex.quote(code)}\n"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (printing("hello"), "credential_process"),
        (printing("[]"), "credential_process"),
        (printing("{}"), "by itself"),
        (printing(json.dumps({**GIVEN, "Expiration": "soon"})), "credential_process"),
        (printing(json.dumps({**EXPIRING, "Expiration": "2020-01-01T00:00:00Z"})), "profile"),
        ("[default]\ncredential_process = 'unclosed\n", "credential_process"),
        ("[default]\ncredential_process = /nowhere/helper\n", "path"),
        ("[default]\ncredential_process = false\n", "by itself"),
        (f"[default]\n{ROLE}source_profile = absent\n", "~/.aws/config"),
        (f"[default]\n{ROLE}web_identity_token_file = /nowhere/token\n", "path"),
        (f"[default]\n{ROLE}{MFA}source_profile = own\n[profile own]\n", "~/.aws/config"),
        (
            f"[default]\n{ROLE}{MFA}source_profile = own\n[profile own]\n"
            "aws_access_key_id = A\naws_secret_access_key = s3cret\n",
            "terminal",
        ),
        (
            "[default]\nsso_start_url = https://x\nsso_region = eu-west-1\n"
            "sso_account_id = 123456789012\nsso_role_name = r\n",
            "aws sso login",
        ),
        ("", "give credentials"),
    ],
)
def test_a_provider_that_fails(settings: Path, text: str, advice: str) -> None:
    settings.write_text(text)
    with pytest.raises(CredentialsError) as caught:
        identity(default_aws(), REGION)
    assert advice in caught.value.hint
    assert "s3cret" not in caught.value.text()


def test_the_program_of_a_source_profile_is_run_once_however_many_regions_are_tried(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "IDENTITY_SECONDS", 0.01)
    program = f"sh -c 'echo run >> {tmp_path / 'runs'}; sleep 0.2; exit 3'"
    settings.write_text(
        f"[default]\n{ROLE}source_profile = own\n[profile own]\ncredential_process = {program}\n"
    )
    with pytest.raises(CredentialsError):
        anyio.run(first_identity, default_aws(), [REGION, "eu-west-3", "us-east-2"])
    time.sleep(0.5)  # for threads that are left behind
    assert (tmp_path / "runs").read_text() == "run\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "localhost:4566"),
        ("AWS_CA_BUNDLE", "/nowhere/ca.pem"),
        ("AWS_PROFILE", "absent"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "elsewhere"),
    ],
)
def test_a_setting_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for variable, each in KEY.items():
        monkeypatch.setenv(variable, each)
    monkeypatch.setenv(name, value)
    with pytest.raises(AwsError) as caught:
        identity(default_aws(), REGION)
    assert value in str(caught.value)
    assert "give credentials" not in caught.value.hint


def refused(code: str, message: str = "") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}}
    return ClientError(answer, "GetCallerIdentity")


NO_ANSWER = {"endpoint_url": "https://lambda.example"}
FIPS = {"endpoint_url": "https://lambda-fips.eu-west-1.amazonaws.com"}
CLASSES: list[tuple[Exception, str]] = [
    (ProxyConnectionError(proxy_url="http://127.0.0.1:9"), "HTTPS_PROXY"),
    (SSLError(**NO_ANSWER, error=OSError("self-signed")), "AWS_CA_BUNDLE"),
    (EndpointConnectionError(**FIPS), "AWS_USE_FIPS_ENDPOINT"),
    (ResponseParserError("Unable to parse response, invalid XML:\nb'<html>s3cret'"), "HTTPS_PROXY"),
    (refused("InvalidSignatureException", "Signature expired: 1 is now earlier than 2"), "clock"),
    (refused("SignatureDoesNotMatch", "Signature not yet current: 3 is later than 2"), "clock"),
]


@pytest.mark.parametrize(("error", "advice"), CLASSES)
def test_the_next_step_fits_the_class_of_the_error(error: Exception, advice: str) -> None:
    with pytest.raises(AwsError) as caught, aws_errors("no identity", "give credentials"):
        raise error
    for each in (caught.value, region_error(error, "publish", REGION)):
        assert advice in each.hint
        assert "give credentials" not in each.hint
        assert RUN_AGAIN not in each.hint
        assert "s3cret" not in each.text()


def test_a_foreign_answer_does_not_say_that_nothing_was_published() -> None:
    assert may_be_done(ResponseParserError("<html>"))


def test_a_wrong_key_is_told_apart_from_a_wrong_clock() -> None:
    wrong = refused("SignatureDoesNotMatch", "The request signature does not match")
    assert "secret access key" in region_error(wrong, "publish", REGION).hint


@pytest.mark.parametrize(
    "error", [EndpointConnectionError(**NO_ANSWER), ConnectTimeoutError(**NO_ANSWER)]
)
def test_without_an_answer_the_network_is_named(error: BotoCoreError) -> None:
    with pytest.raises(AwsError) as caught, aws_errors("no identity", "give credentials"):
        raise error
    assert "network" in caught.value.hint


class Notes(progress.NoProgress):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.noted = threading.Event()

    def note(self, text: str) -> None:
        self.texts.append(text)
        self.noted.set()


@pytest.mark.parametrize(("seconds", "notes"), [(0.0, 0), (0.6, 1)])
@pytest.mark.parametrize("of_source_profile", [True, False])
def test_a_program_that_takes_long_is_named(
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    notes: int,
    *,
    of_source_profile: bool,
) -> None:
    monkeypatch.setattr(providers, "HELPER_SECONDS", 0.3 if notes else 60)
    program = printing(json.dumps(GIVEN), seconds=seconds)
    if of_source_profile:
        own = program.replace("[default]", "[profile own]")
        program = f"[default]\n{ROLE}source_profile = own\n{own}"
    settings.write_text(program)
    shown = Notes()
    # no STS answers: the role of a source profile cannot be assumed
    with progress.shown_by(shown), suppress(CredentialsError):
        default_aws().client("sts", REGION)
    assert len(shown.texts) == notes
    assert all(Path(sys.executable).name in each for each in shown.texts)


def test_credentials_that_cannot_be_renewed_are_an_error(settings: Path, tmp_path: Path) -> None:
    """Such as those of a program that worked the first time."""
    (tmp_path / "given").write_text(json.dumps({**EXPIRING, "Expiration": "2999-01-01T00:00:00Z"}))
    settings.write_text(f"[default]\ncredential_process = cat {tmp_path / 'given'}\n")
    aws = default_aws()
    client, credentials = aws.client("sts", REGION), aws.session.get_credentials()
    (tmp_path / "given").write_text("no JSON")
    cast("Any", credentials)._expiry_time = datetime.now(tz=UTC)
    with pytest.raises(CredentialsError, match="no JSON"):
        client.get_caller_identity()
