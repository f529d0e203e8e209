"""The bench as a gate of the Dagger module's functions, against a stand-in engine and an AWS."""

from __future__ import annotations

import json
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import broken_layers as made
import pytest
from dagger_client import needs_schema, with_client
from dagger_engine import Engine, ExecFailed, Node
from dagger_module import (
    MINIMAL,
    Values,
    always,
    called,
    executed,
    fails,
    is_bench,
    mounted,
    platform_of,
    stdout,
    tried,
)
from module_publishing import answers, by_key, exported, handed_out, layers, use_aws_here
from publish_examples import dist, write_manifest
from publishing import IRELAND, Publishing
from runs import CONFIG, OCELOT
from unit_examples import layer

from pipeline.build.manifest import FILE_NAME, read_manifest
from pipeline.naming import layer_arn

pytestmark = needs_schema

OURS = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
FILE = f"collector-{OURS}-minimal.zip"
runs_layers = pytest.mark.skipif(not OURS, reason=f"no layer runs on {platform.machine()}")


@pytest.fixture(autouse=True)
def _answers(  # pyright: ignore[reportUnusedFunction]
    engine: Engine, publishing: Publishing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(engine, publishing, tmp_path, monkeypatch)


def benches(engine: Engine) -> list[Node]:
    """The containers in which the bench ran."""
    return [
        each.node
        for each in engine.asked
        if each.name == "Container.stdout" and is_bench(each.node)
    ]


def offer(engine: Engine, content: bytes) -> None:
    """Have a caller hand over one layer with that extension."""

    def folder(node: Node, given: Values) -> str:
        path = Path(given["path"])
        if path.name != "layers":
            return str(exported(node, given))
        written = made.layer(path / FILE, content).read_bytes()
        one = layer(FILE, written).model_copy(update={"distribution": "default"})
        write_manifest(path, [one])  # Python would be over the budget of minimal
        return str(path)

    engine.answer("Directory.export", folder)


def bench_for_real(engine: Engine) -> None:
    """Have the bench in a container be a bench on this machine."""

    @cache
    def ran(node: Node) -> subprocess.CompletedProcess[str]:
        words = [
            word for word in node.calls("withExec")[-1].arguments["args"][3:] if "/" not in word
        ]
        command = [str(OCELOT), *words[1:], f"--config={CONFIG}", *map(str, tried(node))]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    engine.answer("Container.exitCode", lambda node, _: ran(node).returncode)
    engine.answer("Container.stderr", lambda node, _: ran(node).stderr)
    engine.answer(
        "Container.stdout",
        lambda node, given: ran(node).stdout if is_bench(node) else stdout(node, given),
    )


def rows(publishing: Publishing, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What the registry says that the bench found."""
    use_aws_here(publishing, monkeypatch)
    found = [publishing.registry().row(layer_arn(each["arn"])) for each in handed_out()["targets"]]
    return {getattr(row, "benched", "there is no row") for row in found}


def manifest_of(folder: Path) -> list[str]:
    manifest = read_manifest(folder / FILE_NAME)
    assert manifest
    return [each.benched for each in manifest.layers]


@runs_layers
def test_a_layer_that_does_not_run_is_not_published(engine: Engine, publishing: Publishing) -> None:
    offer(engine, made.EXITS_AT_ONCE)
    bench_for_real(engine)
    told = fails(engine, "publish", layers=layers, **by_key(publishing))
    assert told.startswith(f"{FILE}: extensions/collector exits at once\n")
    assert "\n  cannot go on\nnext: " in told
    assert publishing.writes() == []


@runs_layers
def test_a_layer_that_runs_is_published_and_that_is_recorded(
    engine: Engine, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(engine, made.WELL)
    bench_for_real(engine)
    with_client(called("publish", layers=layers, **by_key(publishing)))
    assert engine.invalid == []
    assert rows(publishing, monkeypatch) == {"passed"}


def test_each_layer_is_tried_for_a_moment_on_its_architecture(
    engine: Engine, publishing: Publishing
) -> None:
    with_client(called("publish", layers=layers, **by_key(publishing)))
    assert engine.invalid == []
    ran = benches(engine)
    assert [platform_of(node) for node in ran] == ["linux/amd64", "linux/arm64"]
    for node in ran:
        words = node.calls("withExec")[-1].arguments["args"]
        assert {"--starts=3", "--invocations=3", "--json"} <= set(words)
        assert [path.name for path in tried(node)] == [words[-1].removeprefix("/layers/")]
    assert [node for node in ran[0].walk() if node.type == "Secret"] == []


@pytest.mark.parametrize("function", ["build", "publish", "release"])
def test_what_a_layer_is_compared_with_is_compiled_in_the_image_that_is_named(
    engine: Engine, publishing: Publishing, function: str
) -> None:
    given: dict[str, dict[str, Any]] = {
        "build": {**MINIMAL, "bench": True},
        "publish": {"layers": layers, **by_key(publishing)},
        "release": {**MINIMAL, **by_key(publishing)},
    }
    image = "mirror.example:5000/golang:1"
    with_client(called(function, **given[function], go_image=image))
    assert engine.invalid == []
    native, *emulated = benches(engine)
    assert "--reference=/reference" in native.calls("withExec")[-1].arguments["args"]
    assert mounted(native)["/reference"].calls("from")[0].arguments["address"] == image
    assert [mounted(node) for node in emulated] == [{} for _ in emulated]


def test_without_the_bench_it_is_published_and_that_is_recorded(
    engine: Engine, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_client(called("publish", layers=layers, **by_key(publishing), no_bench=True))
    assert benches(engine) == []
    assert rows(publishing, monkeypatch) == {"skipped: --no-bench"}


def test_a_dry_run_runs_nothing(engine: Engine, publishing: Publishing) -> None:
    with_client(called("publish", layers=layers, **by_key(publishing), dry_run=True))
    assert benches(engine) == []


def test_what_has_passed_is_not_run_again(
    engine: Engine, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def passed_before(node: Node, given: Values) -> str:
        path = Path(given["path"])
        if path.name == "layers":
            manifest = read_manifest(dist(path) / FILE_NAME)
            assert manifest
            one, other = manifest.layers
            write_manifest(path, [one.model_copy(update={"benched": "passed"}), other])
            return str(path)
        return str(exported(node, given))

    engine.answer("Directory.export", passed_before)
    with_client(called("publish", layers=layers, **by_key(publishing)))
    assert [path.name for node in benches(engine) for path in tried(node)] == [
        "collector-arm64-minimal.zip"
    ]
    assert rows(publishing, monkeypatch) == {"passed"}


def test_what_the_engine_cannot_run_is_published_with_the_reason(
    engine: Engine, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(node: Node, given: Values) -> None:
        if platform_of(node) == "linux/arm64":
            raise ExecFailed(given["args"], 2, stderr="[dumb-init] pip: Exec format error")

    engine.answer("Container.withExec", step)
    with_client(called("publish", layers=layers, **by_key(publishing)))
    assert engine.invalid == []
    assert rows(publishing, monkeypatch) == {
        "passed",
        "skipped: the engine does not run linux/arm64",
    }


def test_a_bench_that_cannot_run_publishes_nothing(engine: Engine, publishing: Publishing) -> None:
    def step(_: Node, given: Values) -> None:
        if given["args"][:2] == ["uv", "sync"]:
            raise ExecFailed(given["args"], 2, stderr="error: no such package")

    engine.answer("Container.withExec", step)
    told = fails(engine, "publish", layers=layers, **by_key(publishing))
    assert "the bench has no container for amd64" in told
    assert publishing.writes() == []


def test_a_bench_that_is_silent_on_a_layer_publishes_nothing(
    engine: Engine, publishing: Publishing
) -> None:
    def silent(node: Node, given: Values) -> str:
        return '{"layers": []}' if is_bench(node) else stdout(node, given)

    engine.answer("Container.stdout", silent)
    told = fails(engine, "publish", layers=layers, **by_key(publishing))
    assert "the bench told nothing of collector-amd64-minimal.zip" in told
    assert publishing.writes() == []


def test_a_zip_that_its_manifest_does_not_know_is_not_run(
    engine: Engine, publishing: Publishing
) -> None:
    def changed(node: Node, given: Values) -> str:
        path = Path(str(exported(node, given)))
        for each in path.glob("*.zip"):
            each.write_bytes(each.read_bytes() + b"more")
        return str(path)

    engine.answer("Directory.export", changed)
    told = fails(engine, "publish", layers=layers, **by_key(publishing))
    assert "it was changed after it was built" in told
    assert benches(engine) == []


def test_who_may_not_publish_runs_nothing(engine: Engine, publishing: Publishing) -> None:
    fails(engine, "publish", layers=layers, endpoint_url=publishing.aws.url, regions=IRELAND)
    assert benches(engine) == []


def test_a_release_hands_out_and_records_that_its_layer_passed(
    engine: Engine, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = engine.node(with_client(called("release", **MINIMAL, **by_key(publishing))))
    assert engine.invalid == []
    assert manifest_of(Path.cwd() / ".ocelot" / "dist") == ["passed"]
    assert rows(publishing, monkeypatch) == {"passed"}
    # in a session the engine reads a folder of ours but once
    paths = [node.arguments["path"] for node in result.walk() if node.field == "workdir"]
    assert ".ocelot/dist" in paths
    (bench,) = benches(engine)
    assert not set(paths) & {
        node.arguments["path"] for node in bench.walk() if node.field == "workdir"
    }


def test_a_release_that_fails_hands_out_and_writes_nothing(
    engine: Engine, publishing: Publishing
) -> None:
    engine.answer("Container.exitCode", lambda node, _: 15 if is_bench(node) else 0)
    engine.answer("Container.stderr", always("error: the disk is full"))
    engine.answer(
        "Container.stdout", lambda node, given: "" if is_bench(node) else stdout(node, given)
    )
    told = fails(engine, "release", **MINIMAL, **by_key(publishing))
    assert "  error: the disk is full" in told
    assert len(executed(engine)) == 1
    assert publishing.writes() == []


def test_a_release_without_the_bench_says_so(
    engine: Engine, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_client(called("release", **MINIMAL, **by_key(publishing), no_bench=True))
    assert benches(engine) == []
    assert manifest_of(Path.cwd() / ".ocelot" / "dist") == ["skipped: --no-bench"]
    assert rows(publishing, monkeypatch) == {"skipped: --no-bench"}


@pytest.mark.parametrize(("given", "noted"), [({}, ""), ({"bench": True}, "passed")])
def test_a_build_runs_its_layers_where_that_is_asked(
    engine: Engine, given: dict[str, Any], noted: str
) -> None:
    result = engine.node(with_client(called("build", **MINIMAL, **given)))
    assert engine.invalid == []
    assert manifest_of(Path.cwd() / result.arguments["path"]) == [noted, noted]
    assert len(benches(engine)) == (2 if given else 0)


@runs_layers
def test_a_build_hands_out_nothing_that_does_not_run(engine: Engine) -> None:
    bench_for_real(engine)
    told = fails(engine, "build", **MINIMAL, architecture=OURS, bench=True)
    assert FILE in told
    assert json.loads((Path.cwd() / ".ocelot" / "dist" / FILE_NAME).read_text())
    assert manifest_of(Path.cwd() / ".ocelot" / "dist")[0].startswith("failed: ")
