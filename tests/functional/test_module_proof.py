"""Lock, bundle, verify and inspect as functions of the module, against the stand-in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from dagger import dag
from dagger_client import needs_schema, with_client
from dagger_engine import Engine, ExecFailed, Handler, Node
from dagger_module import (
    MINIMAL,
    SAMPLE,
    Values,
    all_goes_well,
    called,
    environment,
    executed,
    exported_folder,
    fails,
    steps_of,
)
from supply_examples import paper

from pipeline.build import toolchain
from pipeline.build.lock import FILE_NAME, parse_lock
from pipeline.supply.layerfile import open_layer

pytestmark = needs_schema

ADDED = f"example.com/added v1.0.0 h1:{'A' * 43}="


@pytest.fixture(autouse=True)
def _answers(  # pyright: ignore[reportUnusedFunction]
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A working folder and packages as a module's function has them; Go adds a module."""

    monkeypatch.setattr(toolchain, "toolchain_files", dict[str, Path])
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    all_goes_well(engine)
    engine.answer("File.contents", resolved)


def resolved(node: Node, _: Values) -> str:
    """go.mod and go.sum as they are once Go has completed them."""
    name = Path(node.arguments["path"]).name
    more = {"go.mod": "require example.com/added v1.0.0\n", "go.sum": f"{ADDED}\n"}
    return (SAMPLE / "collector" / name).read_text() + more[name]


def handed_out(engine: Engine, result: str) -> Path:
    """Where a file or directory lies that a function handed out of its working folder."""
    chain = engine.node(result).chain()
    parts = [str(node.arguments["path"]) for node in chain if "path" in node.arguments]
    return Path.cwd().joinpath(*parts)


def forget() -> None:
    """Begin a new call, with a working folder of its own."""
    shutil.rmtree(Path.cwd() / ".ocelot")


def locked_config(engine: Engine, text: str) -> None:
    """Have the config folder hold that lock."""

    def exported(node: Node, arguments: Values) -> str:
        path = Path(exported_folder(node, arguments))
        if (path / "distributions.yaml").exists():
            (path / FILE_NAME).write_text(text)
        return str(path)

    engine.answer("Directory.export", exported)


def lock(engine: Engine) -> str:
    """The lock that the module makes of the sample's `minimal`."""
    made = with_client(called("lock", distribution=["minimal"], upstream_repo="sample"))
    text = handed_out(engine, made).read_text()
    forget()
    return text


def test_lock_hands_out_the_file_with_what_go_added(engine: Engine) -> None:
    (entry,) = parse_lock(lock(engine)).locked
    assert engine.invalid == []
    assert entry.key == ("minimal", "sample", "main")
    assert entry.go_mod == ("example.com/added@v1.0.0",)
    assert entry.go_sum == (ADDED,)


def test_lock_runs_the_module_steps_and_compiles_nothing(engine: Engine) -> None:
    lock(engine)
    commands = [
        asked.node.arguments["args"][:2]
        for asked in engine.asked
        if asked.name == "Container.combinedOutput"
    ]
    assert commands == [["go", "list"], ["go", "list"]]


def test_a_locked_build_gives_go_the_locked_requirements_and_lets_it_change_nothing(
    engine: Engine,
) -> None:
    locked_config(engine, lock(engine))
    with_client(called("build", **MINIMAL, locked=True))
    assert engine.invalid == []
    for container in executed(engine):
        (edit, _), *modules, _ = steps_of(container)
        assert edit == ["go", "mod", "edit", "-require=example.com/added@v1.0.0"]
        assert {env["GOFLAGS"] for _, env in modules} == {"-mod=readonly -modcacherw"}
    manifest = json.loads((Path.cwd() / ".ocelot" / "dist" / "manifest.json").read_text())
    assert [layer["locked"] for layer in manifest["layers"]] == [True, True]


def test_a_build_without_a_lock_is_refused_where_one_is_asked_for(engine: Engine) -> None:
    said = fails(engine, "build", **MINIMAL, locked=True)
    assert "minimal is not as ocelot.lock has it" in said
    assert "next: ocelot lock" in said
    assert executed(engine) == []


def test_a_build_that_needs_more_than_the_lock_has_says_so(engine: Engine) -> None:
    def listed(node: Node, _: Values) -> str:
        if node.arguments["args"][1] == "list":
            raise ExecFailed(node.arguments["args"], 1, stderr="go: updates to go.mod needed")
        return ""

    locked_config(engine, lock(engine))
    engine.answer("Container.combinedOutput", listed)
    assert "needs more than the lock has" in fails(engine, "build", **MINIMAL, locked=True)


def with_downloads(engine: Engine, text: str) -> None:
    """Have the engine hand over modules besides the locked config."""
    locked_config(engine, text)
    exported = engine.handler("Directory.export")

    def with_modules(node: Node, arguments: Values) -> str:
        if not str(node.arguments.get("path", "")).endswith("cache/download"):
            return exported(node, arguments)
        folder = Path(arguments["path"]) / "example.com" / "!added" / "@v"
        folder.mkdir(parents=True)
        for suffix in ("mod", "zip", "info", "ziphash", "lock"):
            (folder / f"v1.0.0.{suffix}").write_text(suffix)
        return str(arguments["path"])

    engine.answer("Directory.export", with_modules)


def bundle(engine: Engine, tmp_path: Path) -> Path:
    """The bundle that the module makes of the sample's `minimal`."""
    with_downloads(engine, lock(engine))
    made = handed_out(engine, with_client(called("bundle", **MINIMAL)))
    kept = tmp_path / made.name
    shutil.copy(made, kept)
    forget()
    return kept


