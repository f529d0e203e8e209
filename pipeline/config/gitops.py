"""`config/gitops.yaml`: the GitOps repository, the registry, and the texts of releases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from pipeline.config.entries import (
    END,
    ConfigModel,
    Entries,
    read_optional_entry,
    shown,
)
from pipeline.config.images import IMAGE_BY_DIGEST
from pipeline.errors import Problem, quoted
from pipeline.naming import DNS_LABEL

GITOPS = "gitops.yaml"

_HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
_PORT = r"(:\d{1,5})?"
_PATH = r"[A-Za-z0-9._~/%+-]+"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
# Plain http only to this machine: a token would be readable on the way.
_THIS_MACHINE = r"(127\.0\.0\.1|localhost)"
REPOSITORY_URL = (
    rf"^(https://{_HOST}{_PORT}/{_PATH}|http://{_THIS_MACHINE}{_PORT}/{_PATH}"
    rf"|ssh://({_USER}@)?{_HOST}{_PORT}/{_PATH}|{_USER}@{_HOST}:{_PATH}|file:///{_PATH}){END}"
)
# https://git-scm.com/docs/git-check-ref-format
GIT_REF = (
    r"^(?![-./])(?!.*(\.\.|//|/\.|@\{|\.lock(/|$)))"
    rf"[A-Za-z0-9_./@#+=,-]{{0,199}}[A-Za-z0-9_@#+=-]{END}"
)
# https://github.com/distribution/reference: names of repositories in a registry
_NAME_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
REGISTRY = rf"^{_HOST}{_PORT}(/{_NAME_PART})*{END}"
_SPELLED = r"([a-z0-9._/-]|\{project\}|\{component\})"
IMAGE_NAME = rf"^(?=.*\{{component\}}){_SPELLED}+{END}"
_IMAGE_NAME = re.compile(rf"{_NAME_PART}(/{_NAME_PART})*")
# A tag has 128 characters, of which a hyphen and 8 digits of the commit come after the prefix.
TAG_PREFIX = rf"^[A-Za-z0-9_][A-Za-z0-9_.-]{{0,118}}{END}"
OCC_VERSION = rf"^v\d+\.\d+(\.\d+(-[0-9A-Za-z.-]+)?)?{END}"
# https://docs.github.com/en/get-started/signing-up-for-github
REVIEWER = rf"^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9._-]+)?{END}"
ONE_LINE = rf"^[^\x00-\x1f\x7f<>]*[^\x00-\x20\x7f<>]{END}"


def repository_url(value: str) -> str:
    """Return the URL of a git repository.

    Raises:
        ValueError: it is none, or has a password or token in it, which the message does not repeat.
    """
    if re.match(REPOSITORY_URL, value):
        return value
    parts = urlsplit(value)
    over_http = parts.scheme in ("http", "https")
    if parts.password or (over_http and ("@" in value or parts.query)):
        raise ValueError("must not contain a user, password or token: the environment has tokens")
    if parts.scheme == "http":
        raise ValueError("must be https: http shows the token; it is for 127.0.0.1 alone")
    raise ValueError(
        "must be the URL of a git repository such as https://github.com/acme/gitops or "
        "git@github.com:acme/gitops.git"
    )


def _image_name(value: str) -> str:
    if re.match(IMAGE_NAME, value) and _IMAGE_NAME.fullmatch(re.sub(r"\{\w+\}", "a", value)):
        return value
    raise ValueError(
        f"{quoted(value)} is not a name with {{component}} in it such as {{project}}/{{component}}"
    )


Url = Annotated[
    str,
    AfterValidator(repository_url),
    WithJsonSchema({"type": "string", "pattern": REPOSITORY_URL}),
]
ImageName = Annotated[
    str, AfterValidator(_image_name), WithJsonSchema({"type": "string", "pattern": IMAGE_NAME})
]
Ref = Annotated[str, Field(pattern=GIT_REF)]
Image = Annotated[str, Field(pattern=IMAGE_BY_DIGEST)]
Label = Annotated[str, Field(pattern=ONE_LINE, max_length=100)]
Reviewer = Annotated[str, Field(pattern=REVIEWER)]
NodeVersion = Annotated[str, Field(pattern=rf"^\d{{1,3}}{END}")]


class ImageRegistry(ConfigModel):
    """The registry to which images are pushed."""

    address: str = Field(
        pattern=REGISTRY, description="Host, and port if any; a path for all images may follow."
    )
    tls: bool = Field(default=True, description="False for a registry that speaks plain HTTP.")
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="PEM file of the registry's own certificate authority, in the config folder.",
    )

    @model_validator(mode="after")
    def _ca_for_tls(self) -> ImageRegistry:
        if self.ca and not self.tls:
            raise ValueError("ca is for a registry with TLS: remove it, or `tls: false`")
        return self


class Platform(ConfigModel):
    """The repository of the platform's resources, where it is not the GitOps repository."""

    url: Url = Field(description="URL of the git repository.")
    ref: Ref = Field(default="main", description="Branch, tag or commit.")


