"""Credentials with a blank or a line end: refused before any call; secrets are never printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ClientError, CredentialRetrievalError, HTTPClientError

from pipeline.aws.credentials import refuse_malformed
from pipeline.aws.errors import error_text, region_error
from pipeline.aws.session import Aws, default_aws, identity
from pipeline.build import git
from pipeline.errors import AwsError, UsageError
from pipeline.process import masked
from pipeline.trust.token import actions_token, token_of

GOOD = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "s3cret/+=",
    "AWS_SESSION_TOKEN": "t0ken/+=",
}
BAD = ["{}\n", " {}", "{}\r\n", "{}\t", "a\n{}", "{}\x00", "{}é"]
REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def _no_other_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", *GOOD):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


def refusal(aws: Aws, *secrets: str) -> str:
    """Return the error of a call; no secret is in it."""
    with pytest.raises(AwsError) as caught:
        identity(aws, REGION)
    text = caught.value.text()
    assert not [each for each in secrets if each.strip() in text]
    return text


@pytest.mark.parametrize("bad", [each for each in BAD if "\0" not in each])
@pytest.mark.parametrize("name", GOOD)
def test_from_the_environment(monkeypatch: pytest.MonkeyPatch, name: str, bad: str) -> None:
    values = {**GOOD, name: bad.format(GOOD[name])}
    for variable, value in values.items():
        monkeypatch.setenv(variable, value)
    shown = name.removeprefix("AWS_").replace("_", " ").lower()
    assert shown in refusal(default_aws(), *values.values())


def test_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text(
        "[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = two words\n"
    )
    assert "secret access key (from shared-credentials-file)" in refusal(default_aws(), "two words")


@pytest.mark.parametrize("expiration", [{}, {"Expiration": "2999-01-01T00:00:00Z"}])
def test_from_a_program(tmp_path: Path, expiration: dict[str, str]) -> None:
    printed = {
        "Version": 1,
        "AccessKeyId": "AKIAEXAMPLE",
        "SecretAccessKey": "s3cret",
        "SessionToken": "t0ken\n",
        **expiration,
    }
    (tmp_path / "printed").write_text(json.dumps(printed))
    program = f"{sys.executable} -c \"print(open('{tmp_path / 'printed'}').read())\""
    (tmp_path / "AWS_CONFIG_FILE").write_text(f"[default]\ncredential_process = {program}\n")
    assert "session token (from custom-process)" in refusal(default_aws(), "s3cret", "t0ken")


def test_of_a_session() -> None:
    aws = Aws(boto3.Session("AKIAEXAMPLE", "s3cret\n"))
    assert "secret access key" in refusal(aws, "s3cret")


def test_good_credentials_are_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in GOOD.items():
        monkeypatch.setenv(variable, value)
    aws, sent = default_aws(), list[AWSPreparedRequest]()
    once = Config(retries={"total_max_attempts": 1})

    def send(request: AWSPreparedRequest, **_: object) -> Any:  # noqa: ANN401
        sent.append(request)
        raise AwsError("sent")

    client = aws.client("sts", REGION, once)
    client.meta.events.register_last("before-send", send)
    with pytest.raises(AwsError, match=r"^sent$"):
        client.get_caller_identity()
    assert GOOD["AWS_SESSION_TOKEN"] in str(sent[0].headers)


def test_a_header_with_a_line_end_is_refused_without_its_value() -> None:
    """Such as the token of AWS SSO, which botocore sends when it looks for credentials."""
    session = boto3.Session()
    refuse_malformed(session)
    request = SimpleNamespace(headers={"x-amz-sso_bearer_token": b"t0ken\n"})
    with pytest.raises(AwsError, match="x-amz-sso_bearer_token") as caught:
        session.events.emit("before-send.sso.GetRoleCredentials", request=request)
    assert "t0ken" not in caught.value.text()


def test_a_librarys_text_that_may_hold_a_header_is_not_shown() -> None:
    inner = ValueError("Invalid header value b't0ken\\n'")
    assert "t0ken" not in region_error(HTTPClientError(error=inner), "publish", REGION).text()
    message = "not the signature. The Canonical String should have been 'x-amz-security-token:t0ken"
    answer: Any = {"Error": {"Code": "InvalidSignatureException", "Message": message}}
    text = region_error(ClientError(answer, "X"), "publish", REGION).text()
    assert "not the signature" in text
    assert "t0ken" not in text


@pytest.mark.parametrize("bad", BAD)
def test_an_oidc_token(bad: str) -> None:
    with pytest.raises(UsageError, match="env:TOKEN") as caught:
        token_of("env:TOKEN", {"TOKEN": bad.format("t0ken")})
    assert "t0ken" not in caught.value.text()


def test_an_oidc_token_in_a_file_may_end_in_a_line_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("t0ken\n")
    assert token_of(f"file:{path}", {}) == "t0ken"
    for text in ("t0ken \n", "t0\nken\n", "", "\n"):
        path.write_text(text)
        with pytest.raises(UsageError, match=f"file:{path}"):
            token_of(f"file:{path}", {})


@pytest.mark.parametrize("name", ["URL", "TOKEN"])
def test_the_request_for_githubs_token(name: str) -> None:
    given = {"URL": "https://127.0.0.1:9/?s3cret", "TOKEN": "s3cret"}
    given[name] += "\n x"
    environment = {f"ACTIONS_ID_TOKEN_REQUEST_{key}": value for key, value in given.items()}
    with pytest.raises(AwsError) as caught:
        actions_token(environment)
    assert "s3cret" not in caught.value.text()


@pytest.mark.parametrize("bad", [each for each in BAD if "\0" not in each])
def test_a_git_token(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setenv(git.CREDENTIAL_VARIABLE, bad.format("t0ken"))
    with pytest.raises(UsageError, match=git.CREDENTIAL_VARIABLE) as caught:
        git.environment("https://github.com/acme/layers")
    assert "t0ken" not in caught.value.text()


@pytest.mark.parametrize(
    "line",
    [
        "password=s3cret",
        "helper: Password: s3cret",
        "> Authorization: Bearer s3cret",
        '{"access_token": "s3cret"}',
        '{"SecretAccessKey": "s3cret"}',
        "SessionToken=s3cret",
        "ghp_s3cret is not valid",
        "fatal: unable to access 'https://s3cret@example.com/a'",
        "fatal: unable to access 'https://example.com/a?token=s3cret': 403",
    ],
)
def test_a_secret_that_git_or_a_helper_prints_is_masked(line: str) -> None:
    assert "s3cret" not in masked(line)
    assert "***" in masked(line)


def test_a_secret_in_the_error_of_a_provider_is_masked() -> None:
    printed = 'expired: {"SecretAccessKey": "s3cret"}'
    error = CredentialRetrievalError(provider="custom-process", error_msg=printed)
    assert "s3cret" not in error_text(error)
    assert "expired" in error_text(error)


@pytest.mark.parametrize(
    "line",
    [
        "fatal: could not read Password for 'https://example.com': terminal prompts disabled",
        "remote: Invalid username or token. Password authentication is not supported.",
        "fatal: repository 'https://example.com/a.git/' not found",
    ],
)
def test_another_line_of_git_is_shown_as_it_is(line: str) -> None:
    assert masked(line) == line
