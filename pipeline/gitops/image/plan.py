"""The plan of an image: its name, whether it is there already, and else the steps that build it.

The Dagger module reads `plan.json` and makes the steps in containers; it decides nothing. The
plan's folder has all files that the steps name.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline import progress
from pipeline.errors import GitOpsError, UsageError
from pipeline.files import Tree, output_errors, read_file, write_tree
from pipeline.gitops.image.buildpacks import (
    CREDENTIALS,
    PLATFORM,
    REPORT,
    ImageTarget,
    builder,
    buildpacks_container,
    buildpacks_files,
    credentials_key,
)
from pipeline.gitops.image.docker import DockerSteps, docker_steps
from pipeline.gitops.image.folders import SourceFolder
from pipeline.gitops.image.react import Application, ReactSteps, nginx_config, react_steps
from pipeline.gitops.image.reference import (
    COMPONENT,
    NAMESPACE,
    PROJECT,
    Origin,
    Reference,
    image_reference,
    label_differences,
    read_reference,
)
from pipeline.gitops.image.registry import Image, RegistryAccess, registry_client
from pipeline.gitops.image.request import (
    ImageRequest,
    ImageSettings,
    check_request,
    image_origin,
)
from pipeline.gitops.image.steps import BuildContainer
from pipeline.gitops.parameters import BuildpacksBuild, DockerBuild

PLAN, SOURCE_FOLDER = "plan.json", "source"
LANE = "image"
Look = Callable[[RegistryAccess, Reference, str], Awaitable[Image | None]]


@dataclass(frozen=True, kw_only=True)
class BuildpacksSteps:
    """A build by buildpacks as the engine needs it."""

    container: BuildContainer
    host: str

    def document(self) -> dict[str, Any]:
        """Return the build as JSON values."""
        return {
            "method": "buildpacks",
            "container": self.container.document(),
            "report": REPORT,
            "credentials": {"variable": CREDENTIALS, "key": credentials_key(self.host)},
        }


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """An image that is there, or the steps that build it.

    Attributes:
        reference: with its tag.
        commit: all digits.
        labels: that the image gets.
        access: to its registry.
        platforms: that are built; empty for the engine's own.
        found: reference by digest of an image that is there already; empty for none.
        build: how it is built; None if it is there.
        files: that the build needs besides the source, below the plan's folder.
    """

    reference: Reference
    commit: str
    labels: dict[str, str]
    access: RegistryAccess
    platforms: tuple[str, ...]
    found: str = ""
    build: DockerSteps | BuildpacksSteps | ReactSteps | None = None
    files: Tree = field(default_factory=dict[str, bytes])

    def text(self) -> str:
        """Return the content of plan.json."""
        build = self.build
        if isinstance(build, DockerSteps):
            document = build.document(SOURCE_FOLDER)
        else:
            document = build.document() if build else None
        value = {
            "image": str(self.reference),
            "found": self.found,
            "commit": self.commit,
            "labels": self.labels,
            "registry": {"host": self.access.host, "tls": self.access.tls}
            | {"authority": self.access.authority is not None},
            "platforms": list(self.platforms),
            "build": document,
        }
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


async def looked_up(access: RegistryAccess, reference: Reference, platform: str) -> Image | None:
    """Return an image of a registry; None if there is none. Errors as `RegistryClient.image`."""
    async with registry_client(access) as client:
        return await client.image(reference, platform)


async def image_plan(
    request: ImageRequest,
    settings: ImageSettings,
    checkout: Callable[[], Awaitable[Path]],
    *,
    rebuild: bool = False,
    look: Look = looked_up,
) -> ImagePlan:
    """Return the plan of an image.

    Args:
        request: the image.
        settings: of the config.
        checkout: writes the source into the plan's folder, and returns its root; it is called only
            if the image has to be built.
        rebuild: True to build an image that is there, too.
        look: looks an image up.

    Raises:
        GitOpsError: the registry does not answer or refuses, its image is another component's, or
            the source lacks what the build needs.
        UsageError: the options do not fit the build.
    """
    check_request(request)
    origin = image_origin(request, settings)
    reference, labels = image_reference(settings.naming, origin), origin.labels()
    access = settings.access(reference.host, reference.host)
    with progress.step(LANE, f"look up {reference}") as step:
        image = await look(access, reference, "")
        differences = label_differences(image.facts(), labels) if image else ()
        step.result = "there is none" if image is None else f"{image.digest[:19]} is there"
    if image:
        _check_owner(reference, image, labels)
    plan = ImagePlan(
        reference=reference,
        commit=request.commit,
        labels=labels,
        access=access,
        platforms=request.platforms,
    )
    if image and not differences and not rebuild:
        return replace(plan, found=str(reference.by_digest(image.digest)))
    if differences:
        progress.note(f"{reference} is built anew: {'; '.join(differences)}")
    source = SourceFolder(await checkout())
    build, files = await _build(request, settings, source, origin, look)
    return replace(plan, build=build, files=files)


def _check_owner(reference: Reference, image: Image, labels: dict[str, str]) -> None:
    """Refuse an image of another component: to push ours would take its tag away.

    Raises:
        GitOpsError: it is another one's.
    """
    facts = image.facts()
    owner = {name: facts[name] for name in (NAMESPACE, PROJECT, COMPONENT) if name in facts}
    if different := label_differences(owner, {name: labels[name] for name in owner}):
        raise GitOpsError(
            f"{reference} is the image of another component",
            hint="set image-name in config/gitops.yaml so that no two components share one, such "
            "as {namespace}/{project}/{component}",
            details=different,
        )


async def _build(
    request: ImageRequest,
    settings: ImageSettings,
    source: SourceFolder,
    origin: Origin,
    look: Look,
) -> tuple[DockerSteps | BuildpacksSteps | ReactSteps, Tree]:
    """Return how an image is built, and the files for that below the plan's folder."""
    given = request.parameters
    build = given.build
    if isinstance(build, DockerBuild):
        steps = docker_steps(source, build.context, build.dockerfile, request.docker)
        return steps, {f"{SOURCE_FOLDER}/{path}": text for path, text in steps.files.items()}
    if isinstance(build, BuildpacksBuild):
        return await _buildpacks(request, settings, build, origin, look)
    application = Application(
        folder=given.app_path, build_command=build.build_command, output_dir=build.output_dir
    )
    node = settings.node[build.node_version]
    react = react_steps(source, application, node, settings.server)
    return react, {"nginx.conf": nginx_config(settings.server.port).encode()}


