"""The module on a real engine: it loads, builds this machine's bytes, and caches its steps."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.folder import load_config

CHECKOUT = Path(__file__).parents[2]
SAMPLE = CHECKOUT / "tests" / "upstream"
ZIPS = ("collector-amd64-minimal.zip", "collector-arm64-minimal.zip")

Call = Callable[..., "subprocess.CompletedProcess[str]"]


def build(dagger: Call, image_options: list[str], output: Path, *more: str) -> float:
    """Seconds of one `dagger call build` of the sample's minimal."""
    started = time.monotonic()
    done = dagger(
        *("call", "build", "--distribution=minimal", f"--upstream={SAMPLE}"),
        *(*image_options, *more, "export", f"--path={output}"),
    )
    assert done.returncode == 0, done.stderr
    return time.monotonic() - started


def test_the_functions_are_listed(dagger: Call) -> None:
    listed = dagger("functions")
    assert listed.returncode == 0, listed.stderr
    for name in (
        *("build", "layer", "binary", "toolchain", "config-check", "components"),
        *("lock", "bundle", "verify", "inspect"),
        *("bench", "publish", "release", "fetch", "sync", "lock-check"),
        *("layers", "used", "reap"),
        *("notes", "github-release", "gitops-image", "gitops-release"),
    ):
        assert name in listed.stdout


def test_the_config_is_checked(dagger: Call) -> None:
    checked = dagger("call", "config-check")
    assert checked.returncode == 0, checked.stderr
    count = len(load_config(CHECKOUT / "config").distributions)
    assert f"{count} distributions" in checked.stdout


def test_the_module_sees_the_sample(dagger: Call, image_options: list[str]) -> None:
    listed = dagger("call", "components", "--upstream-repo=sample", *image_options)
    assert listed.returncode == 0, listed.stderr
    assert "lambdacomponents.receiver.otlp" in listed.stdout


def test_containers_give_the_bytes_of_this_machine_and_nothing_is_done_twice(
    dagger: Call, image_options: list[str], tmp_path: Path
) -> None:
    first = build(dagger, image_options, tmp_path / "dagger")
    ocelot = Path(sys.executable).parent / "ocelot"
    copy = tmp_path / "upstream"  # taken as a folder, as the module takes what it is handed
    shutil.copytree(SAMPLE, copy)
    command = ("build", "-d", "minimal", "-r", copy, "-o", tmp_path / "host")
    subprocess.run([str(ocelot), *map(str, command)], cwd=CHECKOUT, check=True)
    for name in ZIPS:
        digests = {
            hashlib.sha256((tmp_path / engine / name).read_bytes()).hexdigest()
            for engine in ("dagger", "host")
        }
        assert len(digests) == 1, name
    second = build(dagger, image_options, tmp_path / "again")
    for name in ZIPS:
        again, before = tmp_path / "again" / name, tmp_path / "dagger" / name
        assert again.read_bytes() == before.read_bytes()
    # no time is promised, but compiling again would take as long as before
    assert second < first / 2 or first < 60


def locked_config(dagger: Call, image_options: list[str], folder: Path) -> Path:
    """A config folder with the lock that the engine makes of the sample's minimal."""
    config = folder / "config"
    shutil.copytree(CHECKOUT / "config", config)
    options = ("--distribution=minimal", f"--upstream={SAMPLE}", *image_options)
    lock = config / "ocelot.lock"
    done = dagger("call", f"--config={config}", "lock", *options, "export", f"--path={lock}")
    assert done.returncode == 0, done.stderr
    return config


def test_a_locked_build_and_one_from_a_bundle_give_the_same_bytes(
    dagger: Call, image_options: list[str], tmp_path: Path
) -> None:
    build(dagger, image_options, tmp_path / "plain")
    config = locked_config(dagger, image_options, tmp_path)
    given = ("--distribution=minimal", f"--upstream={SAMPLE}", *image_options)
    bundle = tmp_path / "ocelot-bundle.tar.zst"
    locked = dagger(
        *("call", f"--config={config}", "build", *given, "--locked"),
        *("export", f"--path={tmp_path / 'locked'}"),
    )
    assert locked.returncode == 0, locked.stderr
    made = dagger("call", f"--config={config}", "bundle", *given, "export", f"--path={bundle}")
    assert made.returncode == 0, made.stderr
    bundled = dagger(
        *("call", "build", "--distribution=minimal", f"--bundle={bundle}", *image_options),
        *("export", f"--path={tmp_path / 'bundled'}"),
    )
    assert bundled.returncode == 0, bundled.stderr
    for name in ZIPS:
        plain = (tmp_path / "plain" / name).read_bytes()
        assert (tmp_path / "locked" / name).read_bytes() == plain
        assert (tmp_path / "bundled" / name).read_bytes() == plain
    layers = json.loads((tmp_path / "locked" / "manifest.json").read_text())["layers"]
    assert [layer["locked"] for layer in layers] == [True, True]


