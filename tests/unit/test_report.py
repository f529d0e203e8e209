from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from unit_examples import COMMIT, layer

from pipeline.build.apply import Build, BuiltLayer
from pipeline.build.catalog import ComponentRow
from pipeline.build.manifest import Manifest
from pipeline.errors import CompileError, ConfigError, OcelotError, Problem
from pipeline.report.build import HEADINGS, build_markdown, build_table, layer_row, title
from pipeline.report.components import component_tables
from pipeline.report.failure import show_error

AMD64 = BuiltLayer(layer=layer(content=b"z" * 2 * 1024**2), reused=False, seconds=12.345)
ARM64 = BuiltLayer(layer=layer("collector-arm64-minimal.zip"), reused=True, seconds=0.01)


def build(*built: BuiltLayer, notes: tuple[str, ...] = ()) -> Build:
    layers = built or (AMD64, ARM64)
    manifest = Manifest(layers=tuple(each.layer for each in layers))
    return Build(folder=Path("dist"), layers=layers, manifest=manifest, notes=notes)


def shown(*renderables: object) -> str:
    console = Console(file=StringIO(), width=200)
    with console.capture() as capture:
        for each in renderables:
            console.print(each)
    return capture.get()


def test_a_row_is_in_the_order_of_the_headings() -> None:
    assert dict(zip(HEADINGS, layer_row(AMD64), strict=True)) == {
        "architecture": "amd64",
        "zip": "2.0 MiB",
        "unzipped": "6.0 MiB",
        "sha256": AMD64.layer.sha256[:16],
        "time": "12.3 s",
        "cache": "compiled",
    }


def test_a_layer_of_the_cache_is_told_as_reused() -> None:
    assert layer_row(ARM64)[-1] == "reused"


def test_the_title_says_what_was_built_of_what() -> None:
    assert title(build()) == f"minimal: collector v0.155.0 of owner/name {COMMIT[:12]}, not locked"


def test_the_table_shows_every_layer() -> None:
    text = shown(build_table(build()))
    assert [
        word for word in (*HEADINGS, *layer_row(AMD64), *layer_row(ARM64)) if word not in text
    ] == []


def test_brackets_in_a_repositorys_path_are_shown_as_they_are() -> None:
    strange = BuiltLayer(layer=layer(repository="./a[/b][red]"), reused=False, seconds=1)
    assert "./a[/b][red]" in shown(build_table(build(strange)))


def test_the_summary_is_a_markdown_table_with_whole_digests() -> None:
    assert build_markdown(build(AMD64, notes=("one", "two"))).splitlines() == [
        f"### minimal: collector v0.155.0 of owner/name {COMMIT[:12]}, not locked",
        "",
        "| architecture | zip | unzipped | sha256 | time | cache |",
        "|---|---|---|---|---|---|",
        f"| amd64 | 2.0 MiB | 6.0 MiB | {AMD64.layer.sha256} | 12.3 s | compiled |",
        "",
        "- one",
        "- two",
    ]


def row(kind: str, name: str) -> ComponentRow:
    return ComponentRow(
        kind=kind,
        name=name,
        tag=f"lambdacomponents.{kind}.{name}",
        origin="upstream",
        distributions=("minimal", "full"),
    )


def test_components_are_shown_a_table_a_kind() -> None:
    tables = list(component_tables([row("processor", "batch"), row("receiver", "otlp")]))
    assert [table.title for table in tables] == ["receivers", "processors"]


def test_a_component_is_shown_with_its_distributions() -> None:
    text = shown(*component_tables([row("exporter", "otlphttp")]))
    assert [word for word in ("otlphttp", "upstream", "minimal, full") if word not in text] == []


def told(error: OcelotError, environment: Mapping[str, str] | None = None) -> list[str]:
    file = StringIO()
    show_error(error, Console(file=file, width=40, highlight=False), environment or {})
    return file.getvalue().splitlines()


GITHUB = {"GITHUB_ACTIONS": "true"}
COMPILE = CompileError("amd64: compile failed", hint="mend it", details=("$ go build", "x.go:1:2"))
CONFIG = ConfigError(
    (
        Problem(file="config/a.yaml", line=3, message="is wrong"),
        Problem(file="config/b.yaml", line=0, message="is absent"),
    )
)


def test_an_error_is_told_with_its_evidence_and_what_to_do() -> None:
    assert told(COMPILE) == [
        "error: amd64: compile failed",
        "  $ go build",
        "  x.go:1:2",
        "next: mend it",
    ]


def test_an_error_without_a_hint_ends_with_its_evidence() -> None:
    assert told(OcelotError("odd")) == ["error: odd"]


def test_brackets_in_an_error_are_no_markup() -> None:
    error = OcelotError("[red]x[/nothing]", hint="[b]", details=("have [T any]()", "[/x]"))
    assert told(error) == ["error: [red]x[/nothing]", "  have [T any]()", "  [/x]", "next: [b]"]


def test_long_lines_are_not_broken() -> None:
    assert told(OcelotError("x " * 100, details=("y " * 100,)))[1].strip() == ("y " * 100).strip()


def test_in_github_every_problem_is_an_annotation() -> None:
    assert told(CONFIG, GITHUB)[-2:] == [
        "::error file=config/a.yaml,line=3::is wrong",
        "::error file=config/b.yaml::is absent",
    ]


def test_in_github_another_error_is_one_annotation() -> None:
    assert [line for line in told(COMPILE, GITHUB) if line.startswith("::")] == [
        "::error::amd64: compile failed. mend it"
    ]


@pytest.mark.parametrize(
    "line", ["::add-mask::x", "  ::error::x", "\t::stop-commands::x", "##[error]x"]
)
def test_in_github_evidence_is_no_command(line: str) -> None:
    lines = told(CompileError("failed", hint="mend it", details=(line,)), GITHUB)
    commands = [each for each in lines if each.lstrip().startswith("::") or "##[" in each]
    assert commands == ["::error::failed. mend it"]


def test_outside_github_there_are_no_annotations() -> None:
    assert [line for line in told(CONFIG) if line.startswith("::")] == []
