"""The request for an image: what is built, with which settings of config/gitops.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config.gitops import GitOps
from pipeline.errors import UsageError, quoted
from pipeline.gitops.image.docker import DockerOptions
from pipeline.gitops.image.react import NGINX_IMAGE, NODE_IMAGES, Server
from pipeline.gitops.image.reference import Naming, Origin
from pipeline.gitops.image.registry import RegistryAccess
from pipeline.gitops.image.registry_auth import RegistryCredentials
from pipeline.gitops.parameters import BuildpacksBuild, BuildParameters, DockerBuild

PLATFORMS = ("linux/amd64", "linux/arm64")


@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """An image that is to be there.

    Attributes:
        parameters: of the component's workflow.
        commit: all digits.
        docker: options of a build by Dockerfile.
        platforms: such as linux/amd64; empty for the engine's own.
    """

    parameters: BuildParameters
    commit: str
    docker: DockerOptions = field(default_factory=DockerOptions)
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """The settings of images in config/gitops.yaml.

    Attributes:
        naming: rules for names.
        tls: False for a registry that speaks plain HTTP.
        authority: file with the registry's own certificates.
        node: image of each version of Node.js.
        server: the image that serves pages, and its port.
        credentials: for the registry.
    """

    naming: Naming
    tls: bool
    authority: Path | None
    node: dict[str, str]
    server: Server
    credentials: RegistryCredentials | None = None

    def access(self, host: str, own: str) -> RegistryAccess:
        """Return how a registry is reached; the settings count for the own one alone."""
        if host != own:
            return RegistryAccess(host=host)
        return RegistryAccess(
            host=host, tls=self.tls, authority=self.authority, credentials=self.credentials
        )


def image_settings(
    config: GitOps, folder: Path, credentials: RegistryCredentials | None = None
) -> ImageSettings:
    """Return the settings of a config, which is in a folder."""
    registry = config.registry
    return ImageSettings(
        naming=Naming(
            registry=registry.address, image_name=config.image_name, tag_prefix=config.tag_prefix
        ),
        tls=registry.tls,
        authority=folder / registry.ca if registry.ca else None,
        node={**NODE_IMAGES, **config.images.node},
        server=Server(image=config.images.nginx or NGINX_IMAGE, port=config.nginx_port),
        credentials=credentials,
    )


def image_origin(request: ImageRequest, settings: ImageSettings) -> Origin:
    """Return the facts by which an image is recognised as the one of a request."""
    given = request.parameters
    return Origin(
        repository=given.repository_url,
        commit=request.commit,
        namespace=given.name.namespace,
        project=given.name.project,
        component=given.name.component,
        build={
            "workflow": given.workflow,
            "platforms": sorted(request.platforms),
            **_build_facts(request, settings),
        },
    )


def _build_facts(request: ImageRequest, settings: ImageSettings) -> dict[str, Any]:
    build, app = request.parameters.build, request.parameters.app_path
    if isinstance(build, DockerBuild):
        options = request.docker
        return {
            "context": build.context,
            "dockerfile": build.dockerfile,
            "arguments": dict(options.arguments),
            "target": options.target,
            "secrets": sorted(options.secrets),
        }
    if isinstance(build, BuildpacksBuild):
        return {"app": app, "builder": build.builder_image, "env": dict(build.env)}
    return {
        "app": app,
        "node": settings.node[build.node_version],
        "command": build.build_command,
        "output": build.output_dir,
        "server": settings.server.image,
        "port": settings.server.port,
    }


def check_request(request: ImageRequest) -> None:
    """Check that the options fit the build.

    Raises:
        UsageError: they do not.
    """
    build = request.parameters.build
    for each in request.platforms:
        if each not in PLATFORMS:
            raise UsageError(
                f"--platform {quoted(each)} is not known", hint=f"give {' or '.join(PLATFORMS)}"
            )
    if not isinstance(build, DockerBuild) and request.docker != DockerOptions():
        raise UsageError(
            "--build-arg, --target and --build-secret-id are for a build by Dockerfile",
            hint=f"leave them out: {request.parameters.name} has another workflow",
        )
    if isinstance(build, BuildpacksBuild) and len(request.platforms) > 1:
        raise UsageError("buildpacks build for one platform", hint="give --platform once")
