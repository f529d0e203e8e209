"""Components that a binary lacks, and the distributions that have them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench_examples import found
from unit_examples import MINE, MINE_ENTRY, SHIPPED, WITH_MINE, component_file, loaded

from pipeline import paths
from pipeline.bench.collector import (
    PROBE,
    CollectorTypes,
    ComponentName,
    availability,
    components_missing_for_tags,
    config_components,
    explicit_availability,
    has_component,
    has_queue,
    queue_probe,
    registered_types,
)
from pipeline.build.components import component_rows
from pipeline.config.components import Component
from pipeline.config.folder import Config, load_config
from pipeline.files import read_tree
from pipeline.layer.components import FoundComponent
from pipeline.naming import KINDS

BINARY = (
    found("receiver", "otlp"),
    found("exporter", "otlphttp"),
    found("exporter", "otlp"),
    found("processor", "memorylimiter"),
    found("extension", "asmauth"),
)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("receiver", "otlp"),
        ("exporter", "otlphttp"),
        ("exporter", "otlp_http"),
        ("exporter", "otlp_grpc"),
        ("processor", "memory_limiter"),
        ("extension", "asmauthextension"),
        ("extension", "asmauth"),
    ],
)
def test_a_component_is_found_under_each_of_its_spellings(kind: str, name: str) -> None:
    assert has_component(BINARY, kind, name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("processor", "otlp"), ("exporter", "debug"), ("extension", ""), ("receiver", "otlphttp")],
)
def test_a_component_of_another_kind_or_name_is_not_found(kind: str, name: str) -> None:
    assert not has_component(BINARY, kind, name)


REFUSED = "invalid configuration: exporters::mine::{}\nservice::pipelines: there is none"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (REFUSED.format("sending_queue: `queue_size` must be positive"), True),
        (REFUSED.format("endpoint: must be given"), False),
        (
            "'exporters' error reading \"mine\": has invalid keys: sending_queue",
            False,
        ),
        ("exporters::mine/2::sending_queue: `queue_size` must be positive", False),
        ("", False),
    ],
)
def test_a_collector_that_refuses_an_invalid_queue_leaves_it_on(
    text: str, *, expected: bool
) -> None:
    assert has_queue(text, "mine") is expected
    assert has_queue(json.dumps({"error": text}), "mine") is expected


def test_the_probe_has_nothing_that_a_collector_could_start() -> None:
    assert yaml.safe_load(queue_probe("mine")) == {
        "exporters": {"mine": {"sending_queue": {"queue_size": -1}}}
    }


def test_a_config_uses_types_and_not_names() -> None:
    config: dict[str, Any] = {
        "receivers": {"otlp": None},
        "exporters": {"otlphttp/eu": {}, "otlphttp/us": {}, "debug": {}},
        "connectors": None,
        "processors": "nonsense",
        "service": {"pipelines": {}},
    }
    assert set(config_components(config)) == {
        ComponentName("receiver", "otlp"),
        ComponentName("exporter", "otlphttp"),
        ComponentName("exporter", "debug"),
    }
    types = CollectorTypes(
        found=BINARY, registered={"exporter": frozenset({"otlphttp"}), "receiver": frozenset()}
    )
    assert types.missing(config) == (
        ComponentName("exporter", "debug"),
        ComponentName("receiver", "otlp"),
    )


def test_no_component_is_missing_for_a_config_if_the_collector_lists_no_types() -> None:
    assert CollectorTypes(found=BINARY).missing({"exporters": {"debug": {}}}) == ()


REFUSAL = """\
failed to get config: cannot unmarshal the configuration: decoding failed:

