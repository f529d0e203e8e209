"""The zip of a published layer, downloaded from the address that AWS gives."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trustme
from loopback import Quiet, serving

from pipeline.aws.download import download_layer, layer_md5
from pipeline.aws.layers import LayerVersion
from pipeline.errors import AwsError
from pipeline.naming import layer_arn

ARN = layer_arn("arn:aws:lambda:eu-west-1:123456789012:layer:name:1")
SECRET = "X-Amz-Signature=secret"


@contextmanager
def answering(status: int, content: bytes, length: int, authority: trustme.CA) -> Generator[str]:
    """Serve one answer over TLS on loopback; yields the address of a zip."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    with serving(Handler, context) as host:
        yield f"https://{host}/a.zip?{SECRET}"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return made


def published(location: str) -> LayerVersion:
    return LayerVersion(arn=ARN, sha256="", size=0, location=location)


def refused(location: str) -> AwsError:
    with pytest.raises(AwsError) as caught:
        download_layer(published(location))
    assert str(ARN) in str(caught.value)
    assert SECRET not in caught.value.text()
    return caught.value


def test_a_zip_is_downloaded(authority: trustme.CA) -> None:
    with answering(200, b"a zip", 5, authority) as location:
        assert download_layer(published(location)) == b"a zip"


def test_the_error_of_an_expired_address_does_not_show_it(authority: trustme.CA) -> None:
    with answering(403, b"", 0, authority) as location:
        assert "cannot be downloaded" in str(refused(location))


def test_a_server_without_a_trusted_certificate_is_refused(authority: trustme.CA) -> None:
    del authority  # only its certificates are trusted
    with answering(200, b"a zip", 5, trustme.CA()) as location:
        assert "cannot be downloaded" in str(refused(location))


def test_an_answer_that_is_no_http_is_an_error(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BaseHTTPRequestHandler, "protocol_version", "nonsense")
    with answering(200, b"a zip", 5, authority) as location:
        assert "cannot be downloaded" in str(refused(location))


@pytest.mark.parametrize("location", ["", "http://127.0.0.1:9/a.zip", "file:///etc/passwd"])
def test_only_https_addresses_are_used(location: str) -> None:
    assert "gave no address" in str(refused(location))


def stored(location: str, content: bytes, size: int | None = None) -> LayerVersion:
    """A layer version with the digest of a content, and its size or another."""
    digest = hashlib.sha256(content).hexdigest()
    return LayerVersion(
        arn=ARN,
        sha256=digest,
        size=len(content) if size is None else size,
        location=location,
    )


def test_the_md5_of_a_zip_is_read_piece_by_piece(authority: trustme.CA) -> None:
    zipped = bytes(range(256)) * 10_000  # more than a piece
    with answering(200, zipped, len(zipped), authority) as location:
        found = layer_md5(stored(location, zipped))
    assert found == hashlib.md5(zipped, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("sent", "length", "size"),
    [(b"b zip", 5, 5), (b"a zip and more", 14, 5), (b"a zi", 4, 5), (b"a zip", 5, 3)],
    ids=["other content", "longer", "shorter", "longer than AWS says"],
)
def test_a_zip_with_another_content_than_aws_says_has_no_md5(
    authority: trustme.CA, sent: bytes, length: int, size: int
) -> None:
    with answering(200, sent, length, authority) as location:
        layer = stored(location, b"a zip", size)
        with pytest.raises(AwsError, match="has another sha256 than AWS says") as caught:
            layer_md5(layer)
    assert SECRET not in caught.value.text()


def test_reading_an_endless_zip_ends_at_its_size(authority: trustme.CA) -> None:
    endless = b"x" * 30_000_000
    with (
        answering(200, endless, 10**12, authority) as location,
        pytest.raises(AwsError, match="has another sha256 than AWS says"),
    ):
        layer_md5(stored(location, b"a zip"))


def test_the_address_is_never_shown() -> None:
    assert SECRET not in repr(published(f"https://127.0.0.1/?{SECRET}"))
