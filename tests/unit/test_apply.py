from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio
import pytest
from paper_go import PaperGo, PaperUpstream
from supply_examples import FUNCTIONS, PAPER_INFO, Binary, Function, Table, build_info, paper
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

from pipeline.build.apply import apply_plan
from pipeline.build.plan import BuildPlan
from pipeline.build.request import BuildRequest
from pipeline.build.toolchain import GO_VARIABLE
from pipeline.config.budgets import Budget
from pipeline.errors import (
    CompileError,
    LimitError,
    LockError,
    OcelotError,
    OutputError,
    UsageError,
)
from pipeline.layer.manifest import read_manifest
from pipeline.naming import Architecture
from pipeline.progress import NoProgress, shown_by
from pipeline.release import BuildContext, build
from pipeline.supply.output import BuildOutput, write_layers
from pipeline.supply.provenance import builder_of

LOCAL = builder_of({}, version="1")


@dataclass(kw_only=True)
class Notes(NoProgress):
    """Progress that keeps the notes."""

    notes: list[str] = field(default_factory=list[str])

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def plan(tmp_path: Path) -> BuildPlan:
    return planned(loaded(tmp_path / "config"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """A user's output folder and cache, and the Go of the machine."""

    output: Path
    cache: Path
    go: PaperGo

    def apply(self, plan: BuildPlan, *, rebuild: bool = False) -> BuildOutput:
        return anyio.run(partial(self.built, plan, rebuild=rebuild))

    async def built(self, plan: BuildPlan, *, rebuild: bool) -> BuildOutput:
        compiler, cache = self.go.compiler(self.cache), self.cache
        layers = await apply_plan(plan, compiler, cache=cache, rebuild=rebuild)
        modules = compiler.module_cache
        return await write_layers(
            plan, layers, self.output, cache=cache, module_cache=modules, builder=LOCAL
        )

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.output.glob("*"))}


@pytest.fixture
def place(tmp_path: Path, go: PaperGo) -> Place:
    return Place(output=tmp_path / "dist", cache=tmp_path / "cache", go=go)


def test_a_build_leaves_a_zip_an_architecture_and_the_manifest(
    place: Place, plan: BuildPlan
) -> None:
    place.apply(plan)
    assert list(place.files()) == [
        "collector-amd64-minimal.cdx.json",
        "collector-amd64-minimal.intoto.json",
        "collector-amd64-minimal.zip",
        "collector-arm64-minimal.cdx.json",
        "collector-arm64-minimal.intoto.json",
        "collector-arm64-minimal.zip",
        "manifest.json",
    ]


def test_a_layer_holds_the_collector_and_its_configs(place: Place, plan: BuildPlan) -> None:
    place.apply(plan)
    archive = zipfile.ZipFile(place.output / "collector-arm64-minimal.zip")
    assert {info.filename: info.external_attr >> 16 for info in archive.infolist()} == {
        "extensions/collector": 0o100755,
        "collector-config/config.yaml": 0o100644,
        "collector-config/config-debug.yaml": 0o100644,
    }
    assert archive.read("extensions/collector") == paper("arm64")


def test_the_manifest_says_what_each_zip_is_made_of(place: Place, tmp_path: Path) -> None:
    custom = planned(loaded(tmp_path / "custom", WITH_MINE, MINE_ENTRY))
    amd64, _arm64 = place.apply(custom).manifest.layers
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
    assert (amd64.engine, amd64.source_date_epoch) == ("host", COMMITTED)


def test_the_manifest_on_disk_is_the_returned_one(place: Place, plan: BuildPlan) -> None:
    output = place.apply(plan)
    assert read_manifest(place.output / "manifest.json") == output.manifest


def test_where_nothing_changed_nothing_is_compiled(place: Place, plan: BuildPlan) -> None:
    place.apply(plan)
    before = place.files()
    place.go.compiled.clear()
    output = place.apply(plan)
    assert place.go.compiled == []
    assert place.files() == before
    assert [built.reused for built in output.layers] == [True, True]


