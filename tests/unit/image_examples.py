"""Images that are to be built, and registries in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from pipeline.config.gitops import GitOps
from pipeline.gitops.image.buildpacks import BUILDER_METADATA
from pipeline.gitops.image.plan import ImagePlan, image_plan
from pipeline.gitops.image.reference import Reference
from pipeline.gitops.image.registry import Image, RegistryAccess
from pipeline.gitops.image.registry_auth import RegistryCredentials
from pipeline.gitops.image.request import ImageRequest, ImageSettings, image_origin, image_settings
from pipeline.gitops.parameters import (
    BuildpacksBuild,
    BuildParameters,
    ComponentRef,
    DockerBuild,
    ReactBuild,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "d" * 64
CONFIG = GitOps.model_validate(
    {"repository": "https://git.example/gitops", "registry": {"address": "r.example:5000"}}
)
CREDENTIALS = RegistryCredentials(user="me", password="s3cret")
SETTINGS = image_settings(CONFIG, Path("config"), CREDENTIALS)
DOCKER = DockerBuild(context="app", dockerfile="Dockerfile")
BUILDPACKS = BuildpacksBuild(builder_image="gcr.io/buildpacks/builder:v1", env=(("A", "1,2"),))
REACT = ReactBuild(node_version="18", build_command="npm run build", output_dir="build")
NAME = "r.example:5000/shop-catalog-image"


def request(
    build: DockerBuild | BuildpacksBuild | ReactBuild = DOCKER,
    project: str = "shop",
    component: str = "catalog",
    **changes: Any,  # noqa: ANN401  fields of different types
) -> ImageRequest:
    parameters = BuildParameters(
        name=ComponentRef(namespace="demo", project=project, component=component),
        workflow="w",
        repository_url="https://git.example/shop.git",
        branch="main",
        commit="",
        app_path="app",
        descriptor="workload.yaml",
        descriptor_is_given=False,
        build=build,
    )
    return ImageRequest(parameters=parameters, commit=COMMIT, **changes)


BUILDER = Image(
    digest=DIGEST,
    platforms=("linux/amd64",),
    labels={
        BUILDER_METADATA: json.dumps({"lifecycle": {"apis": {"platform": {"supported": ["0.14"]}}}})
    },
    environment={"CNB_USER_ID": "1000", "CNB_GROUP_ID": "1001"},
)


@dataclass
class Registries:
    """Registries with images by name.

    Attributes:
        asked: how each registry was reached, and for which image and platform.
    """

    images: dict[str, Image] = field(default_factory=dict[str, Image])
    asked: list[tuple[RegistryAccess, str, str]] = field(
        default_factory=list[tuple[RegistryAccess, str, str]]
    )

    async def look(
        self, access: RegistryAccess, reference: Reference, platform: str
    ) -> Image | None:
        self.asked.append((access, str(reference), platform))
        return self.images.get(str(reference))


def planned(
    folder: Path,
    wanted: ImageRequest,
    registries: Registries | None = None,
    *,
    settings: ImageSettings = SETTINGS,
    rebuild: bool = False,
) -> ImagePlan:
    """Return the plan for a source with a file for each kind of build."""

    async def checkout() -> Path:
        (folder / "source/app").mkdir(parents=True, exist_ok=True)
        (folder / "source/Dockerfile").write_text("FROM scratch\n")
        (folder / "source/app/package.json").write_text("{}")
        return folder / "source"

    look = (registries or Registries()).look
    plan = partial(image_plan, wanted, settings, checkout, look=look, rebuild=rebuild)
    return anyio.run(plan)


def there(wanted: ImageRequest, **labels: str) -> Registries:
    """Registries that have the image of a request."""
    kept = {**image_origin(wanted, SETTINGS).labels(), **labels}
    image = Image(digest=DIGEST, platforms=("linux/amd64",), labels=kept, environment={})
    return Registries({f"{NAME}:v1-01234567": image})


def document(plan: ImagePlan) -> dict[str, Any]:
    return json.loads(plan.text())
