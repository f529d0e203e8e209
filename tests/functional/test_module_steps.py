"""The commands of the Dagger module's containers, run on this machine one after the other."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, cast

import dagger
import pytest
from dagger import dag
from markdown_reader import tables
from module_chain import IMAGE, Chain, Engine, called
from tiny import Place, new_place

from pipeline.build.toolchain import go_program


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return new_place(tmp_path_factory.mktemp("place"))


class LocalEngine(Engine):
    """An engine that runs a chain's last command on this machine, each in its own folder."""

    def __init__(self, place: Place) -> None:
        super().__init__({name: getattr(self, name) for name in ("stdout", "sync", "contents")})
        self.place = place
        self.ran: list[str] = []

    def run(self, chain: Chain) -> str:
        command = chain.commands[-1]
        paths = {"/sources": self.sources, "dist": self.folder(command), "./upstream": "upstream"}
        line = [
            f"{name}={paths.get(value, value)}" if value else name
            for name, _, value in (word.partition("=") for word in command)
        ]
        kept = ("OCELOT_GO", "OCELOT_SOURCES", "SOURCE_DATE_EPOCH")
        env = {name: chain.variables[name] for name in kept if name in chain.variables}
        env = {name: str(paths.get(value, value)) for name, value in env.items()}
        env["PATH"] = f"{go_program().parent}:{os.environ['PATH']}"
        done = self.place.run(*line, env=env)
        assert done.code == 0, done.err
        self.ran.append(command[0])
        return done.out

    @property
    def sources(self) -> Path:
        return self.place.root / "sources"

    def folder(self, command: list[str]) -> Path:
        return self.place.root / "-".join(["out", *command[-2:-1]]).replace("=", "")

    def stdout(self, chain: Chain) -> str:
        return self.run(chain)

    def sync(self, chain: Chain) -> None:
        self.run(chain)

    def contents(self, chain: Chain) -> str:
        if chain.fields[-2].args["path"] == "images.yaml":
            return f"go: {IMAGE}\n"
        return (self.folder(chain.commands[-1]) / "manifest.json").read_text()


def test_separate_steps_for_sources_and_architectures_give_the_result_of_one_build(
    place: Place,
) -> None:
    engine = LocalEngine(place)
    repository = place.repository.as_uri()
    options = {"distribution": "one", "upstream_repo": repository}
    built = engine.chain(cast("dagger.Directory", called(engine, "build", **options)))
    assert engine.ran == ["sources", "build", "build"]
    text = built.calls("withNewFile")[-1]["contents"]

    whole = place.run("build", "-d", "one", "-r", repository, "-o", "whole")
    assert whole.code == 0, whole.err
    expected = json.loads((place.root / "whole" / "manifest.json").read_text())
    assert [each["engine"] for each in json.loads(text)["layers"]] == ["dagger", "dagger"]
    assert without_builder(json.loads(text)) == without_builder(expected)
    statement = place.root / "out---architecturearm64" / "collector-arm64-one.intoto.json"
    assert IMAGE.split("@sha256:")[1] in statement.read_text()


def test_notes_of_a_container_are_those_of_the_command(place: Place) -> None:
    assert place.on("build", "-d", "one").code == 0
    shutil.copytree(place.dist, place.root / "previous")
    layers = json.loads((place.dist / "manifest.json").read_text())["layers"]
    (place.root / "publish.json").write_text(json.dumps({"targets": [*map(target, layers)]}))
    engine = LocalEngine(place)
    folder = dag.directory()
    published = folder.file("publish.json")
    given = {"layers": folder, "previous": folder, "published": published, "table": "none"}
    made = engine.chain(cast("dagger.File", called(engine, "notes", **given)))
    assert made.fields[-1].args == {"path": "notes.md"}
    engine.run(made)

    ran = place.run("notes", "--previous", "previous", "--table", "none")
    assert ran.code == 0, ran.err
    assert (place.root / "notes.md").read_text() == ran.out
    assert len(tables(ran.out)[0]) == 2


def target(layer: dict[str, Any]) -> dict[str, Any]:
    """Return the target of publish.json for a zip of the manifest."""
    version = layer["collector_version"].removeprefix("v").replace(".", "_")
    name = f"ocel-{layer['architecture']}-one-{version}-beta"
    arn = f"arn:aws:lambda:eu-west-1:123456789012:layer:{name}:1"
    kept = ("architecture", "distribution", "sha256")
    return {"region": "eu-west-1", "ok": True, "arn": arn, **{key: layer[key] for key in kept}}


def without_builder(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest without the engine and the provenance, which name the builder."""
    for each in manifest["layers"]:
        del each["engine"]
        each["evidence"] = {k: v for k, v in each["evidence"].items() if k.endswith(".cdx.json")}
    return manifest
