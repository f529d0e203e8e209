"""Upstreams with a submodule, Git LFS, a workspace, another default branch, or another URL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gitserver import commit, git, in_collector
from runs import Ran
from tiny import COLLECTOR, Place, new_place

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"
OTELCOL = "stubs/otelcol"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return new_place(tmp_path)


def refused(ran: Ran, code: int = 4) -> str:
    """The message and the next step of an error."""
    assert ran.code == code, ran.err
    return " ".join(ran.err.partition("error: ")[2].split())


def test_the_default_branch_is_the_next_step_where_there_is_no_such_branch(place: Place) -> None:
    git(place.repository, "branch", "-m", "main", "trunk")
    error = refused(place.build("-d", "one"))
    assert error.endswith("--upstream-ref trunk")
    assert place.build("-d", "one", "--upstream-ref", "trunk").code == 0


def test_a_module_in_a_submodule_is_told_before_go_runs(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("go.mod", "otelcol.go"):
        (other / name).write_bytes(COLLECTOR[f"{OTELCOL}/{name}"])
    git(other, "init", "-q")
    git(other, "add", ".")
    git(other, "commit", "-q", "-m", "otelcol")
    work = tmp_path / "work"
    git(tmp_path, "clone", "-q", str(place.repository), str(work))
    git(work, "rm", "-rq", f"collector/{OTELCOL}")
    add = ("submodule", "--quiet", "add", str(other), f"collector/{OTELCOL}")
    git(work, "-c", "protocol.file.allow=always", *add)
    git(work, "commit", "-q", "-m", "a submodule")
    error = refused(place.run("build", "-r", "./work", "-d", "one", "-a", "amd64"))
    assert f"collector/{OTELCOL}, which is a git submodule" in error
    # what the next step says
    (work / ".git").rename(tmp_path / "gone")
    assert place.run("build", "-r", "./work", "-d", "one", "-a", "amd64").code == 0


@pytest.mark.parametrize("name", ["config.yaml", "main.go"])
def test_a_git_lfs_pointer_in_place_of_a_file_is_refused(place: Place, name: str) -> None:
    commit(place.repository, in_collector({**COLLECTOR, name: POINTER}))
    error = refused(place.build("-d", "one"))
    assert f"collector/{name}" in error
    assert "git lfs pull" in error


def test_a_git_lfs_pointer_that_no_build_reads_does_not_matter(place: Place) -> None:
    commit(place.repository, in_collector({**COLLECTOR, "docs/logo.png": POINTER}))
    assert place.build("-d", "one").code == 0


def test_a_git_lfs_pointer_in_the_overlay_or_as_collector_config_is_refused(place: Place) -> None:
    overlay = place.config / "overlay"
    overlay.mkdir()
    (overlay / "config.yaml").write_bytes(POINTER)
    assert "overlay/config.yaml" in refused(place.build("-d", "one"), 3)
    (overlay / "config.yaml").unlink()
    (place.config / "own.yaml").write_bytes(POINTER)
    with (place.config / "distributions.yaml").open("a") as file:
        file.write("own:\n  base: one\n  config-file: own.yaml\n")
    assert "git lfs pull" in refused(place.build("-d", "own"), 3)


def test_a_workspace_is_not_used_and_named(place: Place) -> None:
    commit(place.repository, in_collector({**COLLECTOR, "go.work": b"go 1.25.0\n\nuse ./gone\n"}))
    ran = place.build("-d", "one")
    assert ran.code == 0, ran.err
    assert "collector/go.work is not used" in " ".join(ran.err.split())


def test_a_folder_of_the_name_of_a_github_repository_is_the_next_step(place: Place) -> None:
    (place.root / "forks" / "otel").mkdir(parents=True)
    env = {"GIT_ALLOW_PROTOCOL": "file"}  # nothing reaches GitHub
    ran = place.run("build", "-r", "forks/otel", "-d", "one", "-a", "amd64", env=env)
    assert refused(ran).endswith("--upstream-repo ./forks/otel")


@pytest.mark.parametrize("gathered", [False, True], ids=["one step", "sources first"])
def test_the_provenance_names_the_repository_that_git_read(place: Place, *, gathered: bool) -> None:
    where = place.repository.rename(place.root / "mirror")
    env = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{where}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/acme/otel.git",
    }
    asked = ("-r", "acme/otel", "-d", "one")
    if gathered:
        ran = place.run("sources", *asked, "-o", "sources", env=env)
        assert ran.code == 0, ran.err
        env = {"OCELOT_SOURCES": str(place.root / "sources")}
    ran = place.run("build", *asked, "-a", "amd64", "--json", env=env)
    assert ran.code == 0, ran.err
    (layer,) = ran.manifest["layers"]
    assert layer["upstream"]["repository"] == "acme/otel"
    statement: dict[str, Any] = json.loads(
        (place.dist / "collector-amd64-one.intoto.json").read_bytes()
    )
    definition = statement["predicate"]["buildDefinition"]
    asked_for = definition["externalParameters"]["upstream"]["uri"]
    assert asked_for == "git+https://github.com/acme/otel"
    assert definition["resolvedDependencies"][0]["uri"] == "urn:x-ocelot:upstream:local:mirror"
