"""Both zips of the sample, built by the command line, opened, checked and run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from extensions_api import IDENTIFIER, extensions_api
from runs import CONFIG, GO_CACHES, OCELOT, Built, Ocelot, environment, fresh_cache, go, run_ocelot
from tiny import own_cache

from pipeline import paths
from pipeline.build.tuning import tuning_tag

AMD64, ARM64 = "collector-amd64-minimal.zip", "collector-arm64-minimal.zip"
X86_64_MACHINE, AARCH64_MACHINE = 62, 183


def unpack(path: Path, into: Path) -> Path:
    """Unpack as Lambda does, with the modes that the zip gives."""
    with zipfile.ZipFile(path) as layer:
        for info in layer.infolist():
            target = Path(layer.extract(info, into))
            target.chmod(info.external_attr >> 16 & 0o777)
    return into


def module_info(binary: Path) -> str:
    return go("version", "-m", binary, cwd=binary.parent)


def elf_machine(binary: bytes) -> int:
    assert binary[:6] == b"\x7fELF\x02\x01"
    return struct.unpack_from("<H", binary, 18)[0]


def start_collector(
    opt: Path, address: str, config: Path | None = None, more: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [opt / "extensions" / "collector"],
        env={
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_SAM_LOCAL": "true",
            "OPENTELEMETRY_COLLECTOR_CONFIG_URI": str(
                config or opt / "collector-config" / "config.yaml"
            ),
            **(more or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def runs_until_shutdown(
    opt: Path, config: Path | None = None, more: Mapping[str, str] | None = None
) -> str:
    """Start the extension, let it register, shut it down; what it printed."""
    with extensions_api() as api:
        collector = start_collector(opt, api.address, config, more)
        try:
            headers, body = api.received("register")
            assert headers["Lambda-Extension-Name"] == "collector"
            assert set(body["events"]) == {"INVOKE", "SHUTDOWN"}
            headers, _ = api.received("event/next")
            assert headers["Lambda-Extension-Identifier"] == IDENTIFIER
            api.events.put({"eventType": "SHUTDOWN", "shutdownReason": "spindown"})
            output, _ = collector.communicate(timeout=20)
        finally:
            collector.kill()
            collector.wait()
        assert collector.returncode == 0, output
    return output


def with_evidence(*zips: str) -> list[str]:
    """The names in an output folder with those zips."""
    stems = [name.removesuffix(".zip") for name in zips]
    beside = [f"{stem}.{kind}" for stem in stems for kind in ("cdx.json", "intoto.json", "zip")]
    return sorted([*beside, "manifest.json"])


def test_the_output_folder_has_the_zips_their_evidence_and_the_manifest_and_nothing_else(
    built: Built,
) -> None:
    assert sorted(path.name for path in built.folder.iterdir()) == with_evidence(AMD64, ARM64)


@pytest.mark.parametrize("name", [AMD64, ARM64])
def test_a_zip_holds_the_extension_and_its_config(built: Built, name: str) -> None:
    with zipfile.ZipFile(built.folder / name) as layer:
        assert layer.testzip() is None
        modes = {info.filename: oct(info.external_attr >> 16) for info in layer.infolist()}
    assert modes == {
        "collector-config/config.yaml": "0o100644",
        "extensions/collector": "0o100755",
    }


def test_the_amd64_extension_registers_waits_and_shuts_down(built: Built, tmp_path: Path) -> None:
    runs_until_shutdown(unpack(built.folder / AMD64, tmp_path))


def test_each_binary_is_for_its_machine(built: Built) -> None:
    machines: list[int] = []
    for name in (AMD64, ARM64):
        with zipfile.ZipFile(built.folder / name) as layer:
            machines.append(elf_machine(layer.read("extensions/collector")))
    assert machines == [X86_64_MACHINE, AARCH64_MACHINE]


@pytest.mark.parametrize("name", [AMD64, ARM64])
def test_a_binary_is_compiled_as_the_manifest_says(built: Built, name: str, tmp_path: Path) -> None:
    layer = next(each for each in built.ran.manifest["layers"] if each["file"] == name)
    info = module_info(unpack(built.folder / name, tmp_path) / "extensions" / "collector")
    assert f"go{layer['go']['version']}" in info
    command = layer["go"]["command"]
    tags = command[command.index("-tags") + 1]
    assert f"-tags={tags}" in info
    assert {*layer["build_tags"], *map(tuning_tag, layer["tunings"])} <= {*tags.split(",")}
    for setting in ("-trimpath=true", "CGO_ENABLED=0", f"GOARCH={layer['architecture']}"):
        assert setting in info
    assert "debugexporter" not in info  # minimal does not name it


def test_no_path_of_this_machine_is_in_a_binary(built: Built, tmp_path: Path) -> None:
    binary = unpack(built.folder / AMD64, tmp_path) / "extensions" / "collector"
    content = binary.read_bytes()
    assert str(paths.cache_folder()).encode() not in content
    assert b"/ocelot-" not in content


def test_the_manifest_fits_its_schema_and_the_files(built: Built) -> None:
    manifest = json.loads((built.folder / "manifest.json").read_text())
    jsonschema.validate(manifest, json.loads((CONFIG / "manifest.schema.json").read_text()))
    assert built.ran.manifest == manifest
    for layer in manifest["layers"]:
        content = (built.folder / layer["file"]).read_bytes()
        digest = hashlib.sha256(content)
        assert layer["sha256"] == digest.hexdigest()
        assert layer["code_sha256"] == base64.b64encode(digest.digest()).decode()
        assert layer["size"] == len(content)
        with zipfile.ZipFile(built.folder / layer["file"]) as zipped:
            assert layer["unzipped_size"] == sum(info.file_size for info in zipped.infolist())
        assert layer["collector_version"] == "v0.155.0"
        assert layer["engine"] == "host"


def test_nothing_is_done_again_when_nothing_changed(built: Built, tmp_path: Path) -> None:
    command = ("build", "-d", "minimal", "-r", "sample", "-o", tmp_path / "dist")
    again = run_ocelot(*command, "--config", CONFIG, cache=built.cache, cwd=tmp_path)
    assert again.code == 0
    assert again.err.count("reused: nothing changed") == 2
    assert "compile" not in again.err
    assert "reused" in again.out
    for name in (AMD64, ARM64):
        assert (tmp_path / "dist" / name).read_bytes() == (built.folder / name).read_bytes()


def test_the_table_shows_what_was_built(built: Built, tmp_path: Path) -> None:
    command = ("build", "-d", "minimal", "-r", "sample", "-o", tmp_path / "dist")
    shown = run_ocelot(*command, "--config", CONFIG, cache=built.cache, cwd=tmp_path).out
    for layer in built.ran.manifest["layers"]:
        assert layer["sha256"][:16] in shown
        assert layer["file"] in shown
    assert "minimal: collector v0.155.0 of sample" in shown


def test_one_architecture_alone_gives_the_same_bytes_as_both(built: Built, tmp_path: Path) -> None:
    cache = fresh_cache(tmp_path / "cache")
    command = ("build", "-d", "minimal", "-a", "arm64", "-r", "sample", "-o", tmp_path / "dist")
    alone = run_ocelot(*command, "--config", CONFIG, cache=cache, cwd=tmp_path)
    assert alone.code == 0, alone.err
    assert sorted(path.name for path in (tmp_path / "dist").iterdir()) == with_evidence(ARM64)
    assert (tmp_path / "dist" / ARM64).read_bytes() == (built.folder / ARM64).read_bytes()


def test_a_genuine_custom_component_is_added_and_runs(ocelot: Ocelot, tmp_path: Path) -> None:
    command = ("build", "-d", "minimal-signaltometrics", "-r", "sample", "-o", tmp_path / "dist")
    ran = ocelot(*command, "--json")
    assert ran.code == 0, ran.err
    module = "github.com/open-telemetry/opentelemetry-collector-contrib/connector/"
    module += "signaltometricsconnector"
    for layer in ran.manifest["layers"]:
        assert layer["custom_modules"] == [f"{module}@v0.155.0"]
        opt = unpack(tmp_path / "dist" / layer["file"], tmp_path / layer["architecture"])
        assert module in module_info(opt / "extensions" / "collector")
    config = tmp_path / "collector.yaml"
    config.write_text("""\
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}}
exporters: {otlphttp: {endpoint: "http://127.0.0.1:9"}}
connectors:
  signaltometrics:
    spans:
      - {name: spans, description: all spans, sum: {value: "1"}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [signaltometrics]}
    metrics: {receivers: [signaltometrics], exporters: [otlphttp]}
