"""Credentials for a registry, and the ways to authenticate that it names."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops.image.registry_auth import (
    Challenge,
    RegistryCredentials,
    challenges,
    read_credentials,
)

REALM = "https://auth.example/token"


def named(*headers: str) -> list[Challenge]:
    pairs = [("WWW-Authenticate", each) for each in headers]
    return list(challenges(httpx.Response(401, headers=pairs)))


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (('Basic realm="r"',), [("basic", {"realm": "r"})]),
        (("basic realm=r",), [("basic", {"realm": "r"})]),
        (
            (f'Bearer realm="{REALM}",service="a, b",scope="repository:x:pull,push"',),
            [("bearer", {"realm": REALM, "service": "a, b", "scope": "repository:x:pull,push"})],
        ),
        (
            ('Basic realm="r"', f'Bearer realm="{REALM}"'),
            [("bearer", {"realm": REALM}), ("basic", {"realm": "r"})],
        ),
        (
            (f'Basic realm="r", Bearer realm="{REALM}"',),
            [("bearer", {"realm": REALM}), ("basic", {"realm": "r"})],
        ),
        (("Negotiate",), []),
        (("Bearer",), []),
        (("",), []),
        ((), []),
    ],
)
def test_a_registry_names_ways_to_authenticate(
    headers: tuple[str, ...], found: list[tuple[str, dict[str, str]]]
) -> None:
    assert [(each.scheme, each.parameters) for each in named(*headers)] == found


def test_a_token_is_had_of_the_realm_with_service_and_scope() -> None:
    (challenge,) = named(f'Bearer realm="{REALM}?a=1",service="s",scope="c",error="x"')
    url = challenge.token_address(httpx.URL("https://r.example"))
    assert dict(url.params) == {"a": "1", "service": "s", "scope": "c"}
    assert url.host == "auth.example"


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://r.example", "http://r.example/token"),
        ("http://r.example", "http://auth.example/token"),
        ("https://r.example", "file:///etc/passwd"),
        ("https://r.example", "https://"),
        ("https://r.example", "/token"),
    ],
)
def test_no_password_goes_to_a_realm_without_tls_on_another_host(registry: str, realm: str) -> None:
    with pytest.raises(GitOpsError, match="not sent"):
        named(f'Bearer realm="{realm}"')[0].token_address(httpx.URL(registry))


def test_a_registry_without_tls_may_name_itself() -> None:
    url = named('Bearer realm="http://r.example:5001/token"')[0].token_address(
        httpx.URL("http://r.example:5000")
    )
    assert url.port == 5001


def test_credentials_are_read_from_the_environment_or_a_file(tmp_path: Path) -> None:
    assert read_credentials(None, "env:NONE", {}) is None
    expected = RegistryCredentials(user="me", password="p w")
    assert read_credentials("me", "env:P", {"P": "p w"}) == expected
    key = tmp_path / "key.json"
    key.write_text('{"private":\n1}\n')
    found = read_credentials("_json_key", f"file:{key}", {})
    assert found == RegistryCredentials(user="_json_key", password='{"private":\n1}')


@pytest.mark.parametrize(
    ("user", "source"),
    [("me", "env:NONE"), ("me", "s3cret"), ("me", "file:/no/such"), ("a:b", "env:P"), ("me", "")],
)
def test_credentials_that_cannot_be_used_are_refused(user: str, source: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_credentials(user, source, {"P": "s3cret"})
    assert "s3cret" not in caught.value.text()
