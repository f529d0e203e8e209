"""The Dagger module: the chain of steps that each function builds, and the commands in them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import dagger
import gql
import pytest
from command_lines import check_command
from dagger import dag
from dagger._exceptions import QueryErrorValue
from dagger.client._core import Field
from dagger.mod import default_module
from dagger_schema import check_fields
from module_chain import COMMIT, IMAGE, Chain, Engine, awaited, called
from unit_examples import layer

from pipeline.errors import UsageError
from pipeline.layer.manifest import Manifest
from pipeline.module.steps import joined
from pipeline.options import Architectures, OneArchitecture

FOLDER = dag.directory()
FILE = dag.directory().file("some")
SECRET = dag.set_secret("name", "plain")
KEYS = {"access_key_id": SECRET, "secret_access_key": SECRET, "session_token": SECRET}
GITOPS = {"gitops_token": SECRET, "git_token": SECRET, "registry_password": SECRET}
RESTORED = "arn:aws:lambda:eu-west-1:123456789012:layer:ocel-amd64-minimal-0_158_0-beta:7"
PLAN = json.dumps({"build": None, "found": "r.example/a@sha256:1", "commit": COMMIT})
ZIPS = ["collector-amd64-minimal.zip", "collector-arm64-minimal.zip", "manifest.json"]
MANIFEST = json.dumps({"layers": [{"file": each, "benched": ""} for each in ZIPS[:2]]})

# Calls of each function, with every kind of argument that it takes.
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("toolchain", {"go_proxy": "https://proxy.example"}),
    ("build", {"distribution": "minimal", "locked": True, "no_tune": True, "bench": True}),
    ("build", {"upstream": FOLDER, "architecture": Architectures.ARM64}),
    ("build", {"bundle": FILE, "source_date_epoch": "1700000000"}),
    ("layer", {"upstream_repo": "me/fork", "upstream_ref": "v1", "git_token": SECRET}),
    ("binary", {"architecture": OneArchitecture.ARM64}),
    ("lock", {"distribution": ["minimal", "full"], "upgrade": True}),
    ("lock", {"upstream": FOLDER}),
    ("bundle", {"distribution": "minimal"}),
    ("verify", {"layers": FOLDER}),
    ("verify", {"layers": FOLDER, "bundle": FILE}),
    ("bench", {"layers": FOLDER, "starts": 2, "invocations": 3, "collector_config": FILE}),
    ("inspect", {"layer": FILE}),
    ("components", {"upstream_repo": "sample"}),
    ("config_check", {}),
    ("lock_check", {}),
    ("publish", {"layers": FOLDER, "regions": "all", "public": True, **KEYS}),
    ("publish", {"layers": FOLDER, "share": ["org:o-a1b2c3d4e5", "account:123456789012"], **KEYS}),
    ("publish", {"layers": FOLDER, "public": False, "dry_run": True, "no_bench": True, **KEYS}),
    ("publish", {"layers": FOLDER, "ssm_prefix": "/ocel", "move_back": True, **KEYS}),
    (
        "release",
        {"regions": "all", "role_arn": "arn", "oidc_token": SECRET, "bucket": "b"},
    ),
    ("release", {"regions": "eu-west-1", "ssm_prefix": "/ocel", **KEYS}),
    ("release", {"skip_publish": True}),
    (
        "release",
        {"regions": "all", "github_release": True, "github_token": SECRET, **KEYS}
        | {"repository": "acme/layers", "release_group": "local", "draft": True},
    ),
    (
        "github_release",
        {"layers": FOLDER, "published": FILE, "token": SECRET, "notes": FILE, "files": FOLDER}
        | {"repository": "acme/layers", "target": COMMIT, "prerelease": True, "upstream": FILE}
        | {"signer_workflow": "acme/ocelot/.github/workflows/release-layers.yml"},
    ),
    ("fetch", {"published": FILE, "layers": FOLDER, "role_arn": "arn", "oidc_token": SECRET}),
    ("notes", {"layers": FOLDER, "distribution": "minimal", "repository": "me/layers"}),
    ("notes", {"layers": FOLDER, "published": FILE, "previous": FOLDER, "upstream": FILE, **KEYS}),
    ("sync", {"dry_run": True, "endpoint_url": "http://aws.example", **KEYS}),
    ("sync", {"ssm_prefix": "/ocel", **KEYS}),
    ("layers", {"distribution": "minimal", "region": "eu-west-1", "public": True, **KEYS}),
    ("layers", {"role_arn": "arn", "oidc_token": SECRET, "as_json": True}),
    ("used", {"layer_name": "mine", "update": ["checkout"], "dry_run": True, **KEYS}),
    ("used", {"table": "none", "role_arn": "arn", "oidc_token": SECRET, "as_json": True}),
    (
        "reap",
        {"pattern": "*-beta", "older_than": "90d", "keep": 0, "across_versions": True, **KEYS}
        | {"keep_file": [FILE, FILE], "repository": "acme/layers", "github_token": SECRET}
        | {"force": ["lock", "file"], "distribution": ["minimal"], "release_group": "beta"},
    ),
    (
        "reap",
        {"pattern": "*", "apply": True, "yes_delete": 2, "plan": "0123456789abcdef", **KEYS}
        | {"account": "123456789012", "ssm_prefix": "/ocel", "table": "none"},
    ),
    ("reap", {"restore": RESTORED, "bundle": FILE, "ssm_prefix": "/ocel", **KEYS}),
    ("reap", {"restore": RESTORED, "zip": FILE, "bucket": "b", "apply": True, **KEYS}),
    ("reap", {"restore": RESTORED, "table": "none", "tombstones": FOLDER, **KEYS}),
    (
        "gitops_changed",
        {"source": FOLDER, "base": COMMIT, "project": ["shop"], "gitops_token": SECRET},
    ),
    ("gitops_image", {"component": "shop/catalog", "registry_user": "me", **GITOPS}),
    (
        "gitops_image",
        {"component": "shop/catalog", "build_arg": ["A=1, 2"], "platform": ["linux/amd64"]}
        | {"source": FOLDER, "run_file": FILE, "target": "t", "rebuild": True}
        | {"gitops_checkout": FOLDER},
    ),
    (
        "gitops_release",
        {"component": "shop/catalog", "registry_user": "me", "environment": "staging"}
        | {"no_pr": True, "with_project": True, "replace_newer": True, "commit": "main", **GITOPS},
    ),
    ("gitops_release", {"component": "shop/catalog", "dry_run": True, "gitops_checkout": FOLDER}),
]
IDS = [f"{name}-{at}" for at, (name, _) in enumerate(CALLS)]


def engine(**answers: object) -> Engine:
    def contents(chain: Chain) -> str:
        name = chain.fields[-2].args["path"]
        return {"images.yaml": f"go: {IMAGE}\n", "manifest.json": MANIFEST, "plan.json": PLAN}[name]

    def stdout(chain: Chain) -> str:
        return '{"layers": []}' if chain.commands[-1][0] == "bench" else f"{COMMIT}\n"

    defaults = {"contents": contents, "stdout": stdout, "entries": ZIPS}
    defaults |= {"exitCode": 0, "size": 1, "name": "layers.json"}
    return Engine({**defaults, "glob": ZIPS[:1], **answers})


def chains(name: str, options: Mapping[str, Any], given: Engine) -> list[Chain]:
    """Return every chain that a function has the engine run."""
    result = called(given, name, **options)
    last = [] if isinstance(result, str) else [given.chain(result)]
    return [each for chain in (*given.awaited, *last) for each in chain.all_chains()]


def commands(found: list[Chain]) -> list[list[str]]:
    """Return the ocelot commands in the chains, each once, in order."""
    lines = [tuple(line) for each in found for line in each.commands]
    return [list(each) for each in dict.fromkeys(lines)]


@pytest.mark.parametrize(("name", "options"), CALLS, ids=IDS)
def test_every_command_is_one_that_ocelot_has(name: str, options: dict[str, Any]) -> None:
    lines = commands(chains(name, options, engine()))
    for each in lines:
        check_command(shlex.join(["ocelot", *each]), complete=True)
    assert lines or name == "toolchain"


@pytest.mark.parametrize(("name", "options"), CALLS, ids=IDS)
def test_a_secret_is_a_secret_variable_of_the_steps_that_need_it(
    name: str, options: dict[str, Any]
) -> None:
    for chain in chains(name, options, engine()):
        assert "plain" not in str([each.args for each in chain.fields if each.name != "setSecret"])
        allowed: set[str] = set()
        if any(line[0] == "sources" for line in chain.commands):
            allowed = {"OCELOT_GIT_TOKEN"}
        if any(line[0] in ("publish", "fetch", "layers", "notes") for line in chain.commands):
            allowed = {"AWS_OIDC_TOKEN", "AWS_ACCESS_KEY_ID"}
            allowed |= {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
        if any(line[:2] == ["gitops", "release"] for line in chain.commands):
            allowed = {"OCELOT_GITOPS_TOKEN", "OCELOT_GIT_TOKEN"}
        if any(line[:2] == ["gitops", "plan"] for line in chain.commands):
            allowed = {"OCELOT_GITOPS_TOKEN", "OCELOT_GIT_TOKEN", "OCELOT_REGISTRY_PASSWORD"}
        if any(line[:2] == ["gitops", "changed"] for line in chain.commands):
            allowed = {"OCELOT_GITOPS_TOKEN"}
        if any(line[0] == "reap" for line in chain.commands):
            allowed = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
            allowed |= {"GITHUB_TOKEN"}
        if any(line[0] == "github-release" for line in chain.commands):
            allowed |= {"GITHUB_TOKEN"}
        assert chain.secrets <= allowed


def test_every_function_was_called() -> None:
    assert {name for name, _ in CALLS} == set(registered())


def registered() -> Mapping[str, Any]:
    every = vars(default_module())["_objects"]["Ocelot"].functions
    return {name: each for name, each in every.items() if name}  # the constructor has no name


def test_publishing_and_measuring_are_never_cached_and_reading_a_ref_only_for_a_session() -> None:
    kept = {name: each.meta.cache for name, each in registered().items()}
    assert {name for name, cache in kept.items() if cache == "never"} == {
        *("publish", "release", "github_release", "fetch", "sync", "bench", "notes"),
        *("layers", "used", "reap"),
        *("gitops_changed", "gitops_image", "gitops_release"),
    }
    assert {name for name, cache in kept.items() if cache is None} == {
        *("toolchain", "inspect", "config_check")
    }


def test_checks_need_no_arguments() -> None:
    checks = {name: each for name, each in registered().items() if each.meta.check}
    assert {name: list(each.parameters) for name, each in checks.items()} == {
        "config_check": [],
        "lock_check": [],
    }


def test_the_config_folder_of_the_caller_is_the_default() -> None:
    served = default_module()
    constructor = vars(served)["_objects"]["Ocelot"].get_constructor(vars(served)["_converter"])
    assert constructor.parameters["config"].default_path == "/config"


def test_the_sdk_serves_the_functions_as_an_engine_calls_them() -> None:
    served: Any = default_module()
    served._main_name, served._main = "Ocelot", served._objects["Ocelot"]
    assert awaited(engine(), served._typedefs)
    given = engine()
    options = {
        "distribution": "minimal",
        "architecture": "ARM64",
        "source_date_epoch": "1700000000",
    }
    call = partial(served.get_result, "Ocelot", {"config": "a folder"}, "build", options)
    assert awaited(given, call) == "an id"
    (step,) = (each for each in given.awaited if each.fields[-1].name == "sync")
    assert "--architecture=arm64" in step.commands[-1]
    assert step.variables["SOURCE_DATE_EPOCH"] == "1700000000"


def test_importing_the_module_imports_dagger_and_the_options_alone() -> None:
    shown = "import sys, pipeline.module; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert [each for each in loaded if each.startswith("pipeline")] == [
        *("pipeline", "pipeline.errors", "pipeline.gitops_options", "pipeline.module"),
        *("pipeline.module.gitops", "pipeline.module.layers", "pipeline.module.steps"),
        *("pipeline.options", "pipeline.reap_options", "pipeline.spread"),
    ]
    assert not {"typer", "pydantic", "boto3", "yaml", "jinja2"} & set(loaded)


def test_both_architectures_are_steps_beside_each_other_of_the_same_sources() -> None:
    given = engine()
    called(given, "build", distribution="minimal")
    steps = [each for each in given.awaited if each.fields[-1].name == "sync"]
    assert [each.commands for each in steps] == [
        [["build", "--distribution=minimal", f"--architecture={each}", "--output=dist"]]
        for each in ("amd64", "arm64")
    ]
    amd64, arm64 = ([field.name for field in each.fields] for each in steps)
    assert amd64 == arm64
    assert steps[0].source("/sources").commands[-1][:2] == ["sources", "--distribution=minimal"]


def test_an_explanation_is_in_the_folder_as_the_commands_job_summary() -> None:
    given = engine()
    called(given, "build", explain_size=True, architecture=Architectures.ARM64)
    (step,) = [each for each in given.awaited if each.fields[-1].name == "sync"]
    assert "--explain-size" in step.commands[-1]
    assert step.variables["GITHUB_STEP_SUMMARY"] == "dist/build-arm64.md"


@pytest.mark.parametrize(
    ("name", "options", "start"),
    [
        ("publish", {"layers": FOLDER, "no_bench": True, **KEYS}, "published/publish"),
        (
            "github_release",
            {"layers": FOLDER, "published": FILE, "token": SECRET, "repository": "acme/layers"},
            "released/github-release",
        ),
        ("gitops_changed", {"source": FOLDER, "gitops_token": SECRET}, "changed/changed"),
    ],
)
def test_job_summary_and_outputs_are_in_the_folder(
    name: str, options: dict[str, Any], start: str
) -> None:
    given = engine()
    chain = given.chain(called(given, name, **options))
    assert chain.variables["GITHUB_STEP_SUMMARY"] == f"{start}.md"
    assert chain.variables["GITHUB_OUTPUT"] == f"{start}.outputs"


def test_a_ref_is_resolved_at_every_call_and_the_compile_step_is_kept_by_the_commit() -> None:
    def compiled(commit: str) -> tuple[list[Chain], Chain]:
        given = engine(stdout=commit)
        called(given, "layer")
        (step,) = (each for each in given.awaited if each.fields[-1].name == "sync")
        return [each for each in given.awaited if each.fields[-1].name == "stdout"], step

    def variables(chain: Chain) -> str:
        return str([each.variables for each in chain.all_chains()])

    (first_resolved, first), (second_resolved, second) = compiled("one"), compiled("one")
    assert "OCELOT_CALL" in first_resolved[0].variables
    assert first_resolved[0].variables != second_resolved[0].variables
    assert variables(first) == variables(second)
    assert "OCELOT_CALL" not in variables(first)
    assert variables(compiled("two")[1]) != variables(first)


def test_the_toolchain_is_the_configs_golang_image_with_its_own_python() -> None:
    given = engine()
    tool = given.chain(called(given, "toolchain"))
    assert tool.calls("from") == [{"address": IMAGE}]
    assert tool.variables["OCELOT_GO"] == IMAGE
    assert not tool.secrets
    mirrored = given.chain(called(given, "toolchain", go_image="mirror.example/golang:1"))
    assert mirrored.variables["OCELOT_GO"] == "mirror.example/golang:1"


@pytest.mark.parametrize(
    "options", [{"go_proxy": "https://me:s3cret@proxy.example"}, {"images": "packer: x\n"}]
)
def test_an_invalid_image_or_proxy_is_rejected(options: dict[str, str]) -> None:
    images = options.pop("images", f"go: {IMAGE}\n")
    with pytest.raises(ValueError, match=r"--go-(proxy|image)") as caught:
        called(engine(contents=images), "toolchain", **options)
    assert "s3cret" not in str(caught.value)


def test_aws_is_called_at_every_call_and_never_with_the_engines_own_identity() -> None:
    def published() -> Chain:
        given = engine()
        return given.chain(called(given, "publish", layers=FOLDER, no_bench=True, **KEYS))

    first, second = published(), published()
    assert first.variables["AWS_EC2_METADATA_DISABLED"] == "true"
    assert first.variables["OCELOT_CALL"] != second.variables["OCELOT_CALL"]


@pytest.mark.parametrize(
    ("function", "option"),
    [
        *(("publish", each) for each in ("account", "role_arn", "regions", "release_group")),
        *(("publish", each) for each in ("table", "layer_name", "endpoint_url", "go_proxy")),
        ("release", "upstream_repo"),
    ],
)
def test_an_empty_value_is_refused_before_anything_runs(function: str, option: str) -> None:
    given = engine()
    layers = {"layers": FOLDER} if function == "publish" else {"regions": "all"}
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} "):
        called(given, function, **{**layers, option: ""})
    assert not given.awaited


def test_a_release_in_a_container_needs_regions() -> None:
    with pytest.raises(ValueError, match="--regions"):
        called(engine(), "release")


def test_a_release_checks_that_it_may_publish_before_it_compiles() -> None:
    lines = commands(chains("release", {"regions": "all", "oidc_token": SECRET}, engine()))
    names = [each[0] for each in lines]
    assert names.index("publish") < names.index("build") < names.index("bench")
    assert lines[names.index("publish")][1] == "--preflight"
    assert [each[1] for each in lines if each[0] == "publish"] == ["--preflight", "dist"]


@pytest.mark.parametrize("options", [{"dry_run": True}, {"no_bench": True}])
def test_layers_are_not_run_if_that_is_switched_off(options: dict[str, Any]) -> None:
    lines = commands(chains("publish", {"layers": FOLDER, **options, **KEYS}, engine()))
    assert [each[0] for each in lines] == ["publish"]


def test_each_layer_runs_on_its_own_architecture() -> None:
    given = engine()
    called(given, "bench", layers=FOLDER)
    ran = [each for each in given.awaited if each.fields[-1].name == "stdout"]
    assert [each.calls("container") for each in ran] == [[{}], [{"platform": "linux/arm64"}]]
    assert ["OCELOT_EMULATED" in each.variables for each in ran] == [False, True]
    assert [each.commands[-1][-1] for each in ran] == [f"dist/{each}" for each in ZIPS[:2]]


def test_layers_that_passed_the_bench_are_not_run_again() -> None:
    noted = [{"file": ZIPS[0], "benched": "passed"}, {"file": ZIPS[1], "benched": "skipped: x"}]

    def contents(chain: Chain) -> str:
        images = chain.fields[-2].args["path"] == "images.yaml"
        return f"go: {IMAGE}\n" if images else json.dumps({"layers": noted})

    lines = commands(chains("publish", {"layers": FOLDER, **KEYS}, engine(contents=contents)))
    assert lines[0] == ["bench", "--gate", f"dist/{ZIPS[1]}"]


def exec_error(stderr: str) -> dagger.ExecError:
    extensions: dict[str, Any] = {
        "_type": "EXEC_ERROR",
        "exitCode": 2,
        "stdout": "",
        "stderr": stderr,
        "cmd": [],
    }
    value = QueryErrorValue("exit code: 2", extensions=extensions)
    error = dagger.QueryError([value], gql.gql("{ container { sync } }"))
    assert isinstance(error, dagger.ExecError)
    return error


def test_the_bench_runs_on_the_engines_own_platform_if_it_cannot_emulate() -> None:
    given = engine(sync=exec_error("exec /bin/sh: exec format error"))
    called(given, "bench", layers=FOLDER)
    ran = [each for each in given.awaited if each.fields[-1].name == "stdout"]
    assert [each.calls("container") for each in ran] == [[{}], [{}]]
    with pytest.raises(dagger.ExecError):
        called(engine(sync=exec_error("no space left")), "bench", layers=FOLDER)


def test_a_failed_step_is_the_error_itself_and_not_a_group() -> None:
    with pytest.raises(dagger.ExecError) as caught:
        called(engine(sync=exec_error("error: no such distribution")), "build")
    assert caught.value.stderr == "error: no such distribution"


def test_joined_manifests_are_the_manifest_of_one_build() -> None:
    layers = [layer(each, each.encode()) for each in ("b.zip", "a.zip")]
    texts = [Manifest(layers=(each,)).text() for each in layers]
    whole = Manifest(layers=tuple(reversed(layers))).text()
    assert joined(*texts) == whole
    assert json.loads(whole)["layers"][0]["file"] == "a.zip"


def released(plan: str, **options: object) -> tuple[Engine, Chain]:
    def contents(chain: Chain) -> str:
        return plan if chain.fields[-2].args["path"] == "plan.json" else f"go: {IMAGE}\n"

    given = engine(contents=contents)
    result = called(given, "gitops_release", component="shop/catalog", **options)
    return given, given.chain(result)


def test_a_release_is_of_the_commit_whose_image_was_planned() -> None:
    _, chain = released(PLAN, commit="main", environment="staging")
    line = chain.commands[-1]
    assert line[:3] == ["gitops", "release", "shop/catalog"]
    assert {f"--commit={COMMIT}", "--image=r.example/a@sha256:1", "--environment=staging"} <= {
        *line
    }
    assert "--commit=main" not in line
    assert chain.variables["GITHUB_STEP_SUMMARY"] == "released/gitops-release.md"


def test_a_dry_run_builds_no_image() -> None:
    given, chain = released(PLAN.replace("r.example/a@sha256:1", ""), dry_run=True)
    assert chain.calls("withFile")[-1]["path"] == "plan.json"
    assert not [each for each in given.awaited if each.fields[-1].name == "publish"]
    assert ["gitops", "release"] not in [line[:2] for line in commands([*given.awaited])]
    _, shown = released(PLAN, dry_run=True)
    assert "--dry-run" in shown.commands[-1]


def test_nothing_is_pushed_from_a_checkout() -> None:
    with pytest.raises(ValueError, match="--dry-run"):
        called(engine(), "gitops_release", component="shop/catalog", gitops_checkout=FOLDER)


@pytest.mark.parametrize(
    "wrong",
    [
        Field("Container", "build", {"context": dagger.dag.directory()}),
        Field("Container", "publish", {}),
        Field("Container", "publish", {"address": "a", "tag": "b"}),
        Field("Directory", "dockerBuild", {"secrets": dagger.dag.set_secret("a", "b")}),
        Field("Builder", "publish", {}),
    ],
)
def test_a_field_that_the_engine_does_not_have_is_found(wrong: Field) -> None:
    with pytest.raises((AssertionError, TypeError)):
        check_fields([wrong])
