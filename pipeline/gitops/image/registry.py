"""A container registry: whether an image is there, and with which labels.

Registries speak https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md. Requests
only read, so that one without an answer is sent again. "Not found" and "not allowed" are different
errors. Credentials are for one registry and no other host: redirects to a store of blobs are
followed without them.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

import anyio
import httpx

from pipeline import progress
from pipeline.errors import RUN_AGAIN, ConfigError, GitOpsError, Problem, quoted
from pipeline.gitops.image.reference import DOCKER_HUB, Reference
from pipeline.gitops.image.registry_auth import Challenge, RegistryCredentials, challenges

# Seconds before each further attempt.
PAUSES = (1.0, 2.0, 4.0, 8.0)
# Seconds that a lookup waits for a rate limit in all.
LONGEST_WAIT = 120.0
# The label in which buildpacks keep project-metadata.toml.
PROJECT_METADATA = "io.buildpacks.project.metadata"

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_API_HOSTS = {DOCKER_HUB: "registry-1.docker.io"}
_TIMEOUT = httpx.Timeout(connect=20, read=60, write=60, pool=None)
_LARGEST = 8 * 1024**2
# Codes of HTTP.
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _LIMITED, _FAILS = 200, 401, 403, 404, 429, 500

_UNTRUSTED = "its certificate is not trusted"
_NO_TLS = "it does not speak TLS"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RegistryAccess:
    """How a registry is reached.

    Attributes:
        host: of the image's name, with a port if it has one.
        tls: False for plain HTTP.
        authority: file with certificates that are trusted besides the machine's own.
        credentials: None for a registry that is read without.
    """

    host: str
    tls: bool = True
    authority: Path | None = None
    credentials: RegistryCredentials | None = None


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in a registry.

    Attributes:
        digest: of the manifest, or of the index over several platforms.
        platforms: such as linux/amd64, sorted.
        labels: of the image; of an index those that all platforms have with the same value.
        environment: variables of the first platform's image, in the index' order.
    """

    digest: str
    platforms: tuple[str, ...]
    labels: Mapping[str, str]
    environment: Mapping[str, str]

    def facts(self) -> Mapping[str, str]:
        """Return the labels, with those that a buildpacks image keeps in its project metadata."""
        try:
            project = json.loads(self.labels.get(PROJECT_METADATA, "{}"))
            kept = _mapping(project["source"]["metadata"])
        except (ValueError, LookupError, TypeError):
            kept = {}
        return {**{name: str(value) for name, value in kept.items()}, **self.labels}


@asynccontextmanager
async def registry_client(registry: RegistryAccess) -> AsyncGenerator[RegistryClient]:
    """Open a registry.

    Raises:
        ConfigError: its certificates cannot be read.
    """
    verify = httpx.create_ssl_context()
    if registry.authority:
        try:
            verify.load_verify_locations(cafile=registry.authority)
        except (OSError, ssl.SSLError) as error:
            file, reason = str(registry.authority), f"no certificates: {error}"
            raise ConfigError((Problem(file=file, line=0, message=reason),)) from error
    headers = {"User-Agent": "ocelot"}
    async with httpx.AsyncClient(verify=verify, timeout=_TIMEOUT, headers=headers) as http:
        yield RegistryClient(http, registry)