async def _buildpacks(
    request: ImageRequest,
    settings: ImageSettings,
    build: BuildpacksBuild,
    origin: Origin,
    look: Look,
) -> tuple[BuildpacksSteps, Tree]:
    reference = image_reference(settings.naming, origin)
    named = read_reference(build.builder_image)
    platform = (*request.platforms, PLATFORM)[0]
    image = await look(settings.access(named.host, reference.host), named, platform)
    if image is None:
        raise GitOpsError(
            f"there is no builder image {named}", hint="name another one: --builder-image"
        )
    chosen = builder(str(named.by_digest(named.digest or image.digest)), image)
    access = settings.access(reference.host, reference.host)
    target = ImageTarget(
        image=str(reference),
        host=reference.host,
        tls=access.tls,
        authority=access.authority is not None,
        cache=f"ocelot-buildpacks-{reference.name}",
    )
    app = str(PurePosixPath(SOURCE_FOLDER, request.parameters.app_path))
    files = dict(buildpacks_files(build.env, origin.labels()))
    if access.authority:
        hint = "check registry.ca in config/gitops.yaml"
        files["authority/registry.pem"] = read_file(access.authority, hint)
    container = buildpacks_container(app, chosen, target)
    return BuildpacksSteps(container=container, host=reference.host), files


def check_output(folder: Path) -> None:
    """Check that a plan can be written to a folder: it is empty, or not there.

    Raises:
        UsageError: it has files.
        OutputError: it cannot be read.
    """
    with output_errors(folder):
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty", hint="give an empty folder by --output")


def write_plan(plan: ImagePlan, folder: Path) -> None:
    """Write plan.json, and the files that the build needs, into the plan's folder.

    Raises:
        OutputError: a file cannot be written.
    """
    write_tree(folder, {**plan.files, PLAN: plan.text().encode()})
    containers = [plan.build.container] if isinstance(plan.build, BuildpacksSteps) else []
    with output_errors(folder):
        for mount in (each for container in containers for each in container.folders):
            (folder / mount.source).mkdir(parents=True, exist_ok=True)
