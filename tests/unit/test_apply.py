from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
import pytest
from unit_examples import (
    BATCH,
    COMMIT,
    COMMITTED,
    MINE,
    MINE_ENTRY,
    OTLP,
    WITH_MINE,
    loaded,
    planned,
    source,
    upstream_tree,
)

from pipeline.build.apply import Build, apply_plan
from pipeline.build.engines import OnBinary
from pipeline.build.manifest import read_manifest
from pipeline.build.plan import BuildPlan
from pipeline.build.recipe import Recipe
from pipeline.errors import CompileError, OcelotError, OutputError
from pipeline.files import Tree
from pipeline.model import Architecture
from pipeline.progress import Progress, Silence


@dataclass(kw_only=True)
class PaperEngine:
    """An engine whose binaries are a few words; it keeps a list of what it was asked for."""

    name: str = "paper"
    refusing: Mapping[str, OcelotError] = field(default_factory=dict[str, OcelotError])
    compiled: list[str] = field(default_factory=list[str])

    async def compile(
        self, tree: Tree, recipe: Recipe, progress: Progress, on_binary: OnBinary
    ) -> None:
        del tree
        for step in recipe.compile:
            progress.begin(step.lane, step.name)
            self.compiled.append(step.lane)
            if step.lane in self.refusing:
                raise self.refusing[step.lane]
            await on_binary(step, f"a collector for {step.lane}".encode())

    async def resolve(self, tree: Tree, recipe: Recipe, progress: Progress) -> Tree:
        del recipe, progress
        return tree

    async def collect(self, tree: Tree, recipe: Recipe, into: Path, progress: Progress) -> None:
        raise NotImplementedError


@dataclass(kw_only=True)
class Notes(Silence):
    """Progress that keeps the notes."""

    notes: list[str] = field(default_factory=list[str])

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def plan(tmp_path: Path) -> BuildPlan:
    return planned(loaded(tmp_path / "config"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """A user's output folder and cache."""

    output: Path
    cache: Path

    def apply(
        self,
        plan: BuildPlan,
        engine: PaperEngine,
        *,
        progress: Progress | None = None,
        rebuild: bool = False,
    ) -> Build:
        return anyio.run(
            partial(
                apply_plan,
                plan,
                engine,
                output=self.output,
                cache=self.cache,
                progress=progress or Silence(),
                rebuild=rebuild,
            )
        )

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.output.iterdir())}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(output=tmp_path / "dist", cache=tmp_path / "cache")


def test_a_build_leaves_a_zip_an_architecture_and_the_manifest(
    place: Place, plan: BuildPlan
) -> None:
    place.apply(plan, PaperEngine())
    assert list(place.files()) == [
        "collector-amd64-minimal.zip",
        "collector-arm64-minimal.zip",
        "manifest.json",
    ]


def test_a_layer_holds_the_collector_and_its_configs(place: Place, plan: BuildPlan) -> None:
    place.apply(plan, PaperEngine())
    archive = zipfile.ZipFile(place.output / "collector-arm64-minimal.zip")
    assert {info.filename: info.external_attr >> 16 for info in archive.infolist()} == {
        "extensions/collector": 0o100755,
        "collector-config/config.yaml": 0o100644,
        "collector-config/config-debug.yaml": 0o100644,
    }
    assert archive.read("extensions/collector") == b"a collector for arm64"


def test_the_manifest_tells_what_each_zip_is_made_of(place: Place, tmp_path: Path) -> None:
    custom = planned(loaded(tmp_path / "custom", WITH_MINE, MINE_ENTRY))
    build = place.apply(custom, PaperEngine())
    amd64, _arm64 = build.manifest.layers
    content = place.files()[amd64.file]
    assert amd64.sha256 == hashlib.sha256(content).hexdigest()
    assert amd64.size == len(content)
    assert amd64.unzipped_size == sum(
        info.file_size for info in zipfile.ZipFile(io.BytesIO(content)).infolist()
    )
    assert amd64.build_tags == (MINE, "lambdacomponents.custom", OTLP)
    assert amd64.custom_modules == ("example.com/mine@v0.155.0",)
    assert (amd64.upstream.repository, amd64.upstream.commit) == ("owner/name", COMMIT)
    assert amd64.go.command[:2] == ("go", "build")
    assert amd64.go.environment["GOARCH"] == "amd64"
    assert (amd64.engine, amd64.source_date_epoch) == ("paper", COMMITTED)


