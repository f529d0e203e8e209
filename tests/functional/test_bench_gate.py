"""The gate before publishing: a layer that does not run is not published, and results are noted."""

from __future__ import annotations

import json
import platform
import shutil
import struct
from pathlib import Path
from typing import Any

import broken_layers as made
import pytest
from aws_server import ACCOUNT
from publish_examples import write_manifest
from publishing import IRELAND, Publishing
from runs import CONFIG, Built, Ocelot, Ran, fresh_cache, run_ocelot
from unit_examples import layer

from pipeline.layer.manifest import FILE_NAME, Start, read_manifest
from pipeline.naming import layer_arn
from pipeline.registry.row import Row

ARN_IRELAND = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
pytestmark = pytest.mark.skipif(not ARN_IRELAND, reason=f"no layer runs on {platform.machine()}")
FILE = f"collector-{ARN_IRELAND}-minimal.zip"


def offered(publishing: Publishing, content: bytes, distribution: str = "default") -> Path:
    """Write a layer with that extension, and its manifest; return the folder."""
    folder = publishing.folder / "own"
    path = made.layer(folder / FILE, content)
    one = layer(FILE, path.read_bytes()).model_copy(update={"distribution": distribution})
    write_manifest(folder, [one])
    return folder


def with_go(cache: Path) -> Path:
    """Return the cache filled with Go's: to compile the reference without it takes a minute."""
    return cache if (cache / "go").exists() else fresh_cache(cache)


def publish(publishing: Publishing, zips: Path, *more: str, config: Path = CONFIG) -> Ran:
    command = ["publish", zips, "--regions", IRELAND, "--config", config, *more]
    return run_ocelot(
        *command,
        cache=with_go(publishing.folder / "cache"),
        env=publishing.aws.environment(),
        cwd=publishing.folder,
    )


def noted(folder: Path) -> list[str]:
    manifest = read_manifest(folder / FILE_NAME)
    assert manifest is not None
    return [each.benched for each in manifest.layers]


def row_of(publishing: Publishing) -> Row:
    listed: Any = publishing.client().list_layers()["Layers"]
    (name,) = [each["LayerName"] for each in listed]
    row = publishing.registry().row(layer_arn(f"arn:aws:lambda:{IRELAND}:{ACCOUNT}:layer:{name}:1"))
    assert isinstance(row, Row)
    return row


def test_a_layer_that_does_not_run_is_not_published(publishing: Publishing) -> None:
    folder = offered(publishing, made.EXITS_AT_ONCE)
    ran = publish(publishing, folder)
    assert ran.code == 15
    assert "extensions/collector exits at once" in ran.err
    assert publishing.writes() == []
    assert noted(folder) == ["failed: exits at once"]


def test_a_layer_that_runs_is_published_and_that_is_recorded(publishing: Publishing) -> None:
    folder = offered(publishing, made.WORKS)
    ran = publish(publishing, folder)
    assert ran.code == 0, ran.err
    assert "start 1 of 3" in ran.err
    assert row_of(publishing).benched == "passed"
    assert noted(folder) == ["passed"]
    again = publish(publishing, folder)
    assert again.code == 0, again.err
    assert "start 1 of 3" not in again.err


def test_a_layer_over_its_budget_is_not_published(publishing: Publishing) -> None:
    config = shutil.copytree(CONFIG, publishing.folder / "config")
    (config / "budgets.yaml").write_text("minimal: {cpu-to-ready: 1}\n")  # Python takes more
    folder = offered(publishing, made.WORKS, "minimal")
    ran = publish(publishing, folder, config=config)
    assert ran.code == 15
    assert "takes more than its budget to start" in ran.err
    assert "CPU to ready: " in ran.err
    assert publishing.writes() == []
    assert noted(folder) == ["failed: takes more than its budget to start"]


def test_without_the_bench_it_is_published_and_that_is_recorded(publishing: Publishing) -> None:
    folder = offered(publishing, made.EXITS_AT_ONCE)
    ran = publish(publishing, folder, "--no-bench")
    assert ran.code == 0, ran.err
    assert "no layer was run on the bench: --no-bench" in ran.err
    assert row_of(publishing).benched == "skipped: --no-bench"
    assert noted(folder) == ["skipped: --no-bench"]


