"""The pinned images: by digest, of the pinned versions, and the same wherever they are named."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.recipe import GO_VERSION
from pipeline.config.folder import Config, load_config
from pipeline.errors import ConfigError
from pipeline.module.steps import GO_IMAGE, PYTHON_IMAGE

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


def test_uv_comes_out_of_the_modules_own_runtime() -> None:
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


def test_the_module_reads_the_same_golang_image_as_the_config(config: Config) -> None:
    found = GO_IMAGE.search((CHECKOUT / "config" / "images.yaml").read_text())
    assert config.images
    assert found
    assert found[1] == config.images.go


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("go: golang:1.26.6", "images.yaml:1: go: 'golang:1.26.6' is not an image by digest"),
        (f"goo: golang@{DIGEST}", "images.yaml:1: goo: unknown key; perhaps you meant go?"),
        ("[]", "images.yaml:1"),
        ("go: {", "images.yaml:1: not YAML"),
    ],
)
def test_problems_of_the_images_are_reported(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "distributions.yaml").write_text("a:\n")
    (tmp_path / "components.yaml").write_text("{}\n")
    (tmp_path / "images.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert message in "\n".join(caught.value.details)
