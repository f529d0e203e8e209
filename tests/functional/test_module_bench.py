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
from dagger_module import (
    BENCH,
    Values,
    all_goes_well,
    always,
    called,
    environment,
    exported_folder,
    fails,
    is_bench,
    mounted,
    platform_of,
    stdout,
    steps_of,
)
from runs import CONFIG

from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.reference import reference_recipe
from pipeline.bench.run import Result
from pipeline.bench.verdicts import Status
from pipeline.config import load_config
from pipeline.model import Architecture
from pipeline.report.bench import bench_json

pytestmark = needs_schema

AMD64, ARM64 = "collector-amd64-minimal.zip", "collector-arm64-minimal.zip"
PLATFORMS = ["linux/amd64", "linux/arm64"]


@pytest.fixture(autouse=True)
def _answers(  # pyright: ignore[reportUnusedFunction]
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A working folder as a module's function has it."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    all_goes_well(engine)


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

    def told(node: Node, given: Values) -> str:
        if not is_bench(node):
            return stdout(node, given)
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


def words(node: Node) -> list[str]:
    """The bench's own command."""
    return node.calls("withExec")[-1].arguments["args"]


def benched(engine: Engine, **more: Any) -> list[Node]:  # noqa: ANN401
    """Run the layers; the containers in which that was."""
    ran = benches(engine)
    run(**more)
    return ran


def golang_images(ran: list[Node]) -> set[str]:
    """The images in which what the containers are handed was compiled."""
    files = [file for node in ran for file in mounted(node).values()]
    return {each.calls("from")[0].arguments["address"] for each in files}


def test_each_layer_runs_in_a_container_of_its_architecture(engine: Engine) -> None:
    ran = benches(engine)
    told = run(starts=7, invocations=2)
    assert engine.invalid == []
    assert list(told) == [AMD64, ARM64]
    assert [platform_of(node) for node in ran] == PLATFORMS
    for node, name in zip(ran, told, strict=True):
        commands = [step.arguments["args"] for step in node.calls("withExec")]
        assert ["uv", "sync", "--locked", "--no-dev", "--group", "bench"] in commands
        own = ["--json", "--config=/config", "--starts=7", "--invocations=2"]
        assert commands[-1][: len(BENCH) + len(own)] == [*BENCH, *own]
        assert commands[-1][-1] == f"/layers/{name}"
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
    assert len({environment(node)["OCELOT_AGAIN"] for node in ran}) == 4
    installed = {node.calls("withDirectory")[0].parent for node in ran}
    assert len(installed) == 2  # what was installed is kept


def test_a_config_is_handed_on(engine: Engine) -> None:
    async def collector_config() -> str:
        return await dag.directory().with_new_file("c.yaml", "{}").file("c.yaml").id()

    ran = benches(engine)
    run(collector_config=collector_config)
    for node in ran:
        assert "--collector-config=/collector.yaml" in words(node)
        assert mounted(node)["/collector.yaml"].arguments["path"] == "c.yaml"


@pytest.mark.parametrize("own", Architecture)
def test_layers_that_are_not_emulated_are_compared_with_the_reference(
    engine: Engine, own: Architecture
) -> None:
    engine.answer("Query.defaultPlatform", always(f"linux/{own}"))
    ran = benched(engine)
    assert engine.invalid == []
    (native,) = [node for node in ran if platform_of(node) == f"linux/{own}"]
    (emulated,) = [node for node in ran if node is not native]
    assert "--reference=/reference" in words(native)
    assert [word for word in words(emulated) if "reference" in word] == []
    assert mounted(emulated) == {}
    reference = mounted(native)["/reference"]
    (step,) = reference_recipe(own).compile
    ((command, variables),) = steps_of(reference)
    assert command == list(step.argv)
    assert variables["GOARCH"] == own
    assert reference.arguments["path"] == f"/ocelot/collector/{step.output}"


def test_the_reference_is_compiled_in_the_golang_image(engine: Engine) -> None:
    images = load_config(CONFIG).images
    assert images
    assert golang_images(benched(engine)) == {images.go}
    mirror = "mirror.example:5000/golang:1"
    assert golang_images(benched(engine, go_image=mirror)) == {mirror}


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
        if platform_of(node) == f"linux/{architecture}" and given["args"][0] == "pip":
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


def test_without_a_reference_layers_are_run_and_the_reason_is_told(
    engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: Node, given: Values) -> None:
        if given["args"][:2] == ["go", "env"]:
            raise Refused("registry.example: no such image")

    engine.answer("Container.withExec", refuse)
    ran = benched(engine)
    assert engine.invalid == []
    assert [mounted(node) for node in ran] == [{}, {}]
    told = capfd.readouterr().err
    assert "nothing is compared with the reference: " in told
    assert "registry.example: no such image" in told


def test_a_config_that_names_no_golang_image_is_no_fault_of_a_layer(
    engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    def exported(node: Node, given: Values) -> str:
        path = Path(exported_folder(node, given))
        (path / "images.yaml").unlink()
        return str(path)

    engine.answer("Directory.export", exported)
    benched(engine)
    assert engine.invalid == []
    told = capfd.readouterr().err
    assert "nothing is compared with the reference: no golang image is named\n" in told


def test_a_reference_that_go_refuses_is_told_in_gos_own_lines(engine: Engine) -> None:
    def compiled(node: Node, _: Values) -> str:
        raise ExecFailed(node.arguments["args"], 1, stderr="main.go:1: undefined: x")

    ran = benches(engine)
    engine.answer("Container.combinedOutput", compiled)
    told = fails(engine, "bench", layers=layers)
    assert told.startswith("reference: compile failed\n")
    assert "  main.go:1: undefined: x" in told
    assert ran == []


def test_a_folder_without_layers_is_told(engine: Engine) -> None:
    benches(engine)
    engine.answer("Directory.entries", always(["manifest.json"]))
    assert "there is no layer in that folder" in fails(engine, "bench", layers=layers)
