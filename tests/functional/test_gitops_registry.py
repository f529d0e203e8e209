"""Images looked up in Debian's docker-registry, and in a stand-in that misbehaves."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
import trustme
from loopback import Quiet, serving
from registry_server import CONFIG, INDEX, MANIFEST, PASSWORD, PROGRAM, USER, RegistryServer

from pipeline.errors import ConfigError, GitOpsError
from pipeline.gitops.image import registry as client
from pipeline.gitops.image.reference import Reference
from pipeline.gitops.image.registry import Image, RegistryAccess, registry_client
from pipeline.gitops.image.registry_auth import RegistryCredentials

with_registry = pytest.mark.skipif(not PROGRAM, reason="docker-registry is not installed")
CREDENTIALS = RegistryCredentials(user=USER, password=PASSWORD)
NAME = "shop/catalog-image"


def looked_up(
    registry: RegistryAccess, name: str = NAME, tag: str = "v1", platform: str = ""
) -> Image | None:
    async def look() -> Image | None:
        async with registry_client(registry) as opened:
            by = {"digest": tag} if tag.startswith("sha256:") else {"tag": tag}
            reference = Reference(host=registry.host, path=name, **by)
            return await opened.image(reference, platform)

    return anyio.run(look)


@pytest.fixture(scope="module", params=["plain", "password", "tls"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[tuple[RegistryServer, RegistryAccess]]:
    if not PROGRAM:
        pytest.skip("docker-registry is not installed")
    password, tls = request.param != "plain", request.param == "tls"
    folder = tmp_path_factory.mktemp("registry")
    with RegistryServer(folder, password=password, tls=tls) as started:
        credentials = CREDENTIALS if password else None
        yield (
            started,
            RegistryAccess(
                host=started.host, tls=tls, authority=started.authority, credentials=credentials
            ),
        )


def test_an_image_is_found_with_digest_labels_and_environment(
    server: tuple[RegistryServer, RegistryAccess],
) -> None:
    started, registry = server
    digest = started.push(NAME, "v1", labels={"b": "2", "a": "1"}, environment={"K": "a=b"})
    for tag in ("v1", digest):
        found = looked_up(registry, tag=tag)
        assert found == Image(
            digest=digest,
            platforms=("linux/amd64",),
            labels={"a": "1", "b": "2"},
            environment={"K": "a=b"},
        )


def test_an_image_that_is_not_there_is_none(server: tuple[RegistryServer, RegistryAccess]) -> None:
    started, registry = server
    started.push(NAME, "v1")
    assert looked_up(registry, tag="v2") is None
    assert looked_up(registry, name="shop/unknown") is None
    assert looked_up(registry, tag="sha256:" + "a" * 64) is None


def test_an_index_has_the_labels_that_its_platforms_share(
    server: tuple[RegistryServer, RegistryAccess],
) -> None:
    started, registry = server
    manifests = {
        f"linux/{each}": started.push(
            "multi", each, labels={"same": "1", "own": each}, architecture=each
        )
        for each in ("arm64", "amd64")
    }
    digest = started.push_index("multi", "v1", manifests)
    found = looked_up(registry, name="multi")
    assert found
    assert (found.digest, found.platforms) == (digest, ("linux/amd64", "linux/arm64"))
    assert found.labels == {"same": "1"}
    one = looked_up(registry, name="multi", platform="linux/arm64")
    assert one
    assert (one.digest, one.labels["own"]) == (digest, "arm64")
    with pytest.raises(GitOpsError, match="s390x"):
        looked_up(registry, name="multi", platform="linux/s390x")


@with_registry
def test_a_refused_user_is_told_apart_from_an_image_that_is_not_there(tmp_path: Path) -> None:
    with RegistryServer(tmp_path / "registry", password=True) as started:
        started.push(NAME, "v1")
        wrong = RegistryCredentials(user=USER, password="wr0ng")
        for credentials, option in ((None, "--registry-user"), (wrong, "check --registry-user")):
            with pytest.raises(GitOpsError, match="401") as caught:
                looked_up(RegistryAccess(host=started.host, tls=False, credentials=credentials))
            assert option in caught.value.hint
            assert "wr0ng" not in caught.value.text()


@with_registry
def test_certificates_and_tls_that_do_not_fit_are_errors_with_the_setting(tmp_path: Path) -> None:
    with RegistryServer(tmp_path / "tls", tls=True) as started:
        with pytest.raises(GitOpsError) as caught:
            looked_up(RegistryAccess(host=started.host))
        assert "registry.ca" in caught.value.hint
        with pytest.raises(GitOpsError):
            looked_up(RegistryAccess(host=started.host, tls=False))
    with RegistryServer(tmp_path / "plain") as started:
        with pytest.raises(GitOpsError) as caught:
            looked_up(RegistryAccess(host=started.host))
        assert "registry.tls" in caught.value.hint


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_an_error(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with pytest.raises(ConfigError):
        looked_up(RegistryAccess(host="registry.example", authority=file))


@dataclass
class StandIn:
    """A registry that answers by a function of the request.

    Attributes:
        answer: takes path and headers; returns status, headers and body, or None to hang up.
        requests: path and header Authorization of each request.
    """

    answer: Callable[[str, Mapping[str, str]], tuple[int, dict[str, str], bytes] | None]
    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    host: str = ""

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Generator[StandIn]:
        stand_in = self

        class Handler(Quiet):
            def do_GET(self) -> None:
                stand_in.requests.append((self.path, self.headers.get("Authorization", "")))
                answered = stand_in.answer(self.path, dict(self.headers))
                if answered is None:
                    self.close_connection = True
                    return
                status, headers, body = answered
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        with serving(Handler, tls) as self.host:
            yield self


BODY = json.dumps({"os": "linux", "architecture": "amd64", "config": {"Labels": {"a": "1"}}})
BLOB = f"sha256:{hashlib.sha256(BODY.encode()).hexdigest()}"
IMAGE: dict[str, object] = {
    "schemaVersion": 2,
    "mediaType": MANIFEST,
    "config": {"mediaType": CONFIG, "digest": BLOB, "size": len(BODY)},
    "layers": [],
}
Answer = tuple[int, dict[str, str], bytes]


def served(path: str) -> Answer:
    """The answer of a registry that has the image."""
    if "/manifests/" in path:
        return 200, {"Content-Type": MANIFEST}, json.dumps(IMAGE).encode()
    return 200, {"Content-Type": "application/octet-stream"}, BODY.encode()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSES", (0.01, 0.01))


def with_token(
    credentials: RegistryCredentials | None,
    key: str = "token",
    first: str = "t1",
    realm: str | None = None,
) -> tuple[Image | None, StandIn]:
    """Look up an image of a registry that wants a token.

    Args:
        credentials: of the user.
        key: of the token in the server's answer.
        first: the token that is accepted for the manifest, besides the second one.
        realm: where the token is to be had; None for the stand-in itself.
    """
    scope = f"repository:{NAME}:pull"

    def answer(path: str, headers: Mapping[str, str]) -> Answer:
        if path.startswith("/token"):
            expected = credentials.header if credentials else None
            if headers.get("Authorization") != expected:
                return 401, {}, b"{}"
            spent = sum("/token" in each for each, _ in stand_in.requests)
            return 200, {}, json.dumps({key: f"t{spent}"}).encode()
        allowed = {f"Bearer {first}"} if "/manifests/" in path else {f"Bearer {first}", "Bearer t2"}
        if headers.get("Authorization") in allowed or headers.get("Authorization") == "Bearer t2":
            return served(path)
        address = f"http://{stand_in.host}/token" if realm is None else realm
        way = f'Bearer realm="{address}",service="registry, of tests",scope="{scope}"'
        return 401, {"WWW-Authenticate": f'Basic realm="r", {way}'}, b""

    stand_in = StandIn(answer)
    with stand_in.running():
        found = looked_up(RegistryAccess(host=stand_in.host, tls=False, credentials=credentials))
    return found, stand_in


@pytest.mark.parametrize("credentials", [None, CREDENTIALS])
@pytest.mark.parametrize("key", ["token", "access_token"])
def test_a_token_is_bought_once_and_the_password_sent_for_it_alone(
    credentials: RegistryCredentials | None, key: str
) -> None:
    found, stand_in = with_token(credentials, key=key)
    assert found
    assert found.labels == {"a": "1"}
    tokens = [path for path, _ in stand_in.requests if path.startswith("/token")]
    (token,) = tokens
    assert parse_qs(urlsplit(token).query) == {
        "service": ["registry, of tests"],
        "scope": [f"repository:{NAME}:pull"],
    }
    sent = {header for path, header in stand_in.requests if not path.startswith("/token")}
    assert sent == {"", "Bearer t1"}


def test_a_token_that_is_refused_is_bought_once_more() -> None:
    found, stand_in = with_token(CREDENTIALS, first="expired")
    assert found
    assert sum(path.startswith("/token") for path, _ in stand_in.requests) == 2


@pytest.mark.parametrize("realm", ["http://127.0.0.2:1/token", "ftp://x/", "", "no url\x7f"])
def test_a_password_is_not_sent_to_another_host_without_tls(realm: str) -> None:
    with pytest.raises(GitOpsError, match="not sent"):
        with_token(CREDENTIALS, realm=realm)


def test_a_redirect_to_a_store_of_blobs_is_followed_without_the_password() -> None:
    store = StandIn(lambda path, _: served(path))

    def answer(path: str, headers: Mapping[str, str]) -> Answer:
        if headers.get("Authorization") != CREDENTIALS.header:
            return 401, {"WWW-Authenticate": 'Basic realm="r"'}, b""
        if "/blobs/" in path:
            return 307, {"Location": f"http://{store.host}{path}"}, b""
        return served(path)

    with store.running(), StandIn(answer).running() as stand_in:
        assert looked_up(RegistryAccess(host=stand_in.host, tls=False, credentials=CREDENTIALS))
    assert [header for _, header in store.requests] == [""]


def test_a_store_of_blobs_that_wants_a_password_gets_none() -> None:
    way = {"WWW-Authenticate": 'Basic realm="mine too"'}
    store = StandIn(lambda _path, _headers: (401, way, b""))

    def answer(path: str, headers: Mapping[str, str]) -> Answer:
        if headers.get("Authorization") != CREDENTIALS.header:
            return 401, {"WWW-Authenticate": 'Basic realm="r"'}, b""
        return (
            (307, {"Location": f"http://{store.host}{path}"}, b"")
            if "/blobs/" in path
            else served(path)
        )

    with store.running(), StandIn(answer).running() as stand_in:
        registry = RegistryAccess(host=stand_in.host, tls=False, credentials=CREDENTIALS)
        with pytest.raises(GitOpsError):
            looked_up(registry)
    assert {header for _, header in store.requests} == {""}


@pytest.mark.parametrize(
    "fault",
    [(429, {"Retry-After": "0"}, b""), (503, {}, b"<html>"), (500, {}, b""), None],
    ids=["rate limit", "unavailable", "failure", "hung up"],
)
@pytest.mark.parametrize("lasting", [False, True])
def test_a_fault_is_outlasted_and_told_if_it_lasts(fault: Answer | None, *, lasting: bool) -> None:
    def answer(path: str, _headers: Mapping[str, str]) -> Answer | None:
        return fault if lasting or len(stand_in.requests) < 3 else served(path)

    stand_in = StandIn(answer)
    with stand_in.running():
        registry = RegistryAccess(host=stand_in.host, tls=False)
        if not lasting:
            assert looked_up(registry)
            return
        with pytest.raises(GitOpsError, match="does not answer"):
            looked_up(registry)
    assert len(stand_in.requests) == 3


def test_a_rate_limit_that_lasts_too_long_is_not_waited_for() -> None:
    stand_in = StandIn(lambda _path, _headers: (429, {"Retry-After": "3600"}, b""))
    with stand_in.running(), pytest.raises(GitOpsError, match="429"):
        looked_up(RegistryAccess(host=stand_in.host, tls=False))
    assert len(stand_in.requests) == 1


def index(*platforms: str) -> bytes:
    entries = [{"digest": BLOB, "platform": {"os": "linux", "architecture": x}} for x in platforms]
    return json.dumps({"mediaType": INDEX, "manifests": entries}).encode()


@pytest.mark.parametrize(
    "manifest",
    [
        (200, {"Content-Type": "text/html"}, b"<html>Sign in"),
        (200, {"Content-Type": "application/vnd.docker.distribution.manifest.v1+json"}, b"{}"),
        (200, {"Content-Type": MANIFEST}, b"no JSON"),
        (200, {"Content-Type": MANIFEST}, b"[]"),
        (200, {"Content-Type": MANIFEST}, b"{}"),
        (200, {"Content-Type": MANIFEST}, b'{"config": {"digest": "sha256:1"}}'),
        (200, {"Content-Type": INDEX}, index()),
        (200, {"Content-Type": INDEX}, index("unknown")),
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (400, {}, b""),
        (403, {}, b""),
    ],
)
def test_an_answer_that_is_no_image_is_an_error_and_not_an_absent_image(manifest: Answer) -> None:
    def answer(path: str, _headers: Mapping[str, str]) -> Answer:
        if path.endswith("/manifests/v1"):
            return manifest
        return 404, {}, b""

    stand_in = StandIn(answer)
    with stand_in.running(), pytest.raises(GitOpsError):
        looked_up(RegistryAccess(host=stand_in.host, tls=False))


def test_content_with_another_digest_is_an_error() -> None:
    def answer(path: str, _headers: Mapping[str, str]) -> Answer:
        status, headers, body = served(path)
        return status, headers, body.replace(b'"1"', b'"2"')

    stand_in = StandIn(answer)
    with stand_in.running(), pytest.raises(GitOpsError, match="another digest"):
        looked_up(RegistryAccess(host=stand_in.host, tls=False))


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_LARGEST", 100)
    stand_in = StandIn(lambda _path, _headers: (200, {"Content-Type": MANIFEST}, b" " * 5000))
    with stand_in.running(), pytest.raises(GitOpsError, match="more than"):
        looked_up(RegistryAccess(host=stand_in.host, tls=False))


def test_facts_of_a_buildpacks_image_are_read_from_its_project_metadata() -> None:
    kept = {"source": {"metadata": {"ocelot.gitops.project": "shop", "n": 1}}}
    labels = {client.PROJECT_METADATA: json.dumps(kept), "own": "1"}
    image = Image(digest="d", platforms=(), labels=labels, environment={})
    assert image.facts() == {"ocelot.gitops.project": "shop", "n": "1", **labels}


@pytest.mark.parametrize("text", ["", "[]", '{"source": 1}', '{"source": {"metadata": []}}'])
def test_project_metadata_of_another_shape_has_no_facts(text: str) -> None:
    labels = {client.PROJECT_METADATA: text}
    assert Image(digest="d", platforms=(), labels=labels, environment={}).facts() == labels


def test_docker_hub_is_asked_at_the_host_of_its_api(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def sent(_self: object, url: object, *_: object, **__: object) -> httpx.Response:
        asked.append(str(url))
        return httpx.Response(404)

    monkeypatch.setattr(client.RegistryClient, "_sent", sent)
    assert looked_up(RegistryAccess(host="docker.io"), name="library/node", tag="22") is None
    assert asked == ["https://registry-1.docker.io/v2/library/node/manifests/22"]


def test_the_password_is_in_no_representation() -> None:
    assert PASSWORD not in repr(RegistryAccess(host="r.example", credentials=CREDENTIALS))
    decoded = base64.b64decode(CREDENTIALS.header.removeprefix("Basic ")).decode()
    assert decoded == f"{USER}:{PASSWORD}"


def test_a_redirect_to_the_registrys_own_tls_host_keeps_the_password(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)  # pyright: ignore[reportUnknownMemberType]
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)

    def answer(path: str, headers: Mapping[str, str]) -> Answer:
        if headers.get("Authorization") != CREDENTIALS.header:
            return 401, {"WWW-Authenticate": 'Basic realm="r"'}, b""
        if "/blobs/" in path and not path.endswith("?signed"):
            return 307, {"Location": f"{path}?signed"}, b""
        return served(path)

    with StandIn(answer).running(tls) as stand_in:
        registry = RegistryAccess(host=stand_in.host, authority=file, credentials=CREDENTIALS)
        assert looked_up(registry)
