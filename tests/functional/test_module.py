"""The Dagger module's functions, against a stand-in engine that checks every query."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from pathlib import Path

import pytest
from dagger import dag
from dagger_client import needs_schema, with_client
from dagger_engine import Engine, ExecFailed, Node, Refused
from dagger_module import (
    COMMIT,
    MINIMAL,
    SAMPLE,
    SECRET,
    Values,
    all_goes_well,
    always,
    called,
    config_folder,
    environment,
    executed,
    exported_folder,
    fails,
    ocelot_module,
    steps_of,
)
from runs import CONFIG
from supply_examples import paper
from unit_examples import sample_tunings

from pipeline.build.engines import dagger as containers
from pipeline.build.engines.dagger import DaggerEngine, from_host
from pipeline.build.engines.host import HostRun
from pipeline.build.recipe import GO_VERSION, Recipe, Step, build_recipe
from pipeline.build.tuning import tuning_tag
from pipeline.build.upstream import folder_source
from pipeline.config import load_config
from pipeline.model import Architecture
from pipeline.progress import Silence

pytestmark = needs_schema


@pytest.fixture(autouse=True)
def _answers(  # pyright: ignore[reportUnusedFunction]
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A working folder as a module's function has it."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    all_goes_well(engine)


def recipe() -> Recipe:
    """The recipe of the sample's `minimal`, as every engine gets it."""
    source, config = folder_source("sample", "main", SAMPLE), load_config(CONFIG)
    return build_recipe(
        tuple(Architecture),
        (*config.tags("minimal"), *map(tuning_tag, sample_tunings(config))),
        (),
        collector_version="v0.155.0",
        commit=source.commit,
    )


def handed(steps: tuple[Step, ...], seen: list[tuple[list[str], dict[str, str]]]) -> None:
    """Assert that what was handed over is the recipe, no more and no less."""
    assert [argv for argv, _ in seen] == [list(step.argv) for step in steps]
    for step, (_, env) in zip(steps, seen, strict=True):
        caches = {variable: f"/ocelot/cache/{cache}" for variable, cache in step.caches}
        assert {**dict(step.env), **caches}.items() <= env.items()


def test_the_constructor_keeps_the_config_folder(engine: Engine) -> None:
    async def work() -> str:
        folder = await config_folder()
        engine.call("Ocelot", "", {}, {"config": folder})
        await ocelot_module().serve()
        return folder

    folder = with_client(work)
    assert engine.invalid == []
    assert engine.returned() == {"config": folder}


def test_every_step_is_handed_to_both_engines_alike(tmp_path: Path) -> None:
    host = HostRun(
        go=Path("/wheel/go"),
        source=tmp_path,
        scratch=tmp_path,
        caches=tmp_path,
        settings={},
        progress=Silence(),
    )
    containers_engine = DaggerEngine(image="x", deliver=from_host, workspace=tmp_path)
    steps = [step for stage in recipe().stages for step in stage]
    assert {step.lane for step in steps} == {"modules", "amd64", "arm64"}
    for step in steps:
        seen = containers_engine.handed(step)
        assert seen.argv == step.argv
        assert host.argv(step)[1:] == step.argv[1:]
        on_host = host.environment(step)
        assert {name: on_host[name] for name in dict(step.env)} == dict(step.env)
        assert {name: seen.env[name] for name in dict(step.env)} == dict(step.env)
        assert set(seen.caches) == {variable for variable, _ in step.caches}
        assert {on_host[variable] for variable, _ in step.caches} == {
            str(tmp_path / cache) for _, cache in step.caches
        }


def test_the_engine_gets_the_recipe_that_the_host_gets(engine: Engine) -> None:
    with_client(called("build", **MINIMAL))
    assert engine.invalid == []
    wanted = recipe()
    prepare = tuple(step for stage in wanted.prepare for step in stage)
    compiled = {str(c.calls("withEnvVariable")[-1].id): c for c in executed(engine)}
    assert len(compiled) == 2
    for container in compiled.values():
        architecture = environment(container)["GOARCH"]
        (own,) = [step for step in wanted.compile if step.lane == architecture]
        handed((*prepare, own), steps_of(container))


