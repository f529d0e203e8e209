from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from unit_examples import (
    BATCH,
    COMMIT,
    COMMITTED,
    MINE,
    MINE_ENTRY,
    MINIMAL,
    OTLP,
    WITH_MINE,
    component_file,
    go_mod,
    loaded,
    planned,
    source,
    upstream_tree,
)

from pipeline.build.plan import (
    BuildPlan,
    collector_version,
    layer_configs,
    source_date_epoch,
)
from pipeline.build.recipe import GO_VERSION
from pipeline.config.folder import Config
from pipeline.errors import ConfigError, ToolchainError, UpstreamError, UsageError
from pipeline.layer.zip import EARLIEST, LATEST
from pipeline.naming import CUSTOM_TAG, Architecture

AMD64, ARM64 = Architecture.AMD64, Architecture.ARM64


@pytest.fixture
def minimal(tmp_path: Path) -> Config:
    return loaded(tmp_path, components=MINE_ENTRY)


@pytest.fixture
def with_mine(tmp_path: Path) -> Config:
    return loaded(tmp_path, WITH_MINE, MINE_ENTRY)


def key(plan: BuildPlan, architecture: Architecture = AMD64) -> str:
    return next(layer.key for layer in plan.layers if layer.architecture is architecture)


def test_a_plan_says_what_is_built_of_what(minimal: Config) -> None:
    plan = planned(minimal)
    assert plan.facts.build_tags == (CUSTOM_TAG, OTLP)
    assert (plan.facts.repository, plan.facts.ref, plan.facts.commit) == (
        "owner/name",
        "main",
        COMMIT,
    )
    assert (plan.facts.collector, plan.facts.go) == ("v0.155.0", GO_VERSION)
    assert plan.notes == ()


def test_a_plan_has_a_layer_an_architecture(minimal: Config) -> None:
    assert [layer.file for layer in planned(minimal).layers] == [
        "collector-amd64-minimal.zip",
        "collector-arm64-minimal.zip",
    ]


def test_a_layers_step_compiles_for_its_architecture(minimal: Config) -> None:
    assert [layer.step.lane for layer in planned(minimal).layers] == ["amd64", "arm64"]


def test_the_same_wishes_give_the_same_plan(with_mine: Config) -> None:
    assert planned(with_mine) == planned(with_mine)


def test_the_architectures_have_keys_of_their_own(minimal: Config) -> None:
    plan = planned(minimal)
    assert key(plan, AMD64) != key(plan, ARM64)


Change = Callable[[Path], BuildPlan]

CHANGES: dict[str, Change] = {
    "tags": lambda folder: planned(
        loaded(folder, f"minimal: {{buildtags: [{OTLP}, {MINE}, {BATCH}]}}\n", MINE_ENTRY)
    ),
    "no tags": lambda folder: planned(loaded(folder, "minimal: {}\n", MINE_ENTRY)),
    "a component's version": lambda folder: planned(
        loaded(folder, WITH_MINE, f"{MINE}: example.com/mine@v9.9.9\n")
    ),
    "a component's import": lambda folder: planned(
        loaded(folder, WITH_MINE, f"{MINE_ENTRY}  import: example.com/mine/x\n")
    ),
    "a component's factory": lambda folder: planned(
        loaded(folder, WITH_MINE, f"{MINE_ENTRY}  factory: NewOther\n")
    ),
    "an overlay": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), overlay={"more.go": b"package main\n"}
    ),
    "a config file": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), config_file=b"exporters: {}\n"
    ),
    "the epoch": lambda folder: planned(loaded(folder, WITH_MINE, MINE_ENTRY), epoch=COMMITTED + 2),
    "the commit": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), source(commit="f" * 40)
    ),
    "the commit's time": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), source(committed=COMMITTED + 2)
    ),
    "upstream's sources": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), source({**upstream_tree(), "new.go": b"x"})
    ),
    "the collector's version": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), source(upstream_tree(version="v0.156.0"))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("architecture", [AMD64, ARM64])
def test_what_the_bytes_depend_on_changes_the_key(
    tmp_path: Path, with_mine: Config, change: str, architecture: Architecture
) -> None:
    changed = CHANGES[change](tmp_path / "changed")
    assert key(changed, architecture) != key(planned(with_mine), architecture)


