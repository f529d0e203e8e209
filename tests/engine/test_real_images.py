"""The three builds of images on a real engine, pushed to docker-registry on this machine.

The engine pulls node, nginx and a builder from their registries.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from gitops import INPUTS
from gitserver import commit, git, new_repository
from registry_server import PROGRAM, RegistryServer

from pipeline.files import read_tree

CHECKOUT = Path(__file__).parents[2]
BUILDER = "paketobuildpacks/builder-jammy-tiny:latest"

Call = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.skipif(not PROGRAM, reason="docker-registry is not installed")


@dataclass(frozen=True)
class EngineBuild:
    """Builds images of the test inputs.

    Attributes:
        dagger: runs `dagger`.
        options: for another golang image.
        folder: has config, checkouts and the registry's files.
        registry: without TLS; the engine knows it as `registry`.
    """

    dagger: Call
    options: list[str]
    folder: Path
    registry: RegistryServer

    def image(self, component: str, source: str, *more: str) -> tuple[str, str]:
        """Return repository and digest of a component's image."""
        port = self.registry.host.partition(":")[2]
        done = self.dagger(
            *("call", f"--config={self.folder / 'config'}", "gitops-image"),
            *(f"--component={component}", f"--source={self.folder / source}"),
            f"--gitops-checkout={self.folder / 'gitops'}",
            f"--registry-service=tcp://127.0.0.1:{port}",
            *(*self.options, *more),
        )
        assert done.returncode == 0, done.stderr
        name, _, digest = json.loads(done.stdout)["image"].partition("@")
        return name.partition("/")[2], digest


@pytest.fixture
def build(dagger: Call, image_options: list[str], tmp_path: Path) -> Generator[EngineBuild]:
    trees = {"gitops": "repository", "shop": "sources/shop", "storefront": "sources/storefront"}
    for name, inputs in trees.items():
        made = new_repository(tmp_path / name)
        commit(made, dict(read_tree(INPUTS / inputs)))
        git(made, "reset", "--quiet", "--hard", "main")
    with RegistryServer(tmp_path / "registry") as registry:
        shutil.copytree(CHECKOUT / "config", tmp_path / "config")
        address = f"registry:{registry.host.partition(':')[2]}"
        settings = {
            "repository": "https://git.example.test/acme/gitops.git",
            "namespace": "demo",
            "registry": {"address": address, "tls": False},
        }
        (tmp_path / "config/gitops.yaml").write_text(yaml.safe_dump(settings))
        yield EngineBuild(dagger, image_options, tmp_path, registry)


def test_an_image_is_built_by_its_dockerfile_once(build: EngineBuild) -> None:
    name, digest = build.image("shop/catalog", "shop")
    labels = build.registry.config(name, digest)["config"]["Labels"]
    assert labels["ocelot.gitops.component"] == "catalog"
    assert build.image("shop/catalog", "shop") == (name, digest)


def test_an_image_is_built_by_buildpacks(build: EngineBuild) -> None:
    name, digest = build.image("shop/orders", "shop", f"--builder-image={BUILDER}")
    labels = build.registry.config(name, digest)["config"]["Labels"]
    assert "ocelot.gitops.component" in labels["io.buildpacks.project.metadata"]


def test_pages_are_built_by_node_and_served_by_nginx(build: EngineBuild) -> None:
    name, digest = build.image("shop/storefront", "storefront")
    config = build.registry.config(name, digest)["config"]
    assert "80/tcp" in config["ExposedPorts"]
    assert config["Labels"]["ocelot.gitops.component"] == "storefront"