def test_a_bundles_modules_are_gathered_in_a_cache_of_the_containers_own(
    engine: Engine, tmp_path: Path
) -> None:
    bundle(engine, tmp_path)
    assert engine.invalid == []
    (taken,) = [
        asked.node
        for asked in engine.asked
        if asked.name == "Directory.export"
        and str(asked.node.arguments.get("path", "")).endswith("cache/download")
    ]
    container = taken.parent
    assert container
    seen = environment(container)
    assert seen["GOMODCACHE"] == "/ocelot/collected"
    assert seen["GOPROXY"].startswith("file:///ocelot/cache/modules/cache/download,")


def test_a_build_from_a_bundle_asks_no_proxy_and_no_repository(
    engine: Engine, tmp_path: Path
) -> None:
    made = bundle(engine, tmp_path)
    engine.answer("File.export", bundle_or_binary(made))

    async def file() -> str:
        return await dag.container().file("/the/bundle").id()

    with_client(called("build", distribution="minimal", bundle=file))
    assert engine.invalid == []
    assert [each for each in engine.asked if each.name.startswith("GitRef")] == []
    for container in (each for each in executed(engine) if each.calls("withExec")):
        mounted = [each.arguments["path"] for each in container.calls("withMountedDirectory")]
        assert mounted == ["/ocelot/bundle"]
        modules = [env for argv, env in steps_of(container) if argv[1] == "list"]
        assert {env["GOPROXY"] for env in modules} == {"file:///ocelot/bundle"}
        assert {env["GOSUMDB"] for env in modules} == {"off"}
    proxy = Path.cwd() / ".ocelot" / "bundle" / "modules" / "example.com" / "!added" / "@v"
    names = sorted(path.name for path in proxy.iterdir())
    assert names == ["list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"]


def test_a_bundle_for_another_distribution_is_refused(engine: Engine, tmp_path: Path) -> None:
    made = bundle(engine, tmp_path)
    engine.answer("File.export", bundle_or_binary(made))

    async def file() -> str:
        return await dag.container().file("/the/bundle").id()

    said = fails(engine, "build", distribution="full", bundle=file)
    assert "the bundle is for minimal, not for full" in said


def test_a_damaged_bundle_is_refused_before_anything_is_run(engine: Engine, tmp_path: Path) -> None:
    made = bundle(engine, tmp_path)
    ran = len(engine.asked)
    made.write_bytes(made.read_bytes()[:-100])
    engine.answer("File.export", bundle_or_binary(made))

    async def file() -> str:
        return await dag.container().file("/the/bundle").id()

    assert "is damaged" in fails(engine, "build", distribution="minimal", bundle=file)
    assert [each.name for each in engine.asked[ran:] if "Output" in each.name] == []


def bundle_or_binary(made: Path) -> Handler:
    """Hand over a bundle where that is asked for, else a binary."""

    def exported(node: Node, arguments: Values) -> str:
        path = Path(arguments["path"])
        if node.arguments["path"] == "/the/bundle":
            shutil.copy(made, path)
        else:
            path.write_bytes(paper(Path(node.arguments["path"]).parent.name))
        return str(path)

    return exported


def built_layers(engine: Engine, tmp_path: Path) -> Path:
    """A folder of layers, built by the module, and a config that has their lock."""
    text = lock(engine)
    locked_config(engine, text)
    with_client(called("build", **MINIMAL))
    kept = tmp_path / "layers"
    shutil.copytree(Path.cwd() / ".ocelot" / "dist", kept)
    forget()
    return kept


def handed_layers(engine: Engine, kept: Path) -> None:
    """Have the engine hand over those layers where a folder of that name is asked for."""
    exported = engine.handler("Directory.export")

    def with_layers(node: Node, arguments: Values) -> str:
        if Path(arguments["path"]).name != "layers":
            return exported(node, arguments)
        shutil.copytree(kept, arguments["path"])
        return str(arguments["path"])

    engine.answer("Directory.export", with_layers)


async def layers() -> str:
    return await dag.directory().with_new_directory("layers").id()


def test_layers_that_a_rebuild_gives_again_are_verified(engine: Engine, tmp_path: Path) -> None:
    handed_layers(engine, built_layers(engine, tmp_path))
    folder = handed_out(engine, with_client(called("verify", layers=layers)))
    assert engine.invalid == []
    told = json.loads((folder / "verification.json").read_text())
    assert told["same"]
    assert [each["architecture"] for each in told["layers"]] == ["amd64", "arm64"]
    assert "same bytes" in (folder / "verification.md").read_text()


def test_a_layer_that_a_rebuild_does_not_give_fails_the_call(
    engine: Engine, tmp_path: Path
) -> None:
    kept = built_layers(engine, tmp_path)
    shutil.copy(kept / "collector-arm64-minimal.zip", kept / "collector-amd64-minimal.zip")
    handed_layers(engine, kept)
    said = fails(engine, "verify", layers=layers)
    assert "1 of 2 layers are not what a rebuild gives" in said
    assert "machine: arm64 instead of amd64" in said


def test_a_layers_inside_is_told_as_json(engine: Engine, tmp_path: Path) -> None:
    kept = built_layers(engine, tmp_path) / "collector-amd64-minimal.zip"

    def exported(_: Node, arguments: Values) -> str:
        shutil.copy(kept, arguments["path"])
        return str(arguments["path"])

    async def file() -> str:
        return await dag.container().file("/layer.zip").id()

    engine.answer("File.export", exported)
    told = json.loads(with_client(called("inspect", layer=file)))
    opened = open_layer(kept.read_bytes(), file=kept.name)
    assert told["sha256"] == opened.sha256
    assert [each["path"] for each in told["modules"]] == ["example.com/one"]
