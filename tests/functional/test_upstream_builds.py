"""Builds of an upstream that needs files beside its `collector/`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest
from gitserver import commit, in_collector
from runs import Ran
from tiny import COLLECTOR, Place, new_place

from pipeline.build.sources import VARIABLE

# A name that bundles have a folder of, too.
BESIDE = "config/otelcol"
ZIP = "collector-amd64-one.zip"


def repository_files() -> Mapping[str, bytes | PurePosixPath]:
    """The tiny collector with one of its modules beside `collector/`, and a link to nothing."""
    go_mod = COLLECTOR["go.mod"].replace(b"./stubs/otelcol", f"../{BESIDE}".encode())
    moved = {
        name.replace("collector/stubs/otelcol", BESIDE): content
        for name, content in in_collector({**COLLECTOR, "go.mod": go_mod}).items()
    }
    return {**moved, "collector/LICENSE": PurePosixPath("../absent")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with that repository, its lock, and the zip of one distribution."""
    place = new_place(tmp_path_factory.mktemp("beside"))
    commit(place.repository, repository_files())
    done(place.on("lock", "-d", "one"))
    done(place.build("-d", "one", "-o", "first"))
    return place


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def zip_of(folder: Path) -> bytes:
    return (folder / ZIP).read_bytes()


def built_again(place: Place, *arguments: str, env: Mapping[str, str] | None = None) -> bytes:
    """The zip of another build, which is compiled; links that lead nowhere are named."""
    shutil.rmtree(place.dist, ignore_errors=True)
    ran = done(place.run("build", "-a", "amd64", "--rebuild", *arguments, env=env))
    assert ("collector/LICENSE" in ran.err) == ("--bundle" not in arguments)
    return zip_of(place.dist)


def test_gathered_sources_and_bundles_have_the_folder(place: Place, tmp_path: Path) -> None:
    done(place.on("sources", "-d", "one", "-o", tmp_path / "sources"))
    done(place.on("bundle", "-d", "one", "-o", tmp_path / "bundle"))
    ways: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
        "from the cache": (("-d", "one", "-r", "./upstream"), {}),
        "gathered": (("-d", "one", "-r", "./upstream"), {VARIABLE: str(tmp_path / "sources")}),
        "bundle": (("--bundle", str(tmp_path / "bundle")), {}),
    }
    for arguments, env in ways.values():
        assert built_again(place, *arguments, env=env) == zip_of(place.root / "first")


def test_kept_sources_compile_as_they_lie_there(place: Place, tmp_path: Path) -> None:
    env = {"TMPDIR": str(tmp_path)}
    ran = done(place.build("-d", "one", "--rebuild", "--keep-temp", env=env))
    (root,) = tmp_path.glob("ocelot-*/*/collector")
    assert str(root) in ran.err
    assert (root.parent / BESIDE / "go.mod").is_file()
