"""The Dagger module's bench, against a stand-in engine that checks every query."""

from __future__ import annotations

import json

from dagger import dag
from dagger_client import with_client
from dagger_engine import Engine, Node
from dagger_module import Values, always, called, fails

ZIPS = ["collector-amd64-minimal.zip", "collector-arm64-minimal.zip"]


async def layers() -> str:
    return await dag.directory().with_new_directory("layers").id()


async def source() -> str:
    return await dag.directory().with_new_directory("source").id()


def benches(engine: Engine, *, code: int = 0) -> list[Node]:
    """Have the engine answer as if the bench ran; the containers in which it did."""
    ran: list[Node] = []

    def told(node: Node, _arguments: Values) -> str:
        ran.append(node)
        command = node.calls("withExec")[-1].arguments["args"]
        return json.dumps({"layers": [{"file": command[-1]}]})

    engine.answer("Directory.entries", always([*ZIPS, "manifest.json"]))
    engine.answer("Container.exitCode", always(code))
    engine.answer("Container.stderr", always("error: it exits at once\nnext: look"))
    engine.answer("Container.stdout", told)
    return ran


def test_each_layer_runs_in_a_container_of_its_architecture(engine: Engine) -> None:
    ran = benches(engine)
    told = json.loads(with_client(called("bench", layers=layers, source=source)))
    assert engine.invalid == []
    assert [each["file"] for each in told["layers"]] == [f"/layers/{name}" for name in ZIPS]
    platforms = [node.calls("container")[0].arguments["platform"] for node in ran]
    assert platforms == ["linux/amd64", "linux/arm64"]
    for node in ran:
        commands = [step.arguments["args"] for step in node.calls("withExec")]
        assert ["uv", "sync", "--locked", "--no-dev", "--group", "bench"] in commands
        assert commands[-1][:5] == ["uv", "run", "--no-sync", "ocelot", "bench"]


def test_a_layer_that_fails_is_told_in_the_benchs_own_words(engine: Engine) -> None:
    benches(engine, code=15)
    told = fails(engine, "bench", layers=layers, source=source)
    assert "it exits at once" in told