SAME: dict[str, Change] = {
    "one architecture": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), architectures=[AMD64]
    ),
    "architectures turned round": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), architectures=[ARM64, AMD64]
    ),
    "files turned round": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY),
        source(dict(reversed(upstream_tree().items()))),
    ),
    "tags turned round": lambda folder: planned(
        loaded(folder, f"minimal: {{buildtags: [{MINE}, {OTLP}]}}\n", MINE_ENTRY)
    ),
    "another name": lambda folder: planned(
        loaded(folder, f"other: {{buildtags: [{OTLP}, {MINE}]}}\n", MINE_ENTRY),
        distribution="other",
    ),
    "a description": lambda folder: planned(
        loaded(folder, f"{WITH_MINE}  description: other words\n", MINE_ENTRY)
    ),
    "a component that is not chosen": lambda folder: planned(
        loaded(folder, WITH_MINE, f"{MINE_ENTRY}{MINE}2: example.com/mine2\n")
    ),
    "notes in the overlay": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), overlay={"README.md": b"# notes\n"}
    ),
    "the commit's own time given": lambda folder: planned(
        loaded(folder, WITH_MINE, MINE_ENTRY), epoch=COMMITTED
    ),
}


@pytest.mark.parametrize("change", SAME)
def test_what_the_bytes_do_not_depend_on_leaves_the_key(
    tmp_path: Path, with_mine: Config, change: str
) -> None:
    assert key(SAME[change](tmp_path / "changed")) == key(planned(with_mine))


def test_an_unknown_tag_is_reported_with_file_line_and_the_nearest(tmp_path: Path) -> None:
    config = loaded(tmp_path, "minimal:\n  buildtags:\n    - lambdacomponents.exporter.otpl\n")
    with pytest.raises(ConfigError) as caught:
        planned(config)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(tmp_path / "distributions.yaml"), 3)
    assert f"perhaps you meant {OTLP}?" in problem.message
    assert "ocelot components --upstream-repo owner/name" in caught.value.hint


def test_the_unknown_tag_of_a_base_is_reported_where_it_stands(tmp_path: Path) -> None:
    text = f"minimal: {{base: root, buildtags: [{OTLP}]}}\nroot:\n  buildtags: [{MINE}]\n"
    with pytest.raises(ConfigError) as caught:
        planned(loaded(tmp_path, text))
    assert [problem.line for problem in caught.value.problems] == [3]


def test_the_unknown_tag_of_another_distribution_does_not_matter(tmp_path: Path) -> None:
    assert planned(loaded(tmp_path, f"{MINIMAL}other: {{buildtags: [{MINE}]}}\n")).layers


def test_a_tag_that_only_the_overlay_has_is_known(tmp_path: Path) -> None:
    config = loaded(tmp_path, WITH_MINE)
    plan = planned(config, overlay={"lambdacomponents/connector/mine.go": component_file(MINE)})
    assert MINE in plan.facts.build_tags


def test_an_unknown_distribution_is_reported(minimal: Config) -> None:
    with pytest.raises(UsageError, match="no distribution 'absent'"):
        planned(minimal, distribution="absent")


@pytest.mark.parametrize("go", ["1.27", "1.26.7", "1.27.0", "2.0"])
def test_an_upstream_that_wants_a_newer_go_is_reported(minimal: Config, go: str) -> None:
    with pytest.raises(ToolchainError, match=f"needs Go {go}; this ocelot has {GO_VERSION}"):
        planned(minimal, source(upstream_tree(go=go)))


@pytest.mark.parametrize("go", ["1.26.6", "1.26.0", "1.26", "1.25.9", "1.9"])
def test_an_upstream_that_wants_this_go_or_an_older_one_is_fine(minimal: Config, go: str) -> None:
    assert planned(minimal, source(upstream_tree(go=go))).facts.go == GO_VERSION


NEWER = {"receiver/x/go.mod": b"module x.example/x\n\ngo 1.99.0\n"}
REQUIRED, REPLACED = "\nrequire x.example/x v0.0.0\n", "\nreplace x.example/x => {}\n"


def with_newer_module(lines: str) -> dict[str, bytes]:
    tree = {**upstream_tree(), **NEWER}
    return {**tree, "go.mod": tree["go.mod"] + lines.encode()}