class ToolImages(ConfigModel):
    """The images with which images of components are built."""

    nginx: Image | None = Field(default=None, description="Serves the pages of React components.")
    node: dict[NodeVersion, Image] = Field(
        default_factory=dict[str, str],
        description="Builds React components: an image for each major version of Node.js.",
        json_schema_extra={"additionalProperties": False},
    )


class CommitIdentity(ConfigModel):
    """Author and committer of the commits in the GitOps repository."""

    name: str = Field(default="OpenChoreo GitOps", pattern=ONE_LINE)
    email: str = Field(default="gitops@openchoreo.dev", pattern=rf"^[^\s<>@]+@[^\s<>@]+{END}")


class PullRequests(ConfigModel):
    """Labels and reviewers of pull requests."""

    labels: tuple[Label, ...] = Field(default=(), strict=False)
    reviewers: tuple[Reviewer, ...] = Field(
        default=(), strict=False, description="Users, and teams as organisation/team."
    )


class GitOps(ConfigModel):
    """`config/gitops.yaml`: the GitOps repository, the registry, and the texts of releases."""

    repository: Url = Field(description="URL of the GitOps repository.")
    registry: ImageRegistry = Field(description="The registry to which images are pushed.")
    branch: Ref = Field(default="main", description="Branch to which pull requests go.")
    namespace: str = Field(
        default="default",
        pattern=rf"^(?!.{{64}}){DNS_LABEL}{END}",
        description="OpenChoreo's namespace.",
    )
    image_name: ImageName = Field(
        default="{project}-{component}-image",
        alias="image-name",
        description="Name of a component's image; {project} and {component} stand for names.",
    )
    tag_prefix: str = Field(
        default="v1",
        alias="tag-prefix",
        pattern=TAG_PREFIX,
        description="Beginning of the tag, before a hyphen and the commit's first 8 digits.",
    )
    occ_version: str = Field(
        default="v1.2.3",
        alias="occ-version",
        pattern=OCC_VERSION,
        description="Version of OpenChoreo's occ, that of the cluster: v1.2.3, or v1.2 for any.",
    )
    platform: Platform | None = Field(
        default=None, description="The platform's resources, if another repository has them."
    )
    images: ToolImages = Field(default=ToolImages(), description="Images that build images.")
    commit: CommitIdentity = Field(
        default=CommitIdentity(), description="Author and committer of the commits."
    )
    pull_request: PullRequests = Field(
        default=PullRequests(),
        alias="pull-request",
        description="Labels and reviewers of pull requests.",
    )
    nginx_port: int = Field(
        default=80,
        alias="nginx-port",
        ge=1,
        le=65535,
        description="Port of the pages of React components; from 1024 on nginx is not root.",
    )


def read_gitops(folder: Path) -> Entries[GitOps]:
    """Read gitops.yaml, which a folder need not have; its one entry has the file's name."""
    entries = read_optional_entry(folder, GITOPS, GitOps)
    return entries.with_problems(_ca_problems(folder, entries))


def _ca_problems(folder: Path, entries: Entries[GitOps]) -> Iterator[Problem]:
    """Yield the problem of a certificate authority's file: missing, outside, or no certificate."""
    for each in entries.entries.values():
        if each.registry.ca is None:
            continue
        path = (folder / each.registry.ca).resolve()
        if not path.is_relative_to(folder.resolve()):
            message = " leads out of the config folder"
        elif not path.is_file():
            message = f": there is no such file in {shown(folder)}"
        elif b"-----BEGIN CERTIFICATE-----" not in path.read_bytes():
            message = " holds no certificate in PEM"
        else:
            continue
        keys = ("registry", "ca")
        yield entries.document.problem(keys, f"registry.ca: {quoted(each.registry.ca)}{message}")