""")
    runs_until_shutdown(tmp_path / "amd64", config)


def test_the_same_bytes_under_other_conditions(
    built: Built, ocelot: Ocelot, tmp_path: Path
) -> None:
    """Another time zone, umask, locale, folder, order of files, and modules had anew.

    Compiled packages are shared: what a cold compile gives is seen in test_bundles.
    """
    upstream = tmp_path / "elsewhere"
    origin = paths.sample_upstream() / "collector"
    found = sorted((path for path in origin.rglob("*") if path.is_file()), reverse=True)
    for path in found:
        target = upstream / "collector" / path.relative_to(origin)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o600)
        os.utime(target, (1, 1))
    cache = own_cache(tmp_path / "empty")
    downloads = GO_CACHES / "modules" / "cache" / "download"
    conditions = {
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "LANG": "tr_TR.UTF-8",
        "TMPDIR": str(tmp_path),
        "GOFLAGS": "-race -tags=other",
        "GOAMD64": "v3",
        "GOARM64": "v9.0",
        "GOROOT": "/gone",
        "GOEXPERIMENT": "unheardof",
        "GOMEMLIMIT": "a lot",
        "GOPROXY": f"file://{downloads}",
        "GOSUMDB": "off",
    }
    before = os.umask(0o077)
    try:
        ran = ocelot(
            *("build", "-d", "minimal", "-r", upstream, "-o", "out"), env=conditions, cache=cache
        )
    finally:
        os.umask(before)
    assert ran.code == 0, ran.err
    assert "compiled" in ran.out
    for name in (AMD64, ARM64):
        assert (tmp_path / "out" / name).read_bytes() == (built.folder / name).read_bytes()


def test_source_date_epoch_is_the_time_of_every_file(built: Built, tmp_path: Path) -> None:
    command = ("build", "-d", "minimal", "-a", "amd64", "-r", "sample", "-o", tmp_path)
    cache, env = fresh_cache(tmp_path / "cache"), {"SOURCE_DATE_EPOCH": "1700000000"}
    ran = run_ocelot(*command, "--config", CONFIG, cache=cache, env=env, cwd=tmp_path)
    assert ran.code == 0, ran.err
    with zipfile.ZipFile(tmp_path / AMD64) as layer:
        assert {info.date_time for info in layer.infolist()} == {(2023, 11, 14, 22, 13, 20)}
    with zipfile.ZipFile(built.folder / AMD64) as layer:
        assert {info.date_time for info in layer.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_builds_of_two_distributions_at_once_share_a_folder(built: Built, tmp_path: Path) -> None:
    own = tmp_path / "config"
    shutil.copytree(CONFIG, own)
    with (own / "distributions.yaml").open("a") as file:
        file.write("minimal-debug:\n  base: minimal\n")
        file.write("  buildtags: [lambdacomponents.exporter.debug]\n")
    processes = [
        subprocess.Popen(
            [
                *(str(OCELOT), "build", "-d", name, "-r", "sample"),
                *("-o", str(tmp_path / "dist"), "--config", str(own)),
            ],
            env=environment(built.cache),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for name in ("minimal", "minimal-debug")
    ]
    for process in processes:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
    manifest: dict[str, Any] = json.loads((tmp_path / "dist" / "manifest.json").read_text())
    files = [layer["file"] for layer in manifest["layers"]]
    assert files == sorted(
        f"collector-{architecture}-{name}.zip"
        for architecture in ("amd64", "arm64")
        for name in ("minimal", "minimal-debug")
    )
    assert sorted(path.name for path in (tmp_path / "dist").iterdir()) == with_evidence(*files)


def test_github_actions_gets_folds_and_a_summary(built: Built, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    command = ("build", "-d", "minimal", "-r", "sample", "-o", tmp_path / "dist", "--rebuild")
    ran = run_ocelot(*command, "--config", CONFIG, cache=built.cache, env=env, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "amd64: compile: done" in ran.err
    shown = summary.read_text()
    for layer in built.ran.manifest["layers"]:
        assert layer["sha256"] in shown