@pytest.mark.parametrize(
    "lines",
    [
        REQUIRED + REPLACED.format("./receiver/x"),
        REQUIRED + REPLACED.format("./receiver/x/"),
        REQUIRED + REPLACED.format('"./receiver/x"'),
        REQUIRED + "\nreplace (\n\tx.example/x v0.0.0 => ./receiver/x // ours\n)\n",
    ],
)
def test_a_nested_module_that_wants_a_newer_go_is_reported(minimal: Config, lines: str) -> None:
    with pytest.raises(ToolchainError, match=r"needs Go 1\.99\.0"):
        planned(minimal, source(with_newer_module(lines)))


@pytest.mark.parametrize(
    "lines",
    [
        "",
        REQUIRED,
        REPLACED.format("./receiver/x"),
        f"{REQUIRED}//{REPLACED.format('./receiver/x').strip()}\n",
        REQUIRED + REPLACED.format("../receiver/x"),
        REQUIRED + REPLACED.format("x.example/fork v1.0.0"),
    ],
)
def test_a_nested_module_that_no_build_uses_may_want_a_newer_go(
    minimal: Config, lines: str
) -> None:
    assert planned(minimal, source(with_newer_module(lines))).layers


def test_the_toolchain_line_does_not_count(minimal: Config) -> None:
    tree = upstream_tree()
    tree["go.mod"] += b"\ntoolchain go1.99.0\n"
    assert planned(minimal, source(tree)).layers


def without(name: str) -> dict[str, bytes]:
    return {path: content for path, content in upstream_tree().items() if not path.startswith(name)}


@pytest.mark.parametrize(
    ("tree", "missing"),
    [
        pytest.param({}, "go.mod", id="nothing"),
        pytest.param(without("go.mod"), "go.mod", id="no go.mod"),
        pytest.param({**upstream_tree(), "go.mod": b"module x\n"}, "otelcol", id="no otelcol"),
        pytest.param(without("lambdacomponents/"), "lambdacomponents/", id="no components"),
    ],
)
def test_a_tree_that_is_not_of_upstreams_shape_is_reported(
    minimal: Config, tree: dict[str, bytes], missing: str
) -> None:
    with pytest.raises(UpstreamError, match=missing) as caught:
        planned(minimal, source(tree))
    assert "opentelemetry-lambda" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        go_mod("v0.158.0"),
        b"require go.opentelemetry.io/collector/otelcol v0.158.0\n",
        b"require (\r\n\tgo.opentelemetry.io/collector/otelcol v0.158.0\r\n)\r\n",
        b"require go.opentelemetry.io/collector/otelcol v0.158.0 // pinned\n",
        b"require (\n\tgo.opentelemetry.io/collector/otelcol/otelcoltest v0.1.0\n"
        b"\tgo.opentelemetry.io/collector/otelcol v0.158.0\n)\n",
    ],
)
def test_the_collectors_version_is_that_of_otelcol(text: bytes) -> None:
    assert collector_version(source({**upstream_tree(), "go.mod": text})) == "v0.158.0"


def test_a_version_in_a_comment_is_not_the_collectors() -> None:
    text = b"// go.opentelemetry.io/collector/otelcol v0.1.0\n" + go_mod("v0.158.0")
    assert collector_version(source({**upstream_tree(), "go.mod": text})) == "v0.158.0"


def test_a_custom_component_has_the_collectors_version(with_mine: Config) -> None:
    assert planned(with_mine).facts.custom_modules == ("example.com/mine@v0.155.0",)


def test_a_version_of_ones_own_is_kept(tmp_path: Path) -> None:
    config = loaded(tmp_path, WITH_MINE, f"{MINE}: example.com/mine@v1.2.3\n")
    assert planned(config).facts.custom_modules == ("example.com/mine@v1.2.3",)


def test_a_module_of_two_components_is_required_once(tmp_path: Path) -> None:
    components = f"{MINE}: example.com/mine\n{MINE}2:\n  module: example.com/mine\n"
    config = loaded(tmp_path, f"minimal: {{buildtags: [{MINE}, {MINE}2]}}\n", components)
    assert len(planned(config).facts.custom_modules) == 1


def test_a_component_that_is_not_chosen_has_no_part_in_the_build(minimal: Config) -> None:
    plan = planned(minimal)
    assert plan.facts.custom_modules == ()
    assert plan.tree == upstream_tree()