class RegistryClient:
    """Reads images of one registry."""

    def __init__(self, http: httpx.AsyncClient, registry: RegistryAccess) -> None:
        self._http = http
        self._registry = registry
        host = _API_HOSTS.get(registry.host, registry.host)
        self._url = httpx.URL(f"{'https' if registry.tls else 'http'}://{host}")
        self._authorization: dict[str, str] = {}  # by repository
        self._waited = 0.0

    async def image(self, reference: Reference, platform: str = "") -> Image | None:
        """Return the image that a tag or digest names; None if the registry has none.

        Args:
            reference: its tag or digest.
            platform: such as linux/amd64: of an index only this one is read; empty for all.

        Raises:
            GitOpsError: the registry refuses, does not answer, or answers with no image.
        """
        kept = reference.digest or reference.tag or "latest"
        content = await self._manifest(reference, kept)
        if content is None:
            return None
        digest, manifest = content
        manifests = [manifest]
        if "manifests" in manifest:
            entries = _platform_entries(manifest, platform)
            manifests = [await self._platform_manifest(reference, each) for each in entries]
        if not manifests:
            raise _unusable(reference, f"its index has no {platform or 'platform'}")
        return _image(digest, [await self._config(reference, each) for each in manifests])

    async def _platform_manifest(self, reference: Reference, entry: Json) -> Json:
        found = await self._manifest(reference, str(entry.get("digest", "")))
        if found is None:
            raise _unusable(reference, "its index names a manifest that is not there")
        return found[1]

    async def _manifest(self, reference: Reference, kept: str) -> tuple[str, Json] | None:
        """Return digest and content of a manifest or an index; None if there is none."""
        accept = ", ".join((*_INDEXES, *_MANIFESTS))
        response = await self._get(reference, f"manifests/{kept}", accept)
        if response is None:
            return None
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if kind not in (*_INDEXES, *_MANIFESTS):
            raise _unusable(reference, f"it answers with {quoted(kind)}")
        digest = f"sha256:{hashlib.sha256(response.content).hexdigest()}"
        if kept.startswith("sha256:") and kept != digest:
            raise _unusable(reference, f"the content of {kept} has another digest")
        return digest, _parsed(reference, response.content)

    async def _config(self, reference: Reference, manifest: Json) -> Json:
        digest = str(_mapping(manifest.get("config")).get("digest", ""))
        response = await self._get(reference, f"blobs/{digest}", "*/*") if digest else None
        if response is None:
            raise _unusable(reference, "it has no config")
        if digest != f"sha256:{hashlib.sha256(response.content).hexdigest()}":
            raise _unusable(reference, f"the content of {digest} has another digest")
        return _parsed(reference, response.content)

    async def _get(self, reference: Reference, path: str, accept: str) -> httpx.Response | None:
        """Return the answer to a request; None for "not found"."""
        url = self._url.copy_with(path=f"/v2/{reference.path}/{path}")
        response = httpx.Response(_UNAUTHORIZED)
        # the first answer names the way to authenticate; a token that has expired is fetched again
        for _ in range(3):
            headers = {"Accept": accept}
            if authorization := self._authorization.get(reference.path):
                headers["Authorization"] = authorization
            response = await self._answer(url, headers, follow="blobs/" in path)
            if response.status_code == _OK:
                return response
            if response.status_code == _NOT_FOUND:
                return None
            if response.status_code != _UNAUTHORIZED:
                break
            used = self._authorization.pop(reference.path, "")
            new = await self._authorized(response)
            if not new or new == used:
                break
            self._authorization[reference.path] = new
        raise self._refusal(reference, response)

    async def _authorized(self, response: httpx.Response) -> str:
        """Return the header by which a request is authorized; empty if there is no way."""
        password = self._registry.credentials
        for each in challenges(response):
            if each.scheme == "bearer":
                return await self._token(each)
            if password:
                return password.header
        return ""

    async def _token(self, challenge: Challenge) -> str:
        """Return a token as header; empty if the server gives none."""
        url, password = challenge.token_address(self._url), self._registry.credentials
        headers = {"Authorization": password.header} if password else {}
        response = await self._answer(url, headers)
        if response.status_code != _OK:
            return ""
        try:
            body = cast("Json", response.json())
            token = body.get("token") or body.get("access_token")
        except (ValueError, AttributeError):
            token = None
        return f"Bearer {token}" if isinstance(token, str) and token else ""

    async def _answer(
        self, url: httpx.URL, headers: Mapping[str, str], *, follow: bool = False
    ) -> httpx.Response:
        """Return an answer that is neither a failure of the server nor a rate limit."""
        reason = ""
        for pause in (*PAUSES, None):
            wait = pause
            try:
                response = await self._sent(url, headers, follow=follow)
            except httpx.HTTPError as error:
                reason = _reason(error)
                if reason in (_UNTRUSTED, _NO_TLS):
                    break
            else:
                if response.status_code == _LIMITED:
                    wait = max(pause or 0.0, _retry_after(response))
                elif response.status_code < _FAILS:
                    return response
                reason = f"HTTP {response.status_code}"
            if pause is None or wait is None or not await self._waits(wait, reason):
                break
        raise GitOpsError(f"the registry {url.host} does not answer: {reason}", hint=_hint(reason))

    async def _sent(
        self, url: httpx.URL, headers: Mapping[str, str], *, follow: bool
    ) -> httpx.Response:
        """Send a request; read the answer up to the largest size.

        httpx follows a redirect to another host without the header Authorization. What that host
        says of authentication is left out.
        """
        request = self._http.stream("GET", url, headers=headers, follow_redirects=follow)
        async with request as response:
            content = bytearray()
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > _LARGEST:
                    raise GitOpsError(
                        f"the registry {url.host} answers with more than {_LARGEST:,} bytes",
                        hint="check registry.address in config/gitops.yaml",
                    )
            kept = httpx.Headers(response.headers)
            for name in ("content-encoding", *(["www-authenticate"] if response.history else [])):
                kept.pop(name, None)
            return httpx.Response(response.status_code, headers=kept, content=bytes(content))

    async def _waits(self, seconds: float, reason: str) -> bool:
        """Wait before another attempt; False if that would take too long in all."""
        self._waited += seconds
        if self._waited > LONGEST_WAIT:
            return False
        progress.note(f"the registry does not answer ({reason}); again in {seconds:.0f} s")
        await anyio.sleep(seconds)
        return True

    def _refusal(self, reference: Reference, response: httpx.Response) -> GitOpsError:
        """Return the error for an answer that is neither an image nor "not found"."""
        status = response.status_code
        if status not in (_UNAUTHORIZED, _FORBIDDEN):
            return _unusable(reference, f"HTTP {status}")
        if self._registry.credentials is None:
            return GitOpsError(
                f"the registry {reference.host} does not show {reference.name} without credentials "
                f"(HTTP {status})",
                hint="give credentials by --registry-user and --registry-password",
            )
        return GitOpsError(
            f"the registry {reference.host} does not show {reference.name} to this user "
            f"(HTTP {status})",
            hint="check --registry-user and --registry-password, and that the user may read and "
            "write this repository",
        )


