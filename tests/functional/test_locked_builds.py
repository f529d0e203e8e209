"""`ocelot lock`, and builds that keep to it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gitserver import GitServer, git
from runs import CONFIG, OCELOT, Ran, environment, fresh_cache, run_ocelot
from tiny import COLLECTOR, DISTRIBUTIONS, MINE, Place, new_place, own_cache, serve_module

from pipeline.build.lock import FILE_NAME, Locked, read_lock

MINIMAL = ("-d", "minimal", "-r", "sample")
TWO_MORE = "two:\n  base: one\n  buildtags: [lambdacomponents.exporter.two]\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return new_place(tmp_path)


@pytest.fixture(scope="module")
def all_locked(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place whose distributions are locked; it is copied, not used."""
    place = new_place(tmp_path_factory.mktemp("locked"))
    done(place.on("lock"))
    return place


@pytest.fixture
def locked(all_locked: Place, tmp_path: Path) -> Place:
    """A place of the test's own whose distributions are locked."""
    return all_locked.copied(tmp_path / "place")


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def statuses(ran: Ran) -> dict[str, str]:
    rows: list[dict[str, str]] = json.loads(ran.out)
    return {row["distribution"]: row["status"] for row in rows}


def edit(path: Path, old: str, new: str) -> None:
    """Put other words in a file, in which the old ones stand once."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def built_layer(place: Place) -> dict[str, Any]:
    (layer,) = json.loads((place.dist / "manifest.json").read_text())["layers"]
    return layer


def test_the_sample_is_locked_and_built_as_it_was_locked(tmp_path: Path) -> None:
    config, cache = Path(shutil.copytree(CONFIG, tmp_path / "config")), fresh_cache(tmp_path / "c")

    def run(*arguments: str) -> Ran:
        return done(run_ocelot(*arguments, "--config", config, cache=cache, cwd=tmp_path))

    names = ("-d", "minimal", "-d", "minimal-signaltometrics")
    run("lock", "-r", "sample", *names)
    before = (config / FILE_NAME).read_bytes()
    again = run("lock", "-r", "sample", *names, "--json")
    assert set(statuses(again).values()) == {"unchanged"}
    assert (config / FILE_NAME).read_bytes() == before
    run("lock", "-r", "sample", *names, "--check")

    unlocked = run_ocelot(
        *("build", "-d", "minimal-signaltometrics", "-r", "sample", "-a", "amd64", "-o", "first"),
        "--config",
        CONFIG,
        cache=cache,
        cwd=tmp_path,
    )
    assert "not locked" in " ".join(done(unlocked).out.split())
    built = run("build", "-d", "minimal-signaltometrics", "-r", "sample")
    assert ", locked" in built.out
    name = "collector-amd64-minimal-signaltometrics.zip"
    assert (tmp_path / "dist" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()
    manifest = json.loads((tmp_path / "dist" / "manifest.json").read_text())
    assert [layer["locked"] for layer in manifest["layers"]] == [True, True]
    (entry,) = read_lock(config).of("minimal-signaltometrics")
    assert {name: entry.zips[name] for name in entry.zips} == {
        layer["architecture"]: layer["sha256"] for layer in manifest["layers"]
    }
    assert len(entry.go_mod) > 1
    assert entry.custom_modules[0] in entry.go_mod


def test_a_lock_of_all_distributions_has_each_of_them(locked: Place) -> None:
    assert [each.distribution for each in locked.lock.locked] == ["mine", "one", "two"]
    assert locked.entry("mine").go_mod == (f"{MINE}@v1.0.0",)
    assert [line.split()[0] for line in locked.entry("mine").go_sum] == [MINE, MINE]


def test_a_second_lock_leaves_the_file_as_it_is(locked: Place) -> None:
    before = (locked.lock_file.read_bytes(), locked.lock_file.stat().st_mtime_ns)
    again = done(locked.on("lock", "--json"))
    assert set(statuses(again).values()) == {"unchanged"}
    assert (locked.lock_file.read_bytes(), locked.lock_file.stat().st_mtime_ns) == before


def test_a_check_passes_until_something_changes_and_writes_nothing(locked: Place) -> None:
    before = locked.lock_file.read_bytes()
    done(locked.on("lock", "--check"))
    done(locked.run("lock", "--check", "--entries"))  # of the upstream that the lock names
    assert locked.run("lock", "--entries").code == 2
    edit(locked.config / "distributions.yaml", TWO_MORE, f"{TWO_MORE}new:\n  base: two\n")
    edit(
        locked.config / "distributions.yaml",
        "exporter.mine]",
        "exporter.mine, lambdacomponents.exporter.two]",
    )
    ran = locked.on("lock", "--check")
    assert ran.code == 9
    assert locked.run("lock", "--check", "--entries").code == 9
    assert "mine: build tags: here but not locked: lambdacomponents.exporter.two" in ran.err
    assert "new: is not in it" in ran.err
    assert locked.lock_file.read_bytes() == before


def test_a_distribution_that_is_gone_goes_from_a_lock_of_all_alone(locked: Place) -> None:
    edit(locked.config / "distributions.yaml", TWO_MORE, "")
    done(locked.on("lock", "-d", "one"))
    assert locked.lock.of("two")
    done(locked.on("lock"))
    assert not locked.lock.of("two")


def test_a_build_fills_in_the_digests_that_the_lock_lacks(locked: Place) -> None:
    assert ", locked" in done(locked.build("-d", "one")).out
    amd64 = built_layer(locked)
    assert locked.entry().zips == {"amd64": amd64["sha256"]}
    assert amd64["locked"] is True
    before = locked.lock_file.read_bytes()
    done(locked.build("-d", "one", "--rebuild"))
    assert locked.lock_file.read_bytes() == before


def test_a_build_with_the_lock_to_be_kept_to_writes_nothing_into_it(locked: Place) -> None:
    before = locked.lock_file.read_bytes()
    done(locked.build("-d", "one", "--locked"))
    assert locked.lock_file.read_bytes() == before


def test_a_lock_that_cannot_be_written_is_no_reason_not_to_build(locked: Place) -> None:
    """A folder that is mounted read-only, as in CI."""
    command = ["mount", "--bind", "-o", "ro", str(locked.config), str(locked.config)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting a folder read-only needs root: {mounted.stderr.strip()}")
    try:
        ran, refused = locked.build("-d", "one"), locked.on("lock")
    finally:
        subprocess.run(["umount", "--lazy", str(locked.config)], check=True)
    assert "the zips' digests are not in the lock" in done(ran).err
    assert ", locked" in ran.out
    assert refused.code == 8
    assert "modules" not in refused.err  # refused before any work began


def test_a_change_of_the_configuration_is_refused_or_reported(locked: Place) -> None:
    edit(
        locked.config / "distributions.yaml",
        "[lambdacomponents.exporter.one]",
        "[lambdacomponents.exporter.two]",
    )
    difference = (
        "build tags: locked but not here: lambdacomponents.exporter.one; "
        "here but not locked: lambdacomponents.exporter.two"
    )
    refused = locked.build("-d", "one", "--locked")
    assert refused.code == 9
    assert difference in refused.err
    assert list(locked.dist.iterdir()) == []
    built = done(locked.build("-d", "one"))
    assert f"not locked: {difference}" in built.err
    assert ", not locked" in built.out
    assert built_layer(locked)["locked"] is False
    assert locked.entry().zips == {}


def test_a_changed_overlay_and_collector_config_are_reported(locked: Place) -> None:
    (locked.config / "overlay").mkdir()
    (locked.config / "overlay" / "more.go").write_text("package main\n")
    (locked.config / "collector.yaml").write_text("receivers: {}\n")
    edit(
        locked.config / "distributions.yaml",
        "one:\n  buildtags",
        "one:\n  config-file: collector.yaml\n  buildtags",
    )
    ran = locked.build("-d", "one", "--locked")
    assert ran.code == 9
    assert re.search(r"files laid over upstream's: locked none, here [0-9a-f]{64}", ran.err)
    assert re.search(r"collector config: locked none, here [0-9a-f]{64}", ran.err)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("-r", "sample"), "has no entry for this distribution, upstream repository and ref"),
        (("-b", "feature"), "has no entry for this distribution, upstream repository and ref"),
    ],
)
def test_what_is_locked_for_another_upstream_or_ref_is_not_locked(
    more: tuple[str, ...], sentence: str, locked: Place
) -> None:
    git(locked.repository, "branch", "feature", "main")
    if "sample" in more:
        shutil.copytree(CONFIG, locked.config, dirs_exist_ok=True)
    distribution = "minimal" if "sample" in more else "one"
    ran = locked.on("build", "-d", distribution, "--locked", *more)
    assert ran.code == 9
    assert sentence in ran.err


def newer(place: Place) -> tuple[str, str]:
    """Let main move on; the commit before and the new one."""
    before = git(place.repository, "rev-parse", "main")
    return before, place.grow({"config.yaml": b"exporters: {}\n"}, start=before, time=1_700_000_100)


def test_a_build_keeps_to_the_locked_commit_until_an_upgrade(locked: Place) -> None:
    before, after = newer(locked)
    kept = done(locked.build("-d", "one", "--locked"))
    assert f"main has moved on to {after[:12]}; the lock keeps to {before[:12]}" in kept.err
    assert built_layer(locked)["upstream"]["commit"] == before
    again = done(locked.on("lock", "--json"))
    assert set(statuses(again).values()) == {"unchanged"}
    upgraded = done(locked.on("lock", "-d", "one", "--upgrade", "--json"))
    assert statuses(upgraded) == {"one": "changed"}
    assert f"upstream: locked at {before}, here {after}" in upgraded.out
    done(locked.build("-d", "one", "--locked"))
    assert built_layer(locked)["upstream"]["commit"] == after
    assert locked.entry("two").commit == before


def test_a_tag_that_was_moved_is_an_error_with_both_commits(place: Place) -> None:
    git(place.repository, "tag", "v1", "main")
    done(place.on("lock", "-b", "v1", "-d", "one"))
    before, after = newer(place)
    git(place.repository, "tag", "--force", "v1", "main")
    for ran in (
        place.build("-b", "v1", "-d", "one"),
        place.on("lock", "-b", "v1", "-d", "one"),
        place.on("bundle", "-b", "v1", "-d", "one"),
    ):
        assert ran.code == 9
        assert "the tag v1 of ./upstream was moved after it was locked" in ran.err
        assert f"locked: {before}" in ran.err
        assert f"now:    {after}" in ran.err
    assert list(place.dist.iterdir()) == []
    done(place.on("lock", "-b", "v1", "-d", "one", "--upgrade"))
    done(place.build("-b", "v1", "-d", "one", "--locked"))
    assert built_layer(place)["upstream"]["commit"] == after


def test_an_annotated_tag_is_locked_at_its_commit(place: Place) -> None:
    git(place.repository, "tag", "--annotate", "--message", "v2", "v2", "main")
    done(place.on("lock", "-b", "v2", "-d", "one"))
    assert place.entry().commit == git(place.repository, "rev-parse", "v2^{commit}")
    done(place.on("lock", "-b", "v2", "-d", "one", "--check"))


def test_another_commit_in_the_lock_than_the_requested_one_is_refused(place: Place) -> None:
    before, after = newer(place)
    done(place.on("lock", "-b", before, "-d", "one"))
    edit(place.lock_file, f'commit = "{before}"', f'commit = "{after}"')
    ran = place.build("-b", before, "-d", "one")
    assert ran.code == 9
    assert f"locked: {after}" in ran.err
    assert f"now:    {before}" in ran.err
    assert list(place.dist.iterdir()) == []


def test_an_upstream_out_of_reach_is_built_from_the_cache_as_it_was_locked(place: Place) -> None:
    with GitServer(root=place.root) as server:
        url = server.url(place.repository)
        done(place.run("lock", "-r", url, "-d", "one"))
    ran = place.run("build", "-r", url, "-d", "one", "-a", "amd64")
    commit = place.entry().commit
    assert f"building the locked commit {commit[:12]}" in done(ran).err
    assert built_layer(place)["locked"] is True
    assert built_layer(place)["upstream"]["commit"] == commit


def test_a_branch_that_is_gone_is_built_as_it_was_locked(locked: Place) -> None:
    git(locked.repository, "branch", "--move", "main", "trunk")
    ran = locked.build("-d", "one")
    assert "no branch or tag 'main'" in done(ran).err
    assert ", locked" in ran.out


def test_a_digest_edited_by_hand_is_an_error_with_both_values(locked: Place) -> None:
    done(locked.build("-d", "one"))
    digest = built_layer(locked)["sha256"]
    shutil.rmtree(locked.dist)
    edit(locked.lock_file, digest, "1" * 64)
    for more in ((), ("--locked",), ("--rebuild",)):
        ran = locked.build("-d", "one", *more)
        assert ran.code == 9
        assert f"locked: sha256 {'1' * 64}" in ran.err
        assert f"built:  sha256 {digest}" in ran.err
        assert list(locked.dist.iterdir()) == []


def test_a_broken_lock_is_reported_by_every_command_and_left_alone(locked: Place) -> None:
    broken = locked.lock_file.read_text() + "<<<<<<< ours\n"
    locked.lock_file.write_text(broken)
    for command in ("build", "lock", "bundle"):
        ran = locked.on(command, "-d", "one")
        assert ran.code == 9
        assert f"{locked.lock_file} is not TOML" in ran.err
    assert locked.lock_file.read_text() == broken


def sums(entry: Locked) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in entry.go_sum)


@pytest.mark.parametrize("warm", [True, False])
def test_a_sum_edited_by_hand_is_refused_by_go_with_both_values(warm: bool, locked: Place) -> None:  # noqa: FBT001
    own, other = sums(locked.entry("mine"))[f"{MINE} v1.0.0"], f"h1:{'A' * 43}="
    edit(locked.lock_file, own, other)
    if not warm:
        shutil.rmtree(locked.cache)
        own_cache(locked.cache)
    ran = locked.build("-d", "mine")
    assert ran.code == 5
    for sentence in ("checksum mismatch", own, other, "SECURITY ERROR"):
        assert sentence in ran.err
    assert list(locked.dist.iterdir()) == []


def test_a_sum_that_was_taken_out_is_more_than_the_lock_has(locked: Place) -> None:
    lines = locked.lock_file.read_text().splitlines(keepends=True)
    locked.lock_file.write_text("".join(line for line in lines if f'"{MINE} v1' not in line))
    ran = locked.build("-d", "mine")
    assert ran.code == 9
    assert "needs more than the lock has" in ran.err
    assert "missing go.sum entry" in ran.err


def test_a_module_that_was_published_again_is_reported_with_both_values(locked: Place) -> None:
    before = sums(locked.entry("mine"))[f"{MINE} v1.0.0"]
    serve_module(locked.proxy, "altered")
    shutil.rmtree(locked.cache)
    own_cache(locked.cache)
    built = locked.build("-d", "mine")
    assert built.code == 5
    assert "SECURITY ERROR" in built.err
    (now,) = set(re.findall(r"h1:[A-Za-z0-9+/]{43}=", built.err)) - {before}
    assert before in built.err

    edit(
        locked.config / "distributions.yaml",
        "exporter.mine]",
        "exporter.mine, lambdacomponents.exporter.two]",
    )
    relocked = locked.on("lock", "-d", "mine")
    assert relocked.code == 9
    assert f"{MINE} v1.0.0: locked {before}, now {now}" in relocked.err
    assert sums(locked.entry("mine"))[f"{MINE} v1.0.0"] == before
    done(locked.on("lock", "-d", "mine", "--upgrade"))
    assert sums(locked.entry("mine"))[f"{MINE} v1.0.0"] == now
    done(locked.build("-d", "mine", "--locked"))


def test_a_distribution_whose_module_cannot_be_had_holds_up_no_other(place: Place) -> None:
    shutil.rmtree(place.proxy / "example.com")
    ran = place.on("lock")
    assert ran.code == 5
    assert "error: mine: modules: " in ran.err
    assert "no such file" in ran.err
    assert re.search(r"mine .* failed", ran.out)
    assert [each.distribution for each in place.lock.locked] == ["one", "two"]


def test_a_distribution_with_an_unknown_component_holds_up_no_other(place: Place) -> None:
    text = DISTRIBUTIONS.replace("exporter.two]", "exporter.tow]")
    (place.config / "distributions.yaml").write_text(text)
    ran = place.on("lock")
    assert ran.code == 3
    assert "error: two: 1 problem" in ran.err
    assert "lambdacomponents.exporter.tow" in ran.err
    assert [each.distribution for each in place.lock.locked] == ["mine", "one"]


def test_builds_at_once_note_all_their_digests_in_one_lock(locked: Place) -> None:
    """Two distributions, and of one of them both architectures by builds of their own."""
    wanted = [("one", "amd64"), ("one", "arm64"), ("two", "amd64")]
    processes = [
        subprocess.Popen(
            [
                *(str(OCELOT), "build", "-d", name, "-a", architecture, "-r", "./upstream"),
                "--config",
                str(locked.config),
            ],
            env=environment(locked.cache, {"GOPROXY": locked.proxy.as_uri(), "GOSUMDB": "off"}),
            cwd=locked.root,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for name, architecture in wanted
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    layers = json.loads((locked.dist / "manifest.json").read_text())["layers"]
    noted = {(name, each): locked.entry(name).zips.get(each) for name, each in wanted}  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert noted == {
        (layer["distribution"], layer["architecture"]): layer["sha256"] for layer in layers
    }


def test_the_lock_holds_for_a_folder_without_git_too(place: Place) -> None:
    folder = place.root / "folder"
    for name, content in COLLECTOR.items():
        path = folder / "collector" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    done(place.run("lock", "-r", "./folder", "-d", "one"))
    locked = place.entry().commit
    edit(folder / "collector" / "config.yaml", "receivers", "exporters")
    ran = place.run("build", "-r", "./folder", "-d", "one", "--locked")
    assert ran.code == 9
    assert re.search(rf"upstream: locked at {locked}, here [0-9a-f]{{40}}", ran.err)


def test_upgrade_and_check_exclude_each_other(place: Place) -> None:
    ran = place.on("lock", "--upgrade", "--check")
    assert ran.code == 2
    assert "--upgrade and --check exclude each other" in ran.err
