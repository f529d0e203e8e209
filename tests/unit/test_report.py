"""Reports of builds and components, and errors."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from report_examples import shown
from rich.console import Console
from unit_examples import COMMIT, layer

from pipeline.build.components import ComponentRow
from pipeline.errors import CompileError, ConfigError, OcelotError, Problem, publish_error
from pipeline.layer.manifest import Manifest
from pipeline.report.build import build_report
from pipeline.report.config import component_reports
from pipeline.report.messages import show_error
from pipeline.supply.output import BuildOutput, WrittenLayer

AMD64 = WrittenLayer(layer=layer(content=b"z" * 2 * 1024**2), reused=False, seconds=12.345)
ARM64 = WrittenLayer(layer=layer("collector-arm64-minimal.zip"), reused=True, seconds=0.01)


def build(*built: WrittenLayer) -> BuildOutput:
    layers = built or (AMD64, ARM64)
    manifest = Manifest(layers=tuple(each.layer for each in layers))
    return BuildOutput(folder=Path("dist"), layers=layers, manifest=manifest, notes=("one", "two"))


def test_a_layers_cells_are_in_the_order_of_the_headings() -> None:
    report = build_report(build())
    assert report.title == (f"minimal: collector v0.155.0 of owner/name {COMMIT[:12]}, not locked")
    assert dict(zip(report.headings, report.rows[0], strict=True)) == {
        "architecture": "amd64",
        "zip": "2.0 MiB",
        "unzipped": "6.0 MiB",
        "sha256": AMD64.layer.sha256[:16],
        "time": "12.3 s",
        "cache": "compiled",
    }
    assert report.rows[1][-1] == "reused"
    assert report.notes[0] == (
        "in dist/: collector-amd64-minimal.zip, collector-arm64-minimal.zip, manifest.json"
    )


def test_a_job_summary_has_whole_digests_and_the_builds_notes() -> None:
    report = build_report(build(), for_summary=True)
    assert report.rows[0][3] == AMD64.layer.sha256
    assert report.notes == ("one", "two")


def test_each_kind_of_component_has_a_table() -> None:
    rows = [
        ComponentRow(
            kind=kind, name=name, tag="", origin="upstream", distributions=("minimal", "full")
        )
        for kind, name in (("processor", "batch"), ("receiver", "otlp"))
    ]
    receivers, processors = component_reports(rows)
    assert (receivers.title, processors.title) == ("receivers", "processors")
    assert receivers.rows == [("otlp", "upstream", "minimal, full")]
    assert "minimal, full" in shown(receivers)


def printed(error: OcelotError, environment: Mapping[str, str] | None = None) -> list[str]:
    file = StringIO()
    show_error(error, Console(file=file, width=40, highlight=False), environment or {})
    return file.getvalue().splitlines()


GITHUB = {"GITHUB_ACTIONS": "true"}
COMPILE = CompileError("amd64: compile failed", hint="fix it", details=("$ go build", "x.go:1:2"))
CONFIG = ConfigError(
    (
        Problem(file="config/a.yaml", line=3, message="is wrong"),
        Problem(file="config/b.yaml", line=0, message="is absent"),
    )
)


def test_an_error_is_printed_with_its_details_and_the_next_step() -> None:
    assert printed(COMPILE) == [
        "error: amd64: compile failed",
        "  $ go build",
        "  x.go:1:2",
        "next: fix it",
    ]


def test_tabs_are_blanks_and_control_characters_are_replaced() -> None:
    error = OcelotError("a\x1b[31mb", details=("\tx.go:1",))
    assert printed(error) == ["error: a\ufffd[31mb", "          x.go:1".replace("  ", "", 1)]


def test_an_error_without_a_hint_ends_with_its_details() -> None:
    assert printed(OcelotError("odd")) == ["error: odd"]


def test_brackets_in_an_error_are_no_markup() -> None:
    error = OcelotError("[red]x[/nothing]", hint="[b]", details=("have [T any]()", "[/x]"))
    assert printed(error) == ["error: [red]x[/nothing]", "  have [T any]()", "  [/x]", "next: [b]"]


def test_long_lines_are_not_broken() -> None:
    assert (
        printed(OcelotError("x " * 100, details=("y " * 100,)))[1].strip() == ("y " * 100).strip()
    )


def test_in_github_every_problem_is_an_annotation() -> None:
    assert printed(CONFIG, GITHUB)[-2:] == [
        "::error file=config/a.yaml,line=3::is wrong",
        "::error file=config/b.yaml::is absent",
    ]


def test_in_github_there_are_no_more_annotations_than_github_shows() -> None:
    many = ConfigError(
        tuple(Problem(file="config/a.yaml", line=line, message="is wrong") for line in range(12))
    )
    found = [line for line in printed(many, GITHUB) if line.startswith("::")]
    assert len(found) == 10
    assert found[-1].startswith("::error::3 more")
    assert found[:9] == [
        f"::error file=config/a.yaml{f',line={line}' if line else ''}::is wrong"
        for line in range(9)
    ]


def test_in_github_each_failure_is_an_annotation_of_all_its_targets() -> None:
    failures = [*((f"eu-{at} amd64", "no") for at in range(3)), ("eu-4 arm64", "a\n::b%")]
    error = publish_error("4 of 9 targets", failures, failed=4, total=9)
    assert [line for line in printed(error, GITHUB) if line.startswith("::")] == [
        f"::error::4 of 9 targets. {error.hint}",
        "::error::eu-0 amd64 and 2 more: no",
        "::error::eu-4 arm64: a%0A::b%25",
    ]


def test_in_github_another_error_is_one_annotation() -> None:
    assert [line for line in printed(COMPILE, GITHUB) if line.startswith("::")] == [
        "::error::amd64: compile failed. fix it"
    ]


@pytest.mark.parametrize(
    "line",
    ["::add-mask::x", "  ::error::x", "\t::stop-commands::x", "##[error]x", "a\n::x", "a\r::x"],
)
def test_in_github_no_text_of_an_error_is_a_command(line: str) -> None:
    lines = printed(CompileError(f"failed\n{line}", hint=line, details=(line,)), GITHUB)
    commands = [each for each in lines if each.lstrip().startswith("::") or "##[" in each]
    assert len(commands) == 1
    assert commands[0].startswith("::error::failed%0A")


def test_outside_github_there_are_no_annotations() -> None:
    assert [line for line in printed(CONFIG) if line.startswith("::")] == []
