"""Builds of an upstream that needs files beside its `collector/`."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest
from gitserver import commit, in_collector, new_repository
from runs import Ran
from tiny import COLLECTOR, MAIN, Place, new_place

from pipeline.build.sources import VARIABLE
from pipeline.files import Tree, read_tree

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


def test_sources_are_kept_also_where_the_layer_comes_from_the_cache(
    place: Place, tmp_path: Path
) -> None:
    trees: list[Tree] = []
    for name, more in {"compiled": ("--rebuild",), "reused": ()}.items():
        (tmp_path / name).mkdir()
        env = {"TMPDIR": str(tmp_path / name)}
        ran = done(place.build("-d", "one", "--keep-temp", *more, env=env))
        (root,) = (tmp_path / name).glob("ocelot-*/*/collector")
        assert str(root) in ran.err
        assert ("reused" in ran.err) == (name == "reused")
        shutil.rmtree(root / ".ocelot", ignore_errors=True)  # the compiled program
        trees.append(read_tree(root.parent))
    compiled, reused = trees
    assert compiled == reused
    assert f"{BESIDE}/go.mod" in reused


def test_packages_are_counted_while_they_are_compiled(place: Place) -> None:
    never_compiled = f"const made = {time.time_ns()}\n"
    more = {
        "collector/more.go": f"package main\n\n{never_compiled}",
        "collector/lambdacomponents/exporter/more.go": f"package exporter\n\n{never_compiled}",
    }
    repository = new_repository(place.root / "changed")
    commit(repository, {**repository_files(), **{name: more[name].encode() for name in more}})
    ran = done(place.run("build", "-a", "amd64", "-d", "one", "-r", "./changed", "--verbose"))
    assert re.findall(r"(\d+ of \d+) packages.*: (\S+)", ran.err) == [
        ("1 of 2", f"{MAIN}/lambdacomponents/exporter"),
        ("2 of 2", MAIN),
    ]