def test_the_manifest_on_disk_is_the_one_told(place: Place, plan: BuildPlan) -> None:
    build = place.apply(plan, PaperEngine())
    assert read_manifest(place.output / "manifest.json") == build.manifest


def test_where_nothing_changed_nothing_is_compiled(place: Place, plan: BuildPlan) -> None:
    place.apply(plan, PaperEngine())
    before, engine = place.files(), PaperEngine(name="another")
    build = place.apply(plan, engine)
    assert engine.compiled == []
    assert place.files() == before
    assert [built.reused for built in build.layers] == [True, True]


def test_into_another_folder_nothing_is_compiled_either(
    place: Place, plan: BuildPlan, tmp_path: Path
) -> None:
    place.apply(plan, PaperEngine())
    elsewhere, engine = Place(output=tmp_path / "elsewhere", cache=place.cache), PaperEngine()
    elsewhere.apply(plan, engine)
    assert engine.compiled == []
    assert elsewhere.files() == place.files()


def test_a_broken_zip_in_the_cache_is_compiled_again(place: Place, plan: BuildPlan) -> None:
    place.apply(plan, PaperEngine())
    before = place.files()
    (place.cache / "layers" / f"{plan.layers[1].key}.zip").write_bytes(b"broken")
    engine = PaperEngine()
    build = place.apply(plan, engine)
    assert engine.compiled == ["arm64"]
    assert place.files() == before
    assert [built.reused for built in build.layers] == [True, False]


def test_rebuild_compiles_what_the_cache_has(place: Place, plan: BuildPlan) -> None:
    place.apply(plan, PaperEngine())
    engine = PaperEngine()
    place.apply(plan, engine, rebuild=True)
    assert engine.compiled == ["amd64", "arm64"]


def test_one_architecture_after_the_other_gives_what_both_at_once_give(
    place: Place, plan: BuildPlan, tmp_path: Path
) -> None:
    place.apply(plan, PaperEngine())
    single = Place(output=tmp_path / "single", cache=tmp_path / "other-cache")
    config = loaded(tmp_path / "config")
    for architecture in Architecture:
        single.apply(planned(config, architectures=[architecture]), PaperEngine())
    assert single.files() == place.files()


def test_a_failed_architecture_leaves_no_file(place: Place, plan: BuildPlan) -> None:
    engine = PaperEngine(refusing={"arm64": CompileError("arm64: compile failed")})
    with pytest.raises(CompileError):
        place.apply(plan, engine)
    assert place.files() == {}


def test_what_got_done_before_a_failure_is_not_compiled_again(
    place: Place, plan: BuildPlan
) -> None:
    engine = PaperEngine(refusing={"arm64": CompileError("arm64: compile failed")})
    with pytest.raises(CompileError):
        place.apply(plan, engine)
    again = PaperEngine()
    place.apply(plan, again)
    assert again.compiled == ["arm64"]


def test_an_output_folder_that_cannot_be_is_told_before_anything_is_compiled(
    place: Place, plan: BuildPlan
) -> None:
    place.output.write_bytes(b"a file")
    engine = PaperEngine()
    with pytest.raises(OutputError):
        place.apply(plan, engine)
    assert engine.compiled == []


def test_a_plans_notes_are_told_and_kept(place: Place, tmp_path: Path) -> None:
    config = loaded(tmp_path / "config", WITH_MINE, MINE_ENTRY)
    plan, notes = planned(config, source(upstream_tree([OTLP, BATCH, MINE]))), Notes()
    build = place.apply(plan, PaperEngine(), progress=notes)
    assert notes.notes == list(build.notes) == list(plan.notes)
    assert notes.notes