def test_a_step_sees_the_pinned_image_its_source_and_its_caches(engine: Engine) -> None:
    with_client(called("build", **MINIMAL))
    images = load_config(CONFIG).images
    assert images
    assert "@sha256:" in images.go
    for container in executed(engine):
        assert container.calls("from")[0].arguments["address"] == images.go
        mounts = {
            each.arguments["path"]: each.arguments["cache"].arguments["key"]
            for each in container.calls("withMountedCache")
        }
        assert mounts == {
            "/ocelot/cache/modules": "ocelot-go-modules",
            "/ocelot/cache/build": "ocelot-go-build",
        }
        (source,) = container.calls("withDirectory")
        assert source.arguments["path"] == "/ocelot/collector"


def test_compile_steps_get_no_way_to_the_network(engine: Engine) -> None:
    with_client(called("build", **MINIMAL, go_proxy="https://proxy.example"))
    for container in executed(engine):
        *modules, (_, compiling) = steps_of(container)
        assert {env["GOPROXY"] for _, env in modules} == {"https://proxy.example"}
        assert compiling["GOPROXY"] == "off"


def test_both_architectures_are_compiled_at_once(engine: Engine) -> None:
    def slow(node: Node, _: Values) -> str:
        if node.arguments["args"][1] == "build":
            time.sleep(0.3)
        return ""

    engine.answer("Container.combinedOutput", slow)
    with_client(called("build", **MINIMAL))
    compiling = [
        asked
        for asked in engine.asked
        if asked.name == "Container.combinedOutput" and asked.node.arguments["args"][1] == "build"
    ]
    first, second = compiling
    assert first.overlaps(second)
    assert first.node.parent is not second.node.parent


def test_the_zips_and_the_manifest_are_handed_out(engine: Engine) -> None:
    result = engine.node(with_client(called("build", **MINIMAL)))
    assert [node.field for node in result.chain()] == ["currentModule", "workdir"]
    folder = Path.cwd() / result.arguments["path"]
    layers = json.loads((folder / "manifest.json").read_text())["layers"]
    assert [layer["engine"] for layer in layers] == ["dagger", "dagger"]
    for layer in layers:
        with zipfile.ZipFile(folder / layer["file"]) as packed:
            content = packed.read("extensions/collector")
        assert content == paper(layer["architecture"])


def test_one_layer_is_a_file(engine: Engine) -> None:
    result = engine.node(with_client(called("layer", **MINIMAL, architecture="arm64")))
    assert result.type == "File"
    assert result.arguments["path"] == "collector-arm64-minimal.zip"
    assert len(executed(engine)) == 1


def test_the_binary_is_the_compile_steps_own(engine: Engine) -> None:
    result = engine.node(with_client(called("binary", **MINIMAL, architecture="arm64")))
    assert result.arguments["path"] == "/ocelot/collector/.ocelot/arm64/collector"
    assert environment(result)["GOARCH"] == "arm64"


def test_the_toolchain_has_the_modules_and_nothing_compiled(engine: Engine) -> None:
    result = engine.node(with_client(called("toolchain", **MINIMAL)))
    assert result.type == "Container"
    assert [argv[:2] for argv, _ in steps_of(result)] == [["go", "list"]]


def test_upstream_is_resolved_to_a_commit_by_the_engine(engine: Engine) -> None:
    with_client(called("build", distribution="minimal", upstream_ref="v1"))
    assert engine.invalid == []
    (asked,) = [each.node for each in engine.asked if each.name == "GitRef.commit"]
    assert [node.field for node in asked.chain()] == ["git", "ref"]
    url = "https://github.com/open-telemetry/opentelemetry-lambda.git"
    assert asked.calls("git")[0].arguments["url"] == url
    manifest = json.loads((Path.cwd() / ".ocelot" / "dist" / "manifest.json").read_text())
    layer = manifest["layers"][0]
    assert layer["upstream"]["commit"] == COMMIT
    assert layer["source_date_epoch"] == 1700000000


def test_the_token_of_a_private_upstream_is_never_in_a_query(engine: Engine) -> None:
    async def token() -> str:
        return await dag.set_secret("git-token", SECRET).id()

    with_client(called("build", distribution="minimal", git_token=token))
    assert engine.invalid == []
    (asked,) = [each.node for each in engine.asked if each.name == "GitRef.commit"]
    assert asked.calls("git")[0].arguments["httpAuthToken"].type == "Secret"
    assert not engine.contains(SECRET)
    for container in executed(engine):
        assert [node for node in container.walk() if node.type == "Secret"] == []


