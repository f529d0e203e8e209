"""Builds of an upstream that needs files beside its `collector/`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pytest
from gitserver import commit, in_collector, new_repository
from runs import OCELOT, Ran
from tiny import COLLECTOR, MAIN, Place, new_place

from pipeline.build.sources import VARIABLE
from pipeline.errors import UsageError
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


# As in a container that is run with a number for its user; the files stay readable.
NAMELESS = (
    *("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
)


@pytest.fixture
def open_place(place: Place) -> Iterator[Place]:
    """The same place in a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        copied = place.copied(Path(folder) / "place")
        for each in (Path(folder), copied.root):
            each.chmod(0o755)
        yield copied


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize(
    "command", ["components -r ./upstream", "build -r ./upstream -d one -a amd64 --rebuild"]
)
def test_a_user_without_a_name_and_a_home_needs_a_cache_and_nothing_else(
    open_place: Place, command: str
) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("util-linux' setpriv is not installed, which makes another user")
    for path in (open_place.repository, *open_place.repository.rglob("*")):
        os.chown(path, 54321, 54321, follow_symlinks=False)  # git refuses others' repositories
    ours = ("HOME", "USER", "LOGNAME", "XDG_")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    own = {**kept, "OCELOT_CONFIG": str(open_place.config), "GOPROXY": "off", "GOSUMDB": "off"}

    def run(**env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*NAMELESS, OCELOT, *command.split()],
            env={**own, **env},
            cwd=open_place.root,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run(OCELOT_CACHE="").returncode == UsageError.exit_code
    ran = run(OCELOT_CACHE=str(open_place.cache))
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr
