"""Names of container images, and the labels that say of what an image is built.

The grammar of names: https://github.com/distribution/reference/blob/v0.6.0/regexp.go
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pipeline.errors import GitOpsError, UsageError, quoted
from pipeline.gitops.names import SHORT_COMMIT

DOCKER_HUB = "docker.io"
# Labels of https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md, and our own.
SOURCE = "org.opencontainers.image.source"
REVISION = "org.opencontainers.image.revision"
NAMESPACE = "ocelot.gitops.namespace"
PROJECT = "ocelot.gitops.project"
COMPONENT = "ocelot.gitops.component"
BUILD = "ocelot.gitops.build"

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"({_LABEL}(\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(:\d{{1,5}})?")
_PART = re.compile(r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_NAME = 255
_LONGEST_TAG = 128
_LARGEST_PORT = 65535
_OTHER_NAMES = ("index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The name of an image.

    Attributes:
        host: of the registry, with a port if it has one; `docker.io` for Docker Hub.
        path: of the repository in the registry; of Docker Hub's own images with `library/`.
        tag: empty for none.
        digest: as `sha256:` and 64 hex digits; empty for none.
    """

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Host and path."""
        return f"{self.host}/{self.path}"

    def __str__(self) -> str:
        tag, digest = self.tag and f":{self.tag}", self.digest and f"@{self.digest}"
        return f"{self.name}{tag}{digest}"

    def by_digest(self, digest: str) -> Reference:
        """Return the reference that names the content alone."""
        return replace(self, tag="", digest=digest)


def read_reference(text: str) -> Reference:
    """Return the parts of a reference; short names, such as node:22, are Docker Hub's.

    Raises:
        UsageError: it is no reference.
    """
    rest, _, digest = text.partition("@")
    first, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    host, path = _split_host(f"{first}{slash}{last}")
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    found = Reference(host=host, path=path, tag=tag, digest=digest)
    wrong = invalid_part(found) or (text.endswith(("@", ":")) and "it ends too early")
    if wrong:
        raise UsageError(
            f"{quoted(text)} is no name of an image: {wrong}",
            hint="write it as registry/name:tag or registry/name@sha256:…",
        )
    return found


def _split_host(name: str) -> tuple[str, str]:
    """Return host and path; a first part without dot, port and capitals is no host."""
    first, slash, rest = name.partition("/")
    is_host = slash and (set(".:[") & set(first) or first == "localhost" or first != first.lower())
    host, path = (first, rest) if is_host else (DOCKER_HUB, name)
    return (DOCKER_HUB if host in _OTHER_NAMES else host), path


def invalid_part(reference: Reference) -> str:
    """Return what is wrong with a reference; empty if all of it is valid."""
    host, _, port = reference.host.rpartition(":")
    too_large = host and port.isdecimal() and int(port) > _LARGEST_PORT
    if not _HOST.fullmatch(reference.host) or too_large:
        return f"{quoted(reference.host)} is no registry"
    for part in reference.path.split("/"):
        if not _PART.fullmatch(part):
            return f"{quoted(part)} is no part of a name (lowercase letters, digits, `.`, `_`, `-`)"
    if len(reference.name) > _LONGEST_NAME:
        return f"it is longer than {_LONGEST_NAME} characters"
    tag, digest = reference.tag, reference.digest
    if tag and (len(tag) > _LONGEST_TAG or not _TAG.fullmatch(tag)):
        return f"{quoted(tag)} is no tag"
    if digest and not _DIGEST.fullmatch(digest):
        return f"{quoted(digest)} is no sha256 digest"
    return ""


@dataclass(frozen=True, kw_only=True)
class Naming:
    """The rules for images' names, of config/gitops.yaml.

    Attributes:
        registry: address of the registry; it may have a path, such as ghcr.io/acme.
        image_name: template with {namespace}, {project} and {component}.
        tag_prefix: of the tag, before a hyphen and the commit.
    """

    registry: str
    image_name: str
    tag_prefix: str


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The facts that decide whether an image is the one of a build.

    Attributes:
        repository: URL of the source.
        commit: all 40 digits.
        build: all parameters that the image depends on, as JSON values.
    """

    repository: str
    commit: str
    namespace: str
    project: str
    component: str
    build: Mapping[str, Any]

    def labels(self) -> dict[str, str]:
        """Return the image's labels."""
        return {
            SOURCE: without_user(self.repository),
            REVISION: self.commit,
            NAMESPACE: self.namespace,
            PROJECT: self.project,
            COMPONENT: self.component,
            BUILD: parameters_digest(self.build),
        }


def image_reference(naming: Naming, origin: Origin) -> Reference:
    """Return the name of a commit's image.

    Raises:
        GitOpsError: the rules make an invalid name of it.
    """
    name = naming.image_name
    for key in ("namespace", "project", "component"):
        name = name.replace(f"{{{key}}}", str(getattr(origin, key)))
    address = naming.registry.rstrip("/")
    # an address of one plain word, such as `registry`, is a host here
    host, path = _split_host(f"{address}/{name}") if "/" in address else (address, name)
    tag = f"{naming.tag_prefix}-{origin.commit[:SHORT_COMMIT]}"
    found = Reference(host=DOCKER_HUB if host in _OTHER_NAMES else host, path=path, tag=tag)
    if wrong := invalid_part(found):
        raise GitOpsError(
            f"{quoted(str(found))} cannot be the name of an image: {wrong}",
            hint="change registry, image-name or tag-prefix in config/gitops.yaml",
        )
    return found


def parameters_digest(parameters: Mapping[str, Any]) -> str:
    """Return the sha256 of parameters as canonical JSON: sorted keys, no blanks, UTF-8."""
    text = json.dumps(parameters, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def without_user(url: str) -> str:
    """Return an https URL without user and password; others, such as git@host:path, unchanged."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def label_differences(found: Mapping[str, str], expected: Mapping[str, str]) -> tuple[str, ...]:
    """Return a line for each expected label that an image lacks or has with another value."""
    return tuple(
        f"{name} is {quoted(found[name]) if name in found else 'missing'}, not {quoted(value)}"
        for name, value in expected.items()
        if found.get(name) != value
    )