def test_a_local_checkout_takes_the_place_of_a_repository(engine: Engine) -> None:
    async def checkout() -> str:
        return await dag.directory().with_new_directory("collector").id()

    with_client(called("build", distribution="minimal", upstream=checkout))
    assert engine.invalid == []
    assert [each for each in engine.asked if each.name == "GitRef.commit"] == []
    manifest = json.loads((Path.cwd() / ".ocelot" / "dist" / "manifest.json").read_text())
    expected = folder_source("upstream", "main", SAMPLE).commit
    assert {layer["upstream"]["commit"] for layer in manifest["layers"]} == {expected}


def test_nothing_of_a_commit_that_leaves_the_collector_alone_is_compiled_anew(
    engine: Engine,
) -> None:
    with_client(called("build", distribution="minimal"))
    first = executed(engine)
    shutil.rmtree(Path.cwd() / ".ocelot")
    engine.answer("GitRef.commit", always(COMMIT[::-1]))
    with_client(called("build", distribution="minimal"))
    both = {environment(each)["GOARCH"]: each for each in first}
    for later in executed(engine)[2:]:
        earlier = both[environment(later)["GOARCH"]]
        # all but the link, which writes the commit into the binary, is the same call
        assert later.calls("withExec")[-2].id == earlier.calls("withExec")[-2].id


def test_a_second_call_asks_the_engine_for_the_same(engine: Engine) -> None:
    with_client(called("build", **MINIMAL))
    shutil.rmtree(Path.cwd() / ".ocelot")
    with_client(called("build", **MINIMAL))
    ids = [container.id for container in executed(engine)]
    assert sorted(ids[:2]) == sorted(ids[2:])


def test_a_change_of_other_config_compiles_nothing(engine: Engine) -> None:
    def exported(node: Node, arguments: Values) -> str:
        path = Path(exported_folder(node, arguments))
        for file in path.glob("distributions.yaml"):
            file.write_text(f"{file.read_text()}\nother:\n  base: minimal\n  description: new\n")
        return str(path)

    with_client(called("build", **MINIMAL))
    shutil.rmtree(Path.cwd() / ".ocelot")
    engine.answer("Directory.export", exported)
    with_client(called("build", **MINIMAL))
    ids = [container.id for container in executed(engine)]
    assert sorted(ids[:2]) == sorted(ids[2:])


def test_a_compile_error_shows_gos_own_lines(engine: Engine) -> None:
    def compiled(node: Node, _: Values) -> str:
        args = node.arguments["args"]
        if args[1] == "build":
            raise ExecFailed(args, 1, stderr="golang.org/x/text\n# pkg\nmain.go:1: undefined: x")
        return ""

    engine.answer("Container.combinedOutput", compiled)
    said = fails(engine, "build", **MINIMAL)
    assert "compile failed" in said
    assert "  main.go:1: undefined: x" in said
    assert "next: " in said
    assert "golang.org/x/text" not in said


def losing_modules(engine: Engine) -> list[str]:
    """Have the engine fail to compile until modules are fetched anew; what failed is listed."""
    failed: list[str] = []

    def compiled(node: Node, _: Values) -> str:
        args = node.arguments["args"]
        if args[1] == "build" and "OCELOT_AGAIN" not in environment(node):
            failed.append(environment(node)["GOARCH"])
            told = "main.go:9: a@v1: module lookup disabled by GOPROXY=off"
            raise ExecFailed(args, 1, stderr=told)
        return ""

    engine.answer("Container.combinedOutput", compiled)
    return failed


def test_modules_that_the_engine_lost_are_fetched_again(engine: Engine) -> None:
    failed = losing_modules(engine)
    with_client(called("build", **MINIMAL))
    assert sorted(failed) == ["amd64", "arm64"]
    assert len(executed(engine)) == 2


def test_a_binary_alone_gets_modules_that_the_engine_lost_as_well(engine: Engine) -> None:
    failed = losing_modules(engine)
    result = engine.node(with_client(called("binary", **MINIMAL, architecture="arm64")))
    assert failed == ["arm64"]
    assert "OCELOT_AGAIN" in environment(result)


