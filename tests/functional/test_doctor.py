"""`ocelot doctor`, with programs on a PATH."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from runs import run_ocelot

from pipeline.bench.environment.machine import EMULATORS
from pipeline.doctor import cache_check


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, name: str, *, code: int = 0, says: str = "", seconds: int = 0) -> None:
    """Write a program that waits, prints a text and ends with a code."""
    script = f"#!{sys.executable}\nimport sys, time\ntime.sleep({seconds})\n"
    path = folder / name
    path.write_text(f"{script}print({says!r})\nsys.exit({code})\n")
    path.chmod(0o755)


def doctor(tmp_path: Path, **more: str) -> tuple[int, dict[str, dict[str, str]]]:
    ran = run_ocelot("doctor", "--json", cache=tmp_path / "cache", env=more, cwd=tmp_path)
    found = json.loads(ran.out)
    assert found["ok"] is (ran.code == 0)
    return ran.code, {each["name"]: each for each in found["findings"]}


def test_a_machine_with_everything_can_build(tmp_path: Path) -> None:
    code, found = doctor(tmp_path)
    assert code == 0
    for name in ("Python", "git", "Go", "cache"):
        assert found[name]["state"] == "ok"


def test_a_cache_that_is_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    code, found = doctor(tmp_path)
    assert code == 1
    assert found["cache"]["state"] == "missing"
    assert "OCELOT_CACHE" in found["cache"]["remedy"]


@pytest.mark.parametrize("locked", [".", "layers", "go/modules"])
def test_a_cache_that_cannot_be_written_is_missing(
    locked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`os.access` stands in: a superuser may write to every folder."""
    cache = tmp_path / "cache"
    folder = cache / locked
    folder.mkdir(parents=True)
    monkeypatch.setenv("OCELOT_CACHE", str(cache))
    assert cache_check().state != "missing"

    def access(path: Path, _mode: int) -> bool:
        return path != folder

    monkeypatch.setattr(os, "access", access)
    found = cache_check()
    assert (found.state, found.needed) == ("missing", True)
    assert str(folder) in found.remedy


def test_without_git_a_build_cannot_run(tmp_path: Path, programs: Path) -> None:
    code, found = doctor(tmp_path, PATH=str(programs))
    assert code == 1
    assert found["git"]["state"] == "missing"
    assert found["git"]["remedy"] == "install git"


def test_another_version_of_dagger_is_noted(tmp_path: Path, programs: Path) -> None:
    install(programs, "dagger", says="dagger v0.18.0")
    _, found = doctor(tmp_path, PATH=f"{programs}:{os.environ['PATH']}")
    assert found["Dagger CLI"]["state"] == "note"
    assert "v0.21.8" in found["Dagger CLI"]["remedy"]


def test_no_container_runtime_is_called(tmp_path: Path, programs: Path) -> None:
    """A container runtime that hangs does not matter: only the `dagger` command is run."""
    install(programs, "docker", seconds=60)
    install(programs, "dagger", says=f"dagger v{version('dagger-io')}")
    _, found = doctor(tmp_path, PATH=f"{programs}:{os.environ['PATH']}")
    assert found["Dagger CLI"]["state"] == "ok"
    assert "engine" not in found


def test_an_emulator_of_the_other_architecture_is_found(tmp_path: Path, programs: Path) -> None:
    names = [each for own in EMULATORS.values() for each in own]
    for name in names:
        install(programs, name)
    path = {"PATH": f"{programs}:{os.environ['PATH']}"}
    _, found = doctor(tmp_path, **path)
    assert found["qemu"]["state"] == "ok"
    assert found["qemu"]["found"] in [
        f"{architecture} by {programs / name}" for architecture, (name, _) in EMULATORS.items()
    ]


def test_a_program_that_only_the_bench_needs_may_be_missing(tmp_path: Path, programs: Path) -> None:
    for name in ("git", "uv"):
        install(programs, name, says="1.0")
    code, found = doctor(tmp_path, PATH=str(programs))
    assert code == 0
    assert found["qemu"]["state"] == "missing"
    assert found["qemu"]["remedy"] == "install qemu-user"
    assert not found["qemu"]["needed"]
    assert found["bench"]["state"] == "ok"


@pytest.mark.parametrize(
    ("setting", "finding"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIA-s3cret", "HOME": "/nowhere"}, "AWS"),
        ({"AWS_REGION": "eu-west-1"}, "AWS region"),
        ({"GITHUB_TOKEN": "ghp_s3cret"}, "GitHub"),
        ({"HTTPS_PROXY": "http://me:s3cret@proxy.invalid"}, "proxies"),
    ],
)
def test_settings_are_found_and_secrets_are_not_shown(
    setting: dict[str, str], finding: str, tmp_path: Path
) -> None:
    _, found = doctor(tmp_path, **setting)
    assert found[finding]["state"] == "ok"
    assert "s3cret" not in json.dumps(found)


def test_a_profile_that_does_not_exist_is_shown(tmp_path: Path) -> None:
    code, found = doctor(tmp_path, AWS_PROFILE="acme", AWS_CONFIG_FILE=os.devnull)
    assert code == 0
    assert found["AWS"]["state"] == found["AWS region"]["state"] == "missing"
    assert "acme" in found["AWS"]["found"]


def test_the_region_of_the_profile_is_shown(tmp_path: Path) -> None:
    settings = tmp_path / "config"
    settings.write_text("[profile acme]\nregion = eu-west-3\n")
    named = {"AWS_PROFILE": "acme", "AWS_CONFIG_FILE": str(settings)}
    _, found = doctor(tmp_path, **named)
    assert found["AWS"]["state"] == found["AWS region"]["state"] == "ok"
    assert found["AWS region"]["found"] == "eu-west-3 (of the profile)"
    _, found = doctor(tmp_path, **named, AWS_DEFAULT_REGION="us-east-2")
    assert found["AWS region"]["found"] == "us-east-2"


def test_a_missing_program_is_shown_with_its_remedy(tmp_path: Path, programs: Path) -> None:
    cache, path = tmp_path / "cache", {"PATH": str(programs)}
    ran = run_ocelot("doctor", cache=cache, env=path, cwd=tmp_path)
    assert ran.code == 1
    assert "ocelot build cannot run here" in ran.out
    assert "for reading upstream: install git" in ran.out
