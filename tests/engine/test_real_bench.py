"""The bench in a real engine's containers: by itself, after a build, and before publishing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import broken_layers as made
import pytest
from publish_examples import write_manifest
from unit_examples import layer

from pipeline.layer.manifest import FILE_NAME

CHECKOUT = Path(__file__).parents[2]
SAMPLE = CHECKOUT / "tests" / "upstream"
ARCHITECTURES = ("amd64", "arm64")
EXITS_AT_ONCE = b"#!/bin/sh\necho cannot go on\nexit 3\n"

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def built(dagger: Call, image_options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's minimal, after its layers ran."""
    folder = tmp_path_factory.mktemp("benched") / "dist"
    done = dagger(
        *("call", "build", "--distribution=minimal", f"--upstream={SAMPLE}", "--bench"),
        *(*image_options, "export", f"--path={folder}"),
    )
    assert done.returncode == 0, done.stderr
    return folder


def broken(folder: Path, architecture: str) -> Path:
    """A layer that does not run, with its manifest."""
    path = folder / f"collector-{architecture}-minimal.zip"
    written = made.layer(path, EXITS_AT_ONCE).read_bytes()
    write_manifest(folder, [layer(path.name, written)])
    return folder


def benched(dagger: Call, image_options: list[str], folder: Path) -> dict[str, Any]:
    """Return the bench's results for a folder's layers, by architecture."""
    command = ("call", "bench", f"--layers={folder}", "--starts=1", "--invocations=2")
    done = dagger(*command, *image_options)
    assert done.returncode == 0, done.stderr
    return {each["architecture"]: each for each in json.loads(done.stdout)["layers"]}


def test_the_manifest_of_a_build_has_the_results_of_the_bench(built: Path) -> None:
    layers = json.loads((built / FILE_NAME).read_text())["layers"]
    found = {each["architecture"]: each["benched"] for each in layers}
    assert set(found) == set(ARCHITECTURES)
    assert "passed" in found.values()
    # an engine that emulates no other architecture runs its own alone
    assert all(each == "passed" or each.startswith("skipped: ") for each in found.values())


def test_layers_are_measured_again_each_time(
    dagger: Call, image_options: list[str], built: Path
) -> None:
    first, second = (benched(dagger, image_options, built) for _ in range(2))
    assert [each["status"] for each in first.values()] == ["passed", "passed"]
    assert [each["emulated"] for each in first.values()].count(False) == 1
    assert all(each["figures"]["items"] > 0 for each in first.values())
    assert all(bool(each["reference"]) != each["emulated"] for each in first.values())
    assert first["amd64"]["figures"]["wall"] != second["amd64"]["figures"]["wall"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_layer_that_does_not_run_fails(dagger: Call, architecture: str, tmp_path: Path) -> None:
    done = dagger("call", "bench", f"--layers={broken(tmp_path, architecture)}", "--starts=1")
    assert done.returncode != 0
    assert f"collector-{architecture}-minimal.zip: extensions/collector exits" in done.stderr
    assert "cannot go on" in done.stderr


def test_a_layer_that_does_not_run_is_not_sent_to_aws(
    dagger: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KEY_ID", "KEY"):
        monkeypatch.setenv(name, "invalid")
    key = ("--access-key-id=env:KEY_ID", "--secret-access-key=env:KEY")
    done = dagger(
        *("call", "publish", f"--layers={broken(tmp_path, 'amd64')}", "--regions=eu-west-1"),
        *(*key, "--endpoint-url=http://127.0.0.1:9", "entries"),
    )
    assert done.returncode != 0
    assert "exits at once" in done.stderr
    assert "Could not connect to the endpoint" not in done.stderr
