"""The Dagger module's bench, against a stand-in engine that checks every query."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dagger import dag
from dagger_client import needs_schema, with_client
from dagger_engine import Engine, ExecFailed, Node, Refused
from dagger_module import BENCH, Values, always, called, fails, is_bench

from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.run import Result
from pipeline.bench.verdicts import Status
from pipeline.report.bench import bench_json

pytestmark = needs_schema

AMD64, ARM64 = "collector-amd64-minimal.zip", "collector-arm64-minimal.zip"
PLATFORMS = ["linux/amd64", "linux/arm64"]


async def layers() -> str:
    return await dag.directory().with_new_directory("layers").id()


def result(file: str, fault: Fault | None = None) -> Result:
    made = Result(
        path=Path(file),
        sha256=("a" if file == AMD64 else "b") * 64,
        size=1,
        unzipped_size=2,
        architecture=None,
        status=Status.PASSED,
    )
    if fault is None:
        return made
    error = FaultError(fault, f"{file}: extensions/collector", ("its last words",))
    return replace(made, status=Status.FAILED, fault=error)


def benches(engine: Engine, faults: Mapping[str, Fault] | None = None) -> list[Node]:
    """Have the engine answer as if the bench ran; the containers in which it did."""
    ran: list[Node] = []

    def results(node: Node) -> list[Result]:
        words = node.calls("withExec")[-1].arguments["args"]
        names = [Path(word).name for word in words if word.endswith(".zip")]
        return [result(name, (faults or {}).get(name)) for name in names]

    def code(node: Node, _: Values) -> int:
        return 15 if any(each.fault for each in results(node)) else 0

    def told(node: Node, _: Values) -> str:
        assert is_bench(node)
        ran.append(node)
        return bench_json(results(node), against=False)

    engine.answer("Directory.entries", always([AMD64, ARM64, "manifest.json"]))
    engine.answer("Container.exitCode", code)
    engine.answer("Container.stdout", told)
    return ran


def run(**more: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    """What is told of each layer."""
    told = json.loads(with_client(called("bench", layers=layers, **more)))
    return {each["file"]: each for each in told["layers"]}


def variables(node: Node) -> dict[str, str]:
    calls = [each.arguments for each in node.calls("withEnvVariable")]
    return {each["name"]: each["value"] for each in calls}


def test_each_layer_runs_in_a_container_of_its_architecture(engine: Engine) -> None:
    ran = benches(engine)
    told = run(starts=7, invocations=2)
    assert engine.invalid == []
    assert list(told) == [AMD64, ARM64]
    assert [node.calls("container")[0].arguments["platform"] for node in ran] == PLATFORMS
    for node, name in zip(ran, told, strict=True):
        commands = [step.arguments["args"] for step in node.calls("withExec")]
        assert ["uv", "sync", "--locked", "--no-dev", "--group", "bench"] in commands
        own = ["--json", "--config=/config", "--starts=7", "--invocations=2", f"/layers/{name}"]
        assert commands[-1] == [*BENCH, *own]
        assert node.calls("withExec")[-1].arguments["expect"] == "ANY"


def test_the_bench_is_that_of_the_modules_own_sources(engine: Engine) -> None:
    ran = benches(engine)
    run()
    for node in ran:
        (sources,) = node.calls("withDirectory")
        assert sources.arguments["path"] == "/checkout"
        fields = [each.field for each in sources.arguments["source"].chain()]
        assert fields == ["currentModule", "source"]


def test_what_came_of_an_earlier_call_is_not_told_again(engine: Engine) -> None:
    ran = benches(engine)
    run()
    run()
    assert len({variables(node)["OCELOT_AGAIN"] for node in ran}) == 4
    installed = {node.calls("withDirectory")[0].parent for node in ran}
    assert len(installed) == 2  # what was installed is kept


def test_a_config_is_handed_on(engine: Engine) -> None:
    async def collector_config() -> str:
        return await dag.directory().with_new_file("c.yaml", "{}").file("c.yaml").id()

    ran = benches(engine)
    run(collector_config=collector_config)
    for node in ran:
        assert "--collector-config=/collector.yaml" in node.calls("withExec")[-1].arguments["args"]
        (file,) = node.calls("withMountedFile")
        assert file.arguments["path"] == "/collector.yaml"


def test_what_the_engine_emulates_is_told_to_be(engine: Engine) -> None:
    benches(engine)
    assert {name: each["emulated"] for name, each in run().items()} == {AMD64: False, ARM64: True}
    engine.answer("Query.defaultPlatform", always("linux/arm64/v8"))
    assert {name: each["emulated"] for name, each in run().items()} == {AMD64: True, ARM64: False}


def test_a_layer_that_fails_is_told_in_the_benchs_own_words(engine: Engine) -> None:
    ran = benches(engine, {ARM64: Fault.EXITS_AT_ONCE})
    told = fails(engine, "bench", layers=layers)
    error = result(ARM64, Fault.EXITS_AT_ONCE).fault
    assert error
    assert told == error.text()
    assert "exits at once\n  its last words\nnext: its last words are above" in told
    assert len(ran) == 2


def test_layers_that_fail_for_both_architectures_are_told_together(engine: Engine) -> None:
    benches(engine, {AMD64: Fault.PANICS, ARM64: Fault.LOSES_DATA})
    told = fails(engine, "bench", layers=layers)
    assert told.startswith("2 of 2 layers fail")
    assert f"{AMD64}: extensions/collector panics" in told
    assert f"{ARM64}: extensions/collector loses data" in told


def test_a_bench_that_cannot_run_is_told_in_its_own_words(engine: Engine) -> None:
    benches(engine)
    engine.answer("Container.exitCode", always(3))
    engine.answer("Container.stderr", always("error: 1 problem in the configuration\n"))
    told = fails(engine, "bench", layers=layers)
    assert told.startswith("the bench does not run in a container for amd64\n")
    assert "  error: 1 problem in the configuration" in told


def installing(engine: Engine, architecture: str, stderr: str) -> None:
    """Have what is installed for an architecture fail."""

    def step(node: Node, given: Values) -> None:
        platform = node.calls("container")[0].arguments["platform"]
        if platform == f"linux/{architecture}" and given["args"][0] == "pip":
            raise ExecFailed(given["args"], 1, stderr=stderr)

    engine.answer("Container.withExec", step)


def test_a_container_that_cannot_be_had_is_told_with_its_reason(engine: Engine) -> None:
    benches(engine)
    installing(engine, "arm64", "ERROR: No matching distribution found for uv")
    told = fails(engine, "bench", layers=layers)
    assert told.startswith("the bench has no container for arm64\n")
    assert "  ERROR: No matching distribution found for uv" in told
    assert "PyPI" in told


def test_an_engine_without_an_emulator_is_told_with_how_to_get_one(engine: Engine) -> None:
    benches(engine)
    installing(engine, "arm64", "[dumb-init] pip: Exec format error")
    told = fails(engine, "bench", layers=layers)
    assert told.startswith("the engine does not run linux/arm64\n")
    assert "binfmt --install arm64" in told


@pytest.mark.parametrize("broken", ["Container.exitCode", "Container.stdout"])
def test_a_bench_that_the_engine_loses_is_told(engine: Engine, broken: str) -> None:
    def refuse(*_: object) -> None:
        raise Refused("the engine went away [traceparent:0af7-b7ad]")

    benches(engine)
    engine.answer(broken, refuse)
    told = fails(engine, "bench", layers=layers)
    assert told.startswith("the bench does not run in a container for amd64\n")
    assert "the engine went away\n" in told


def test_a_folder_without_layers_is_told(engine: Engine) -> None:
    benches(engine)
    engine.answer("Directory.entries", always(["manifest.json"]))
    assert "there is no layer in that folder" in fails(engine, "bench", layers=layers)