@pytest.mark.parametrize("tag", ["lambdacomponents.all", "lambdacomponents.connector.all"])
def test_a_tag_for_many_brings_in_the_custom_components(tmp_path: Path, tag: str) -> None:
    plan = planned(loaded(tmp_path, f"minimal: {{buildtags: [{tag}]}}\n", MINE_ENTRY))
    assert plan.facts.custom_modules == ("example.com/mine@v0.155.0",)
    assert "lambdacomponents/connector/ocelot_mine_component.go" in plan.tree


def test_all_of_another_kind_does_not_bring_it_in(tmp_path: Path) -> None:
    text = "minimal: {buildtags: [lambdacomponents.exporter.all]}\n"
    assert planned(loaded(tmp_path, text, MINE_ENTRY)).facts.custom_modules == ()


def test_a_component_that_upstream_offers_by_now_is_left_out_with_a_note(
    with_mine: Config,
) -> None:
    plan = planned(with_mine, source(upstream_tree([OTLP, BATCH, MINE])))
    assert plan.facts.custom_modules == ()
    assert plan.tree == upstream_tree([OTLP, BATCH, MINE])
    assert [note for note in plan.notes if note.startswith(f"{MINE} is upstream's own by now")]


def test_a_hand_written_components_module_is_still_required(with_mine: Config) -> None:
    by_hand = {"lambdacomponents/connector/mine.go": component_file(MINE)}
    plan = planned(with_mine, overlay=by_hand)
    assert plan.facts.custom_modules == ("example.com/mine@v0.155.0",)
    assert "lambdacomponents/connector/ocelot_mine_component.go" not in plan.tree


def test_a_plan_requires_custom_modules_then_brings_modules_one_architecture_at_a_time(
    with_mine: Config,
) -> None:
    names = [step.name for step in planned(with_mine).prepare()]
    assert names == ["require custom modules", "modules for amd64", "modules for arm64"]


def test_for_one_layer_only_its_modules_are_brought(with_mine: Config) -> None:
    plan = planned(with_mine)
    assert plan.prepare(plan.layers[1:]) == (*plan.require, plan.layers[1].modules)


def test_upstreams_configs_go_into_the_layer(minimal: Config) -> None:
    assert planned(minimal).layers[0].configs == {
        "collector-config/config.yaml": b"receivers: {}\n",
        "collector-config/config-debug.yaml": b"exporters: {}\n",
    }


def test_a_config_of_ones_own_takes_the_place_of_config_yaml() -> None:
    assert layer_configs(upstream_tree(), b"own: {}\n") == {
        "collector-config/config.yaml": b"own: {}\n",
        "collector-config/config-debug.yaml": b"exporters: {}\n",
    }


@pytest.mark.parametrize("name", ["other.yaml", "config.yml", "config/a.yaml", "x/config.yaml"])
def test_other_files_are_no_configs(name: str) -> None:
    assert layer_configs({name: b"x"}, None) == {}


def test_an_overlays_config_is_the_layers(minimal: Config) -> None:
    plan = planned(minimal, overlay={"config.yaml": b"overlaid: {}\n"})
    assert plan.layers[0].configs["collector-config/config.yaml"] == b"overlaid: {}\n"


def test_the_commits_time_is_the_epoch(minimal: Config) -> None:
    assert planned(minimal).facts.source_date_epoch == COMMITTED


def test_an_epoch_given_comes_before_the_commits_time(minimal: Config) -> None:
    assert planned(minimal, epoch=COMMITTED - 1).facts.source_date_epoch == COMMITTED - 1


@pytest.mark.parametrize(("epoch", "committed"), [(0, COMMITTED), (None, 0), (1, 1)])
def test_no_epoch_is_before_1980(minimal: Config, epoch: int | None, committed: int) -> None:
    assert (
        planned(minimal, source(committed=committed), epoch=epoch).facts.source_date_epoch
        == EARLIEST
    )


@pytest.mark.parametrize(
    ("text", "epoch"),
    [(None, None), ("", None), ("0", 0), ("1750000000", 1_750_000_000), (str(LATEST), LATEST)],
)
def test_source_date_epoch_is_a_number_of_seconds(text: str | None, epoch: int | None) -> None:
    assert source_date_epoch(text) == epoch


@pytest.mark.parametrize(
    "text", ["now", "-1", "1.5", "1e9", " 1", "1\n", "0x10", str(LATEST + 1), "9" * 5_000]
)
def test_any_other_source_date_epoch_is_reported(text: str) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        source_date_epoch(text)