'receivers' unknown type: "{0}_receiver" for id: "x" (valid values: [otlp])
'exporters' unknown type: "{0}_exporter" for id: "x" (valid values: [acme_thing otlphttp])
'connectors' unknown type: "{0}_connector" for id: "x" (valid values: [])
""".format("ocelot_unknown")  # in the words of the collector v0.155.0
REGISTERED = {
    "receiver": frozenset({"otlp"}),
    "exporter": frozenset({"acme_thing", "otlphttp"}),
    "connector": frozenset[str](),
}


@pytest.mark.parametrize("refusal", [REFUSAL, json.dumps({"level": "error", "error": REFUSAL})])
def test_the_types_that_a_collector_registers_are_read_from_its_refusal(refusal: str) -> None:
    assert registered_types(refusal) == REGISTERED


def test_the_config_of_unknown_types_has_one_of_each_kind() -> None:
    config = yaml.safe_load(PROBE)
    assert sorted(config) == sorted(f"{kind}s" for kind in KINDS)
    for kind in KINDS:
        (name,) = config[f"{kind}s"]
        text = f'unknown type: "{name}" for id: "{name}" (valid values: [a b])'
        assert registered_types(text) == {kind: frozenset({"a", "b"})}


def test_a_type_is_known_by_the_collectors_list_before_any_package() -> None:
    types = CollectorTypes(
        found=(found("exporter", "my"), found("processor", "batch")), registered=REGISTERED
    )
    assert types.has("exporter", "acme_thing")
    assert not types.has("exporter", "my")
    assert types.has("processor", "batch")  # a kind that was not listed


def missing_for(
    *tags: str,
    custom: Mapping[str, Component] | None = None,
    found: Sequence[FoundComponent] = BINARY,
    registered: Mapping[str, frozenset[str]] | None = None,
) -> tuple[ComponentName, ...]:
    types = CollectorTypes(found=found, registered=registered or {})
    return components_missing_for_tags(tags, types, custom or {})


def test_no_component_is_missing_for_tags_whose_components_are_there() -> None:
    tags = (
        *("lambdacomponents.custom", "lambdacomponents.all", "lambdacomponents.receiver.all"),
        *("lambdacomponents.receiver.otlp", "lambdacomponents.extension.asmauthextension"),
        "netgo",
    )
    assert missing_for(*tags) == ()


DEBUG = ComponentName("exporter", "debug")


def test_a_component_that_was_never_registered_is_missing_for_its_tag() -> None:
    tags = ("lambdacomponents.exporter.debug", "lambdacomponents.exporter.otlphttp")
    assert missing_for(*tags) == (DEBUG,)
    listed = {"exporter": frozenset({"otlphttp", "otlp_http"})}
    assert missing_for(*tags, registered=listed) == (DEBUG,)


@pytest.mark.parametrize("listed", ["debug", "acme_thing"])
def test_a_component_may_be_registered_by_another_name_than_its_tag(listed: str) -> None:
    tags = ("lambdacomponents.exporter.debug", "lambdacomponents.exporter.otlphttp")
    assert missing_for(*tags, registered={"exporter": frozenset({"otlphttp", listed})}) == ()


def custom(package: str) -> dict[str, Component]:
    module = {"module": "example.com/odd", "import": f"example.com/odd/{package}"}
    return {MINE: Component.model_validate(module)}


def test_a_custom_component_is_found_by_its_package() -> None:
    own = found("connector", "name", "example.com/odd/nameconnector")
    assert missing_for(MINE, custom=custom("nameconnector"), found=[own]) == ()
    mine = ComponentName("connector", "mine")
    assert missing_for(MINE, custom=custom("nameconnector")) == (mine,)


def test_a_package_whose_path_names_no_kind_may_be_there_unless_the_collector_lists_all() -> None:
    assert missing_for(MINE, custom=custom("my")) == ()
    listed = {"connector": frozenset[str]()}
    assert missing_for(MINE, custom=custom("my"), registered=listed) == (
        ComponentName("connector", "mine"),
    )


def where(name: str, config: Config, tree: dict[str, bytes], kind: str = "exporter") -> str:
    return availability(ComponentName(kind, name), config, component_rows(config, tree))


def test_distributions_with_a_component_are_in_the_configs_order(tmp_path: Path) -> None:
    config = loaded(tmp_path, WITH_MINE + "all:\n  buildtags: [lambdacomponents.all]\n", MINE_ENTRY)
    assert where("mine", config, {}, "connector") == "in minimal, all"


@pytest.mark.parametrize("name", ["logging", "awsxray", "jaeger"])
def test_all_does_not_have_what_this_upstream_has_not(name: str, tmp_path: Path) -> None:
    config = loaded(tmp_path, "all:\n  buildtags: [lambdacomponents.all]\n")
    assert "in no distribution of this upstream" in where(name, config, {})
    tag = f"lambdacomponents.exporter.{name}"
    tree = {f"lambdacomponents/exporter/{name}.go": component_file(tag)}
    assert where(name, config, tree) == "in all"


def test_what_upstream_has_and_no_distribution_is_named_by_its_tag(tmp_path: Path) -> None:
    tag = "lambdacomponents.exporter.debug"
    tree = {"lambdacomponents/exporter/debug.go": component_file(tag)}
    assert tag in where("debug", loaded(tmp_path), tree)


def test_default_has_what_upstreams_default_set_has() -> None:
    tree = read_tree(paths.sample_upstream() / "collector")
    assert where("debug", load_config(SHIPPED), tree).startswith("in default")


def test_two_presets_have_the_s3_exporter() -> None:
    assert where("awss3", load_config(SHIPPED), {}) == "in full, minimal-s3export"


def test_a_custom_component_is_known_by_its_package_too(tmp_path: Path) -> None:
    entry = f"{MINE}:\n  module: example.com/oddconnector\n"
    assert where("odd", loaded(tmp_path, WITH_MINE, entry), {}, "connector") == "in minimal"


def test_without_upstream_only_build_tags_that_name_it_count(tmp_path: Path) -> None:
    config = loaded(tmp_path, WITH_MINE + "all:\n  buildtags: [lambdacomponents.all]\n", MINE_ENTRY)
    named = explicit_availability(ComponentName("connector", "mine"), config, "why")
    assert "minimal" in named
    assert "all" not in named
    assert named.endswith("; why")
    assert "minimal" not in explicit_availability(DEBUG, config, "why")