def test_into_another_folder_nothing_is_compiled_either(
    place: Place, plan: BuildPlan, tmp_path: Path
) -> None:
    place.apply(plan)
    elsewhere = replace(place, output=tmp_path / "elsewhere")
    place.go.compiled.clear()
    elsewhere.apply(plan)
    assert place.go.compiled == []
    assert elsewhere.files() == place.files()


def test_a_broken_zip_in_the_cache_is_compiled_again(place: Place, plan: BuildPlan) -> None:
    place.apply(plan)
    before = place.files()
    (place.cache / "layers" / f"{plan.layers[1].key}.zip").write_bytes(b"broken")
    place.go.compiled.clear()
    output = place.apply(plan)
    assert place.go.compiled == ["arm64"]
    assert place.files() == before
    assert [built.reused for built in output.layers] == [True, False]


def test_rebuild_compiles_what_the_cache_has(place: Place, plan: BuildPlan) -> None:
    place.apply(plan)
    place.go.compiled.clear()
    place.apply(plan, rebuild=True)
    assert place.go.compiled == ["amd64", "arm64"]


def test_one_architecture_after_the_other_gives_what_both_at_once_give(
    place: Place, plan: BuildPlan, tmp_path: Path
) -> None:
    place.apply(plan)
    single = replace(place, output=tmp_path / "single", cache=tmp_path / "other-cache")
    config = loaded(tmp_path / "config")
    for architecture in Architecture:
        single.apply(planned(config, architectures=[architecture]))
    assert single.files() == place.files()


def test_a_failed_architecture_leaves_no_file(place: Place, plan: BuildPlan) -> None:
    place.go.refusing = ["arm64"]
    with pytest.raises(CompileError):
        place.apply(plan)
    assert place.files() == {}


def test_what_got_done_before_a_failure_is_not_compiled_again(
    place: Place, plan: BuildPlan
) -> None:
    place.go.refusing = ["arm64"]
    with pytest.raises(CompileError):
        place.apply(plan)
    place.go.compiled.clear()
    place.go.refusing = []
    place.apply(plan)
    assert place.go.compiled == ["arm64"]


def a_file(output: Path) -> None:
    output.write_bytes(b"a file")


def a_damaged_manifest(output: Path) -> None:
    output.mkdir()
    (output / "manifest.json").write_bytes(b"{")


@pytest.mark.parametrize(
    ("has", "error"), [(a_file, OutputError), (a_damaged_manifest, UsageError)]
)
def test_an_output_folder_that_cannot_be_used_fails_before_anything_is_compiled(
    place: Place, tmp_path: Path, has: Callable[[Path], None], error: type[OcelotError]
) -> None:
    has(place.output)
    context = BuildContext(
        request=BuildRequest(distribution="minimal", upstream=PaperUpstream()),
        config=loaded(tmp_path / "config"),
        compiler=place.go.compiler(place.cache),
        cache=place.cache,
        output=place.output,
        builder=LOCAL,
    )
    with pytest.raises(error):
        anyio.run(build, context)
    assert place.go.compiled == []


def test_a_plans_notes_are_reported_and_kept(place: Place, tmp_path: Path) -> None:
    config = loaded(tmp_path / "config", WITH_MINE, MINE_ENTRY)
    plan, notes = planned(config, source(upstream_tree([OTLP, BATCH, MINE]))), Notes()
    with shown_by(notes):
        output = place.apply(plan)
    assert notes.notes == list(output.notes) == list(plan.notes)
    assert notes.notes


def test_the_manifest_names_the_evidence_beside_each_zip_with_its_digest(
    place: Place, plan: BuildPlan
) -> None:
    done = place.apply(plan)
    files = place.files()
    for each in done.manifest.layers:
        stem = each.file.removesuffix(".zip")
        assert each.evidence == {
            name: hashlib.sha256(files[name]).hexdigest()
            for name in (f"{stem}.cdx.json", f"{stem}.intoto.json")
        }


def test_the_evidence_is_about_the_zip_beside_it(place: Place, plan: BuildPlan) -> None:
    place.apply(plan)
    digest = hashlib.sha256(place.files()["collector-arm64-minimal.zip"]).hexdigest()
    bill = json.loads(place.files()["collector-arm64-minimal.cdx.json"])
    statement = json.loads(place.files()["collector-arm64-minimal.intoto.json"])
    assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert statement["subject"] == [
        {"name": "collector-arm64-minimal.zip", "digest": {"sha256": digest}}
    ]
    inputs = {
        each.get("name"): each
        for each in statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    }
    assert inputs["upstream"]["digest"] == {"gitCommit": COMMIT}
    assert inputs["example.com/one"]["digest"] == {"dirHash": "00" * 32}