def test_layers_are_verified_by_a_rebuild(
    dagger: Call, image_options: list[str], tmp_path: Path
) -> None:
    build(dagger, image_options, tmp_path / "dist")
    config = locked_config(dagger, image_options, tmp_path)
    given = (f"--layers={tmp_path / 'dist'}", f"--upstream={SAMPLE}", *image_options)
    done = dagger("call", f"--config={config}", "verify", *given, "entries")
    assert done.returncode == 0, done.stderr
    assert "verification.json" in done.stdout


def test_a_bill_of_materials_has_licences_out_of_the_engines_modules(
    dagger: Call, image_options: list[str], tmp_path: Path
) -> None:
    build(dagger, image_options, tmp_path / "dist")
    bill = json.loads((tmp_path / "dist" / "collector-amd64-minimal.cdx.json").read_text())
    licensed = [each for each in bill["components"] if each.get("licenses")]
    assert len(licensed) > 100


def test_release_notes_are_made_of_a_build_and_its_publication(
    dagger: Call, image_options: list[str], tmp_path: Path
) -> None:
    dist, published = tmp_path / "dist", tmp_path / "publish.json"
    build(dagger, image_options, dist)
    layers = json.loads((dist / "manifest.json").read_text())["layers"]
    version = layers[0]["collector_version"].removeprefix("v").replace(".", "_")
    arns = [
        "arn:aws:lambda:eu-west-1:123456789012:layer:"
        f"ocel-{each['architecture']}-minimal-{version}-beta:7"
        for each in layers
    ]
    kept = ("architecture", "distribution", "sha256")
    targets = [
        {**{name: each[name] for name in kept}, "region": "eu-west-1", "ok": True, "arn": arn}
        for each, arn in zip(layers, arns, strict=True)
    ]
    published.write_text(json.dumps({"targets": targets}), encoding="utf-8")
    given = (f"--layers={dist}", f"--published={published}", "--table=none", *image_options)
    done = dagger("call", "notes", *given, "contents")
    assert done.returncode == 0, done.stderr
    assert [each for each in arns if f"`{each}`" not in done.stdout] == []


def test_the_manifest_names_the_engine(
    dagger: Call, image_options: list[str], tmp_path: Path
) -> None:
    build(dagger, image_options, tmp_path / "dist")
    layers = json.loads((tmp_path / "dist" / "manifest.json").read_text())["layers"]
    assert [layer["engine"] for layer in layers] == ["dagger", "dagger"]


def test_an_unknown_distribution_is_the_commands_own_error(
    dagger: Call, image_options: list[str]
) -> None:
    given = (f"--upstream={SAMPLE}", *image_options)
    done = dagger("call", "build", "--distribution=none-such", *given, "entries")
    assert done.returncode != 0
    assert "none-such" in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reap_without_credentials_is_the_commands_own_error(
    dagger: Call, image_options: list[str]
) -> None:
    done = dagger("call", "reap", "--pattern=*", "--table=none", *image_options, "entries")
    assert done.returncode != 0
    assert "credentials" in done.stderr
    assert "next:" in done.stderr


def test_a_compile_error_shows_gos_own_lines(
    dagger: Call, image_options: list[str], tmp_path: Path
) -> None:
    config = tmp_path / "config"
    shutil.copytree(CHECKOUT / "config", config)
    broken = config / "overlay" / "lambdacomponents" / "exporter" / "broken.go"
    broken.parent.mkdir(parents=True)
    broken.write_text("package exporter\n\nfunc init() { undefinedThing() }\n")
    done = dagger(
        *("call", f"--config={config}", "layer", "--distribution=minimal"),
        *(f"--upstream={SAMPLE}", *image_options, "size"),
    )
    assert done.returncode != 0
    assert "broken.go:3:15: undefined: undefinedThing" in done.stderr


@pytest.mark.parametrize("check", ["config-check", "lock-check"])
def test_the_checks_pass(dagger: Call, check: str) -> None:
    done = dagger("call", check)
    assert done.returncode == 0, done.stderr
