"""A build by Cloud Native Buildpacks: the lifecycle in the builder image, phase by phase.

https://github.com/buildpacks/spec/blob/platform/0.14/platform.md. Each phase is a program of its
own, so that the buildpacks, which the detector and the builder run, see no credentials: `creator`
would do all phases in one process. All of them run as the builder's own user. Exit codes are those
of platform/exit.go and cmd/exit.go in https://github.com/buildpacks/lifecycle at v0.21.14.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import tomli_w

from pipeline.errors import GitOpsError
from pipeline.files import Tree
from pipeline.gitops.image.reference import SOURCE
from pipeline.gitops.image.registry import Image
from pipeline.gitops.image.steps import BuildContainer, Command, Mount

# Platform APIs whose phases and flags are those of `_phases`, the newest first.
PLATFORM_APIS = ("0.15", "0.14", "0.13", "0.12", "0.11", "0.10", "0.9", "0.8", "0.7")
# The first with a setting for registries without TLS.
INSECURE_FROM = "0.13"
BUILDER_METADATA = "io.buildpacks.builder.metadata"
LIFECYCLE_APIS = "io.buildpacks.lifecycle.apis"
PLATFORM = "linux/amd64"
CREDENTIALS = "CNB_REGISTRY_AUTH"

LIFECYCLE = "/cnb/lifecycle"
APP, LAYERS, PLATFORM_DIR, CACHE = "/workspace", "/layers", "/platform", "/cnb-cache"
PROJECT = "/ocelot/project-metadata.toml"
REPORT = f"{LAYERS}/report.toml"
AUTHORITY = "/ocelot/authority"

_API_MISMATCH = "the lifecycle in the builder image does not support this platform API"
_FAILURES = {
    11: _API_MISMATCH,
    12: "a buildpack has an API that the lifecycle in the builder image does not support",
}
_REGISTRY_FAILURES = {
    **_FAILURES,
    3: "the registry refuses the credentials for the image, or the run image cannot be read",
}


@dataclass(frozen=True, kw_only=True)
class BuilderImage:
    """A builder image.

    Attributes:
        image: reference by digest.
        user: `CNB_USER_ID:CNB_GROUP_ID`.
        platform_api: the newest that the lifecycle in it and ocelot support.
    """

    image: str
    user: str
    platform_api: str


def builder(reference: str, image: Image) -> BuilderImage:
    """Return what a build needs to know of a builder image.

    Args:
        reference: by digest.
        image: as the registry has it.

    Raises:
        GitOpsError: the image is no builder, or too old or new.
    """
    ids = [image.environment.get(name, "") for name in ("CNB_USER_ID", "CNB_GROUP_ID")]
    if not all(each.isdecimal() and int(each) for each in ids):
        raise GitOpsError(
            f"{reference} is no builder: it has no CNB_USER_ID and CNB_GROUP_ID other than root's",
            hint="give the image of a Cloud Native Buildpacks builder by --builder-image",
        )
    supported = _platform_apis(image.labels)
    chosen = next((each for each in PLATFORM_APIS if each in supported), None)
    if chosen is None:
        known = ", ".join(supported) or "none that its labels name"
        raise GitOpsError(
            f"the lifecycle of {reference} has other platform APIs than ocelot: {known}",
            hint=f"use a builder with one of {', '.join(reversed(PLATFORM_APIS))}",
        )
    return BuilderImage(image=reference, user=":".join(ids), platform_api=chosen)


def _platform_apis(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the platform APIs that a builder's labels name."""
    metadata = _parsed(labels.get(BUILDER_METADATA, ""))
    of_lifecycle = _parsed(labels.get(LIFECYCLE_APIS, ""))
    found = [
        *_texts(_at(metadata, "lifecycle", "apis", "platform", "supported")),
        *_texts(_at(of_lifecycle, "platform", "supported")),
        *_texts([_at(metadata, "lifecycle", "api", "platform")]),
    ]
    return tuple(dict.fromkeys(found))


def _texts(value: object) -> list[str]:
    every = cast("list[object]", value) if isinstance(value, list) else []
    return [each for each in every if isinstance(each, str)]


def _at(value: object, *keys: str) -> object:
    """Return the value at a path of keys; None where there is none."""
    for key in keys:
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return value


def _parsed(text: str) -> object:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True)
class ImageTarget:
    """The image that a build makes, and its registry.

    Attributes:
        image: reference with a tag.
        host: of the registry, as credentials name it.
        tls: False for a registry without TLS.
        authority: True if the plan's folder `authority` has certificates to trust.
        cache: name of the volume in which layers are kept for the next build.
    """

    image: str
    host: str
    tls: bool
    authority: bool
    cache: str