def test_a_dry_run_runs_nothing(publishing: Publishing) -> None:
    folder = offered(publishing, made.EXITS_AT_ONCE)
    ran = publish(publishing, folder, "--dry-run")
    assert ran.code == 0, ran.err
    assert noted(folder) == [""]


def test_a_layer_that_cannot_run_here_is_published_with_the_reason(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no qemu there
    other, machine = ("arm64", 0xB7) if ARN_IRELAND == "amd64" else ("amd64", 0x3E)
    file = f"collector-{other}-minimal.zip"
    header = b"\x7fELF\x02\x01".ljust(18, b"\0") + struct.pack("<H", machine)
    folder = publishing.folder / "own"
    path = made.layer(folder / file, header)
    write_manifest(folder, [layer(file, path.read_bytes())])
    ran = publish(publishing, folder)
    assert ran.code == 0, ran.err
    assert row_of(publishing).benched.startswith(f"skipped: {other} does not run on ")
    assert "qemu-user" in ran.err


def test_a_build_with_the_bench_notes_that_it_passed(built: Built, tmp_path: Path) -> None:
    command = ["build", "-d", "minimal", "-a", ARN_IRELAND, "-r", "sample", "-o", tmp_path / "dist"]
    command += ["--config", CONFIG, "--json"]
    ran = run_ocelot(*command, "--bench", cache=built.cache, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert [each["benched"] for each in json.loads(ran.out)["layers"]] == ["passed"]
    again = run_ocelot(*command, cache=built.cache, cwd=tmp_path)
    assert "start 1 of 3" not in again.err
    assert [each["benched"] for each in again.manifest["layers"]] == ["passed"]
    starts = [each["start"] for each in again.manifest["layers"]]
    assert starts == [each["start"] for each in json.loads(ran.out)["layers"]]
    assert starts[0]["starts"] == 3
    assert starts[0]["cpu_times"] > 1
    assert starts[0]["memory_times"] > 1


def test_a_layer_is_compared_with_an_earlier_manifest(
    built: Built, ocelot: Ocelot, tmp_path: Path
) -> None:
    content = (built.folder / FILE).read_bytes()
    start = Start(starts=3, cpu=0.1, memory=9, cpu_times=1000.0, memory_times=0.5)
    noted = layer(FILE, b"another").model_copy(update={"start": start})
    write_manifest(tmp_path / "earlier", [noted])
    (tmp_path / FILE).write_bytes(content)
    command = ["bench", tmp_path / FILE, "--starts", "1"]
    command += ["--against", tmp_path / "earlier" / FILE_NAME]
    ran = ocelot(*command)
    assert ran.code == 0, ran.err
    assert "CPU to ready, times **" in ran.out
    assert "as noted" in ran.out
    assert " 1000.0" in ran.out
    assert ", 0.0" in ran.out  # times
    (result,) = json.loads(ocelot(*command, "--json").out)["layers"]
    assert result["earlier"] == start.model_dump()
    assert result["start"]["cpu_times"] < 1000


def test_a_file_that_is_no_manifest_is_refused(
    built: Built, ocelot: Ocelot, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text("{}")
    ran = ocelot("bench", built.folder / FILE, "--against", tmp_path / "a.json")
    assert ran.code == 2
    assert "a.json is no manifest" in ran.err


def test_the_gate_alone_notes_results_and_runs_no_layer_again_that_passed(
    built: Built, tmp_path: Path
) -> None:
    folder = tmp_path / "dist"
    shutil.copytree(built.folder, folder)

    def gate() -> Ran:
        command = ["bench", folder / FILE, "--gate", "--config", CONFIG]
        return run_ocelot(*command, cache=built.cache, cwd=tmp_path)

    assert gate().code == 0
    assert noted(folder)[0 if ARN_IRELAND == "amd64" else 1] == "passed"
    before = (folder / FILE_NAME).read_bytes()
    again = gate()
    assert again.code == 0
    assert again.out == f"{FILE}: passed\n"
    assert "start 1" not in again.err
    assert (folder / FILE_NAME).read_bytes() == before
    (folder / FILE_NAME).unlink()
    assert gate().code == 2
