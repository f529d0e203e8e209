"""The materials of a layer, with the names and digests of in-toto. Pure.

Digests: https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md, package URLs:
https://github.com/package-url/purl-spec, repositories: SPDX's download location.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from pipeline.build.git import SCP_URL
from pipeline.build.refs import FULL_SHA
from pipeline.build.upstream import OWNER_NAME, SAMPLE, SCHEMES
from pipeline.layer.manifest import Upstream

# No authority gives these names out; they only have to stay the same.
URN = "urn:x-ocelot"
# Of sources that are perhaps no commit: the manifest's `commit`, the SHA-1 of a plain folder.
SOURCE_DIGEST = "ocelotSource"

_SHA256_BYTES = 32
_IMAGE = re.compile(
    r"^(?P<repository>[^@]+?)(:(?P<tag>[^:/@]+))?(@sha256:(?P<digest>[0-9a-f]{64}))?\Z"
)


# An in-toto resource descriptor: `name`, `uri` and `digest` by in-toto's algorithm names.
Resource = dict[str, Any]


def resource(name: str, uri: str = "", digest: Mapping[str, str] | None = None) -> Resource:
    """A resource descriptor of something that a layer was made from.

    Args:
        name: what it is to the build, such as a Go module's path.
        uri: what it is to the world; empty where its name and digest are all there is.
        digest: values in lower-case hex by in-toto's name of the algorithm.

    Raises:
        ValueError: it has neither URI nor digest.
    """
    if not uri and not digest:
        raise ValueError("neither URI nor digest: nothing could be looked up by it")
    made: Resource = {"name": name}
    made |= {"uri": uri} if uri else {}
    return {**made, "digest": dict(sorted(digest.items()))} if digest else made


def module_input(module: str, version: str, h1: str) -> Resource:
    """A Go module by its checksum in go.sum.

    Args:
        module: its path.
        version: such as v1.2.3.
        h1: the sum of its files, `h1:` and base64; not that of its go.mod alone.

    Raises:
        ValueError: that is no such sum.
    """
    return resource(module, module_uri(module, version), {"dirHash": _h1_digest(h1)})


def image_input(image: str) -> Resource:
    """A container image, by digest where its name has one.

    Raises:
        ValueError: that is no image.
    """
    found = _IMAGE.match(image)
    if not found:
        raise ValueError("not an image")
    repository, tag, digest = found["repository"], found["tag"], found["digest"]
    host, slash, _ = repository.partition("/")
    if not slash:
        repository = f"docker.io/library/{repository}"
    elif not ("." in host or ":" in host or host == "localhost"):
        repository = f"docker.io/{repository}"
    name = repository.rpartition("/")[2]
    version = f"@sha256%3A{digest}" if digest else ""
    about = [f"repository_url={quote(repository, safe='/')}", *([f"tag={tag}"] if tag else [])]
    uri = f"pkg:oci/{quote(name)}{version}?{'&'.join(about)}"
    return resource(name, uri, {"sha256": digest} if digest else None)


def go_input(version: str) -> Resource:
    """The Go toolchain of a version such as 1.26.6."""
    return resource("go", f"pkg:generic/go@{quote(version, safe='')}")


def source_input(upstream: Upstream, origin: str = "") -> Resource:
    """Upstream's sources. Only a remote repository's are surely a git commit.

    Args:
        upstream: as the user gave it.
        origin: the URL that was read instead; the same repository by another protocol does not
            count.
    """
    uri = source_uri(upstream.repository)
    real = source_uri(origin) if origin else uri
    if real.partition("://")[2] != uri.partition("://")[2]:
        uri = real
    if uri.startswith("git+"):
        digest = "gitCommit" if FULL_SHA.match(upstream.commit) else SOURCE_DIGEST
        uri = f"{uri}@{quote(upstream.ref, safe='/+')}"
    else:
        digest = SOURCE_DIGEST
    return resource("upstream", uri, {digest: upstream.commit})


def source_uri(repository: str) -> str:
    """The URI of what a user's `--upstream-repo` means, without users, passwords and queries.

    A local folder is named by its last part alone: its path says something of the user and
    nothing of the layer, and means nothing elsewhere.
    """
    if repository == SAMPLE:
        return f"{URN}:upstream:sample"
    if not repository.startswith((".", "/", "~")):
        if OWNER_NAME.match(repository):
            return f"git+https://github.com/{repository.removesuffix('.git')}"
        if SCP_URL.match(repository):
            host, _, path = repository.partition("@")[2].partition(":")
            return f"git+ssh://{host.lower()}/{_quoted_path(path.lstrip('/'))}"
        if remote := _remote(repository):
            return remote
    name = PurePosixPath(repository.rpartition("@")[2].rstrip("/")).name
    shown = quote(name, safe="", errors="replace") if name.strip("~.") else "folder"
    return f"{URN}:upstream:local:{shown}"


def module_uri(module: str, version: str) -> str:
    """Return a Go module's package URL; upper and lower case differ, as they do for Go."""
    return f"pkg:golang/{quote(module, safe='/')}@{quote(version, safe='')}"


def _h1_digest(h1: str) -> str:
    try:
        digest = base64.b64decode(h1.removeprefix("h1:"), validate=True)
    except ValueError:
        digest = b""
    if not h1.startswith("h1:") or len(digest) != _SHA256_BYTES:
        raise ValueError("not a sum of go.sum")
    return digest.hex()


def _remote(url: str) -> str:
    """A URL as SPDX writes it, less what may be private; empty for what is none of a server's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2].lower()
    if parts.scheme not in SCHEMES or parts.scheme == "file" or not host:
        return ""
    return f"git+{parts.scheme}://{quote(host, safe=':[]')}{_quoted_path(parts.path)}"


def _quoted_path(path: str) -> str:
    return quote(path.rstrip("/").removesuffix(".git"), safe="/%:!$&'()*+,;=~", errors="replace")