def buildpacks_container(app: str, chosen: BuilderImage, target: ImageTarget) -> BuildContainer:
    """Return the container in which the lifecycle's phases run.

    Args:
        app: the application's folder, below the plan's folder.
        chosen: the builder.
        target: the image.

    Raises:
        GitOpsError: the builder has no setting for a registry without TLS.
    """
    registry: dict[str, str] = {}
    if not target.tls:
        if PLATFORM_APIS.index(chosen.platform_api) > PLATFORM_APIS.index(INSECURE_FROM):
            raise GitOpsError(
                f"the builder {chosen.image} cannot push to a registry without TLS",
                hint=f"use a builder whose platform API is {INSECURE_FROM} or newer",
            )
        registry["CNB_INSECURE_REGISTRIES"] = target.host
    folders = [
        Mount(source=app, target=APP),
        Mount(source="platform", target=PLATFORM_DIR),
        Mount(source="project", target=PROJECT.rpartition("/")[0]),
        Mount(source="", target=LAYERS),
    ]
    if target.authority:
        folders.append(Mount(source="authority", target=AUTHORITY))
        registry["SSL_CERT_DIR"] = f"{AUTHORITY}:/etc/ssl/certs"
    return BuildContainer(
        image=chosen.image,
        user=chosen.user,
        workdir=APP,
        folders=tuple(folders),
        caches={CACHE: target.cache},
        environment={"CNB_PLATFORM_API": chosen.platform_api, "CNB_NO_COLOR": "true"},
        registry_environment=registry,
        commands=_phases(chosen.user, target.image),
    )


def _phases(user: str, image: str) -> tuple[Command, ...]:
    uid, _, gid = user.partition(":")
    layers, app, platform = f"-layers={LAYERS}", f"-app={APP}", f"-platform={PLATFORM_DIR}"
    ids, cache = (f"-uid={uid}", f"-gid={gid}"), f"-cache-dir={CACHE}"
    project = (f"-project-metadata={PROJECT}", f"-report={REPORT}")
    detected = {
        20: "no buildpack of the builder fits the application: check --app-path and the builder",
        21: "no buildpack of the builder fits the application, and at least one failed",
        22: "the buildpacks cannot be tried on the application",
    }
    # an engine may leave a folder that it made to root
    folders = Command(name="folders", argv=("chown", user, APP, LAYERS, CACHE), root=True)
    exported = {62: "the image cannot be pushed: may the credentials write this repository?"}
    return (
        folders,
        _with_registry("analyzer", layers, *ids, image, failures={32: "the image cannot be read"}),
        _without_registry("detector", app, layers, platform, failures=detected),
        _with_registry("restorer", layers, cache, *ids, failures={42: "the cache is damaged"}),
        _without_registry("builder", app, layers, platform, failures={51: "a buildpack failed"}),
        _with_registry("exporter", app, layers, cache, *project, *ids, image, failures=exported),
    )


def _with_registry(name: str, *options: str, failures: Mapping[int, str]) -> Command:
    every = {**_REGISTRY_FAILURES, **failures}
    return Command(
        name=name, argv=(f"{LIFECYCLE}/{name}", *options), credentials=True, failures=every
    )


def _without_registry(name: str, *options: str, failures: Mapping[int, str]) -> Command:
    every = {**_FAILURES, **failures}
    return Command(name=name, argv=(f"{LIFECYCLE}/{name}", *options), failures=every)


def buildpacks_files(variables: tuple[tuple[str, str], ...], labels: Mapping[str, str]) -> Tree:
    """Return the files that the lifecycle reads, by path below the plan's folder.

    Args:
        variables: of the build, each a file whose content is the value.
        labels: of the image; the lifecycle keeps them in a label of its own.
    """
    metadata = {
        "source": {
            "type": "git",
            "version": {"commit": labels["org.opencontainers.image.revision"]},
            "metadata": {"repository": labels[SOURCE], **labels},
        }
    }
    return {
        "project/project-metadata.toml": tomli_w.dumps(metadata).encode(),
        **{f"platform/env/{name}": value.encode() for name, value in variables},
    }


def credentials_key(host: str) -> str:
    """Return a registry's name in CNB_REGISTRY_AUTH: Docker Hub has one of its own there."""
    return "index.docker.io" if host == "docker.io" else host