def no_record(path: Path) -> None:
    path.unlink()


def damaged_record(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"CycloneDX", b"cyclone"))


def record_of_another_zip(path: Path) -> None:
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps({**record, "zip_sha256": "1" * 64, "modules": []}))


@pytest.mark.parametrize("change", [no_record, damaged_record])
def test_evidence_is_the_same_where_the_cache_has_lost_a_layers_contents(
    change: Callable[[Path], None], place: Place, plan: BuildPlan
) -> None:
    place.apply(plan)
    first = place.files()
    change(place.cache / "layers" / f"{plan.layers[0].key}.contents.json")
    place.go.compiled.clear()
    place.apply(plan)
    assert (place.files(), place.go.compiled) == (first, [])


def test_a_zip_that_the_caches_contents_are_not_of_is_compiled_again(
    place: Place, plan: BuildPlan
) -> None:
    """A zip and its record were replaced, both by those of another zip."""
    place.apply(plan)
    first, key = place.files(), plan.layers[0].key
    replaced = place.cache / "layers" / f"{key}.zip"
    replaced.write_bytes(replaced.read_bytes() + b"more")
    record = replaced.with_suffix(".json")
    digest = hashlib.sha256(replaced.read_bytes()).hexdigest()
    record.write_text(json.dumps({**json.loads(record.read_text()), "sha256": digest}))
    place.go.compiled.clear()
    place.apply(plan)
    assert (place.files(), place.go.compiled) == (first, [str(plan.layers[0].architecture)])


def test_a_zip_in_the_cache_that_is_not_the_locked_one_is_compiled_again(
    place: Place, plan: BuildPlan
) -> None:
    other = replace(plan.layers[0], expected="1" * 64)
    place.apply(plan)
    place.go.compiled.clear()
    with pytest.raises(LockError, match="not the zip that was locked"):
        place.apply(replace(plan, layers=(other, *plan.layers[1:])))
    assert place.go.compiled == [str(other.architecture)]


def test_a_layer_is_finished_though_the_cache_cannot_keep_it(place: Place, plan: BuildPlan) -> None:
    place.cache.mkdir(parents=True)
    (place.cache / "layers").write_text("a file where the folder would be")
    notes = Notes()
    with shown_by(notes):
        place.apply(plan)
    assert len(place.files()) == 7
    kept = [note for note in notes.notes if "not kept" in note]
    assert len(kept) == 2
    assert all(str(place.cache / "layers") in note for note in kept)


def over(plan: BuildPlan, **limits: int) -> BuildPlan:
    return replace(plan, budget=Budget.model_validate(limits))


def test_a_layer_over_budget_is_not_written(place: Place, plan: BuildPlan) -> None:
    with pytest.raises(LimitError, match="over the budget") as caught:
        place.apply(over(plan, modules=0))
    assert place.files() == {}
    assert caught.value.details[0] == "modules: 1 is 1 over the budget of 0"
    assert any(detail.startswith("largest: ") for detail in caught.value.details)


def test_over_budget_lists_what_grew_since_the_last_build(place: Place, plan: BuildPlan) -> None:
    grown: Sequence[Function] = (*FUNCTIONS, Function(name="example.com/one.New", code=4096))

    def larger(architecture: str) -> bytes:
        table = Table(functions=grown).content()
        text = sum(each.code for each in grown) + 8
        info = build_info(PAPER_INFO)
        return Binary(architecture=architecture, info=info, table=table, text=text).content()

    place.apply(plan)
    before = place.files()
    place.go.binary = larger
    with pytest.raises(LimitError) as caught:
        place.apply(over(plan, unzipped=100), rebuild=True)
    assert place.files() == before
    changes = [each for each in caught.value.details if each.startswith("since the last build: ")]
    assert changes[0].startswith("since the last build: example.com/one 0 -> ")