def test_a_module_that_cannot_be_had_is_told(engine: Engine) -> None:
    def listed(node: Node, _: Values) -> str:
        raise ExecFailed(node.arguments["args"], 1, stderr="go: a@v1: 403 Forbidden")

    engine.answer("Container.combinedOutput", listed)
    assert "a Go module cannot be had" in fails(engine, "build", **MINIMAL)


@pytest.mark.parametrize("broken", ["File.export", "Directory.sync"])
def test_what_the_engine_cannot_do_is_told_by_itself(broken: str, engine: Engine) -> None:
    def refuse(*_: object) -> None:
        raise Refused("the engine's disk is full [traceparent:0af7-b7ad]")

    engine.answer(broken, refuse)
    said = fails(engine, "build", **MINIMAL)
    assert said.startswith("the Dagger engine could not go on: the engine's disk is full\n")
    assert "TaskGroup" not in said


def test_an_image_of_another_go_is_refused(engine: Engine) -> None:
    engine.answer("Container.stdout", always("go1.20\n"))
    said = fails(engine, "build", **MINIMAL, go_image="mirror.example/golang:1.20")
    assert f"Go {GO_VERSION} is wanted, the image has go1.20" in said


def test_a_mirrors_image_is_used_throughout(engine: Engine) -> None:
    image = "mirror.example:5000/golang:1"
    with_client(called("build", distribution="minimal", go_image=image))
    images = {
        node.arguments["address"]
        for asked in engine.asked
        for node in asked.node.walk()
        if node.call == "Container.from"
    }
    assert images == {image}


def test_a_path_of_the_callers_machine_is_refused_with_the_way_on(engine: Engine) -> None:
    said = fails(engine, "build", distribution="minimal", upstream_repo="./clone")
    assert "--upstream ./clone" in said


def test_a_repository_without_a_collector_is_not_upstream(engine: Engine) -> None:
    engine.answer("Directory.exists", always(value=False))
    assert "has no folder collector/" in fails(engine, "build", distribution="minimal")


def test_an_unknown_distribution_is_told(engine: Engine) -> None:
    assert "perhaps you meant minimal?" in fails(engine, "build", distribution="minimla")


def test_the_config_is_checked() -> None:
    assert "9 distributions" in with_client(called("config_check"))


def test_components_are_listed() -> None:
    rows = json.loads(with_client(called("components", upstream_repo="sample")))
    assert "lambdacomponents.receiver.otlp" in {row["tag"] for row in rows}


def test_every_function_and_argument_is_registered_with_its_words(engine: Engine) -> None:
    with_client(ocelot_module().serve)
    assert engine.invalid == []
    (registered,) = engine.node(engine.returned()).calls("withObject")
    typed = registered.arguments["object"]
    functions = {
        each.arguments["function"].calls("function")[0].arguments["name"]: each.arguments[
            "function"
        ]
        for each in typed.calls("withFunction")
    }
    assert set(functions) == {
        *("build", "layer", "binary", "toolchain", "config_check", "components"),
        *("lock", "bundle", "verify", "inspect"),
        *("publish", "release", "fetch", "bench"),
        *("lint", "types", "unit_tests"),
    }
    for name, made in functions.items():
        assert made.calls("withDescription"), name
        for argument in made.calls("withArg"):
            assert argument.arguments["description"], (name, argument.arguments["name"])
    checks = {name for name, made in functions.items() if made.calls("withCheck")}
    assert checks == {"lint", "types", "unit_tests"}
    policies = {
        name: made.calls("withCachePolicy")[0].arguments["policy"]
        for name, made in functions.items()
        if made.calls("withCachePolicy")
    }
    resolving = ("build", "layer", "binary", "toolchain", "components", "lock", "bundle", "verify")
    doing = ("publish", "release", "fetch", "bench")
    assert policies == {**dict.fromkeys(resolving, "PerSession"), **dict.fromkeys(doing, "Never")}
    (constructor,) = typed.calls("withConstructor")
    (config,) = constructor.arguments["function"].calls("withArg")
    assert config.arguments["defaultPath"] == "/config"


def test_the_same_engine_serves_the_command_line(engine: Engine, tmp_path: Path) -> None:
    given = tmp_path / "tree"
    given.mkdir()

    async def work() -> str:
        return await containers.from_host(given).id()

    made = engine.node(with_client(work))
    assert [node.field for node in made.chain()] == ["host", "directory"]
    assert made.arguments["path"] == str(given)