def _mapping(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _platform_entries(index: Json, platform: str) -> list[Json]:
    """Return an index' entries for one platform or all, without attestations."""
    entries = index.get("manifests")
    every = [_mapping(each) for each in cast("list[object]", entries or [])]
    named = [(_platform(_mapping(each.get("platform"))), each) for each in every]
    return [
        each
        for name, each in named
        if (name == platform if platform else name != "unknown/unknown")
    ]


def _platform(config: Json) -> str:
    parts = (config.get("os", "linux"), config.get("architecture", ""), config.get("variant", ""))
    return "/".join(str(each) for each in parts if each)


def _image(digest: str, configs: list[Json]) -> Image:
    inner = [_mapping(each.get("config")) for each in configs]
    every = [_mapping(each.get("Labels")) for each in inner]
    shared = {name: str(value) for name, value in sorted(every[0].items())}
    for other in every[1:]:
        shared = {name: value for name, value in shared.items() if other.get(name) == value}
    variables = [
        str(each).partition("=") for each in cast("list[object]", inner[0].get("Env") or [])
    ]
    return Image(
        digest=digest,
        platforms=tuple(sorted(_platform(each) for each in configs)),
        labels=shared,
        environment={name: value for name, _, value in variables},
    )


def _parsed(reference: Reference, content: bytes) -> Json:
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _unusable(reference, "it answers with broken JSON")
    return cast("Json", value)


def _unusable(reference: Reference, reason: str) -> GitOpsError:
    return GitOpsError(
        f"the registry {reference.host} has no usable image at {reference}: {reason}",
        hint="check registry.address in config/gitops.yaml, and what answers there",
    )


def _reason(error: httpx.HTTPError) -> str:
    """Return why there is no answer, in words without a secret."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return _UNTRUSTED
    if "WRONG_VERSION_NUMBER" in text or "record layer" in text:
        return _NO_TLS
    return type(error).__name__


def _hint(reason: str) -> str:
    if reason == _UNTRUSTED:
        return "name the certificate of its authority as registry.ca in config/gitops.yaml"
    if reason == _NO_TLS:
        return "set registry.tls to false in config/gitops.yaml if it is to be used without"
    return RUN_AGAIN


def _retry_after(response: httpx.Response) -> float:
    """Return the seconds of the header Retry-After; 0 without one."""
    text = response.headers.get("retry-after", "")
    if text.isdecimal():
        return float(text)
    try:
        now = parsedate_to_datetime(response.headers["date"])
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (KeyError, ValueError, TypeError):
        return 0.0
