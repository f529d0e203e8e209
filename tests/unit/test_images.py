"""The pinned images: by digest, of the pinned versions, and the same wherever they are named."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.engines.dagger import container_settings, go_image
from pipeline.build.recipe import GO_VERSION
from pipeline.config import Config, load_config
from pipeline.errors import ConfigError, UsageError
from pipeline.module_container import PYTHON_IMAGE

CHECKOUT = Path(__file__).parents[2]
DIGEST = f"sha256:{'0' * 64}"


@pytest.fixture
def config() -> Config:
    return load_config(CHECKOUT / "config")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def test_the_golang_image_is_of_the_wheels_version(config: Config) -> None:
    assert config.images
    assert config.images.go.startswith(f"golang:{GO_VERSION}-")


def test_the_checks_run_in_the_modules_own_runtime() -> None:
    assert pyproject()["tool"]["dagger"]["base-image"] == PYTHON_IMAGE


def test_the_sdk_is_the_engines_version() -> None:
    engine = json.loads((CHECKOUT / "dagger.json").read_text())["engineVersion"]
    pins = [each for each in pyproject()["project"]["dependencies"] if "dagger-io" in each]
    assert pins == [f"dagger-io=={engine.removeprefix('v')}"]
    lock = tomllib.loads((CHECKOUT / "uv.lock").read_text())
    locked = [each["version"] for each in lock["package"] if each["name"] == "dagger-io"]
    assert locked == [engine.removeprefix("v")]


def test_the_module_is_found_by_its_entry_point() -> None:
    points = pyproject()["project"]["entry-points"]["dagger.mod"]
    assert points == {"main_object": "pipeline.module:Ocelot"}


def test_a_mirrors_image_takes_the_place_of_the_configs(config: Config) -> None:
    assert go_image(config, "mirror.example:5000/golang:1") == "mirror.example:5000/golang:1"


@pytest.mark.parametrize("image", ["", "-x", "a b", "golang@sha256:1", "x\ny", "$(x)"])
def test_what_is_no_image_is_refused(image: str, tmp_path: Path) -> None:
    (tmp_path / "distributions.yaml").write_text("a:\n")
    (tmp_path / "components.yaml").write_text("{}\n")
    with pytest.raises(UsageError):
        go_image(load_config(tmp_path), image)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("go: golang:1.26.6", "images.yaml:1: go: 'golang:1.26.6' is not an image by digest"),
        (f"goo: golang@{DIGEST}", "images.yaml:1: goo: unknown key; perhaps you meant go?"),
        ("[]", "images.yaml:1"),
        ("go: {", "images.yaml:1: not YAML"),
    ],
)
def test_problems_of_the_images_are_told(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "distributions.yaml").write_text("a:\n")
    (tmp_path / "components.yaml").write_text("{}\n")
    (tmp_path / "images.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert told in "\n".join(caught.value.details)


def test_a_password_in_goproxy_stays_out_of_containers() -> None:
    with pytest.raises(UsageError) as caught:
        container_settings({"GOPROXY": "https://me:s3cret@proxy.example"})
    assert "s3cret" not in caught.value.text()
    assert container_settings({"GOPROXY": "https://proxy.example", "GOFLAGS": "-x"}) == {
        "GOPROXY": "https://proxy.example"
    }