def test_within_budget_nothing_is_said(place: Place, plan: BuildPlan) -> None:
    done = place.apply(over(plan, zip=10_000_000, modules=1))
    assert done.notes == ()


KEPT_FOR = "example.com/one.Call"
OTLP_FACTORY = "go.opentelemetry.io/collector/exporter/otlpexporter.NewFactory"
OF_REFLECT = ("reflect.Value.Method", "reflect.(*Value).Method")


def with_unused_methods(architecture: str) -> bytes:
    """A binary with all unused methods, and with one more component."""
    names = (KEPT_FOR, *OF_REFLECT, OTLP_FACTORY)
    added = [Function(name=name) for name in names]
    table = Table(functions=[*FUNCTIONS, *added]).content()
    before = sum(each.code for each in FUNCTIONS)
    call = {
        "amd64": b"\xe8" + (16 - 5).to_bytes(4, "little"),
        "arm64": (0x94000000 + 16 // 4).to_bytes(4, "little"),
    }[architecture]
    info = build_info(PAPER_INFO)
    code = (bytes(before) + call).ljust(before + 16 * len(added), b"\0")
    return Binary(architecture=architecture, info=info, table=table, code=code).content()


REQUIRED = Budget.model_validate({"dead-code-elimination": "required"})


def test_the_manifest_says_if_the_linker_could_drop_unused_methods(
    place: Place, plan: BuildPlan
) -> None:
    first = place.apply(replace(plan, budget=REQUIRED))
    assert [each.dead_code_elimination for each in first.manifest.layers] == [True, True]
    place.go.binary = with_unused_methods
    second = place.apply(plan, rebuild=True)
    assert [each.dead_code_elimination for each in second.manifest.layers] == [False, False]
    again = place.apply(plan)
    assert [each.reused for each in again.layers] == [True, True]
    assert again.manifest == second.manifest


def test_unused_methods_are_over_a_budget_that_requires_them_dropped(
    place: Place, plan: BuildPlan
) -> None:
    place.go.binary = with_unused_methods
    with pytest.raises(LimitError) as caught:
        place.apply(replace(plan, budget=REQUIRED))
    assert place.files() == {}
    assert any(KEPT_FOR in each for each in caught.value.details)
    assert "--explain-size" in str(caught.value.hint)


def test_the_build_after_which_unused_methods_are_kept_says_so(
    place: Place, plan: BuildPlan
) -> None:
    place.apply(plan)
    place.go.binary = with_unused_methods
    notes = Notes()
    with shown_by(notes):
        done = place.apply(plan, rebuild=True)
    assert done.notes == tuple(notes.notes)
    assert [note.partition(":")[0] for note in done.notes] == [
        each.layer.file for each in done.layers
    ]
    assert all(KEPT_FOR in note for note in done.notes)
    assert all("component exporter/otlp added" in note for note in done.notes)
    assert place.apply(plan, rebuild=True).notes == ()


def test_what_else_changed_before_unused_methods_were_kept_is_named(
    place: Place, plan: BuildPlan
) -> None:
    tuned = replace(plan, tuned=replace(plan.tuned, applied=("no-trace",)))
    place.apply(tuned)
    for zip_file in place.output.glob("*.zip"):
        zip_file.write_bytes(b"damaged")
    place.go.binary = with_unused_methods
    facts = plan.facts.model_copy(update={"build_tags": (*plan.facts.build_tags, BATCH)})
    done = place.apply(replace(plan, facts=facts), rebuild=True)
    assert len(done.notes) == 2
    for note in done.notes:
        assert "tuning no-trace" in note
        assert f"build tag {BATCH} added" in note


def test_a_build_in_a_container_of_the_golang_image_is_noted_as_such(
    place: Place, plan: BuildPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = f"golang:1.26.6@sha256:{'1' * 64}"
    monkeypatch.setenv(GO_VARIABLE, image)
    output = place.apply(plan)
    assert {each.engine for each in output.manifest.layers} == {"dagger"}
    statement = json.loads(place.files()["collector-amd64-minimal.intoto.json"])
    inputs = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [each["digest"] for each in inputs if each["name"] == "golang"] == [{"sha256": "1" * 64}]
