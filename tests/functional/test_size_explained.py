"""Layers whose unused methods the linker drops or keeps: report, budget, explanation.

They are builds of a tiny collector. Its component `one` calls no methods by reflection, `two` does.
"""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from tiny import COLLECTOR, Place, new_place

TWO = "lambdacomponents.exporter.two"
# A package beside the component, in a module of its own.
NAMES = {
    "names/go.mod": "module example.com/names\n\ngo 1.25.0\n",
    "names/names.go": """\
        package names

        import "reflect"

        // Call calls a method by its name.
        func Call(value any, name string) { reflect.ValueOf(value).MethodByName(name).Call(nil) }
        """,
    "lambdacomponents/exporter/calls.go": f"""\
        //go:build lambdacomponents.custom && {TWO}

        package exporter

        import (
        \t"os"

        \t"example.com/names"
        )

        func init() {{ names.Call(os.Stderr, os.Args[0]) }}
        """,
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = new_place(tmp_path)
    files = {path: dedent(text).encode() for path, text in NAMES.items()}
    required = b"\nrequire example.com/names v0.0.0\n\nreplace example.com/names => ./names\n"
    files["go.mod"] = COLLECTOR["go.mod"] + required
    made.grow({**COLLECTOR, **files}, start="main", time=1_760_000_000)
    switch_on(made)
    return made


def switch_on(place: Place, *tags: str) -> None:
    tags = ("lambdacomponents.exporter.one", *tags)
    (place.config / "distributions.yaml").write_text(f"one:\n  buildtags: [{', '.join(tags)}]\n")


def dropped(place: Place) -> list[bool]:
    layers = json.loads((place.dist / "manifest.json").read_text())["layers"]
    return [each["dead_code_elimination"] for each in layers]


def test_the_build_that_adds_a_caller_of_methods_by_name_names_the_component(place: Place) -> None:
    assert place.build("-d", "one").code == 0
    assert dropped(place) == [True]
    switch_on(place, TWO)
    ran = place.build("-d", "one")
    assert ran.code == 0, ran.err
    assert dropped(place) == [False]
    (note,) = [line for line in ran.err.splitlines() if "in the last build" in line]
    assert "example.com/names.Call" in note
    assert TWO in note
    assert "in the last build" not in place.build("-d", "one").err


def test_the_explanation_is_a_chain_of_packages_also_of_a_reused_layer(place: Place) -> None:
    switch_on(place, TWO)
    summary = place.root / "summary.md"
    chain = "main -> example.com/names.Call"
    for cached in ("compiled", "reused"):
        summary.write_text("")
        ran = place.build("-d", "one", "--explain-size", env={"GITHUB_STEP_SUMMARY": str(summary)})
        assert ran.code == 0, ran.err
        assert cached in ran.out
        assert chain in ran.err
        assert "example.com/names.Call" in summary.read_text()


def test_the_explanation_of_a_layer_without_unused_methods_names_nothing(place: Place) -> None:
    ran = place.build("-d", "one", "--explain-size")
    assert ran.code == 0, ran.err
    assert "the linker drops unused methods" in ran.err


def test_a_budget_refuses_unused_methods_and_the_explanation_is_there(place: Place) -> None:
    (place.config / "budgets.yaml").write_text("one: {dead-code-elimination: required}\n")
    assert place.build("-d", "one").code == 0
    before = (place.dist / "collector-amd64-one.zip").read_bytes()
    switch_on(place, TWO)
    ran = place.build("-d", "one", "--explain-size")
    assert ran.code == 7
    assert "-> example.com/names.Call" in ran.err
    assert (place.dist / "collector-amd64-one.zip").read_bytes() == before


def test_inspect_names_the_functions_for_which_unused_methods_are_kept(place: Place) -> None:
    switch_on(place, TWO)
    assert place.on("build", "-d", "one").code == 0
    zips = [f"dist/collector-{each}-one.zip" for each in ("amd64", "arm64")]
    ran = place.run("inspect", "--json", *zips)
    assert [each["unused_methods"] for each in json.loads(ran.out)["layers"]] == [
        {"dropped": False, "kept_for": ["example.com/names.Call"]}
    ] * 2
    assert "example.com/names.Call" in place.run("inspect", *zips).out
