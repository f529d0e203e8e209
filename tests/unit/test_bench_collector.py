"""Components that a binary lacks, and the configs with which a layer is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from unit_examples import MINE, MINE_ENTRY, SHIPPED, WITH_MINE, loaded

from pipeline.bench.collector import (
    ComponentName,
    bench_config,
    bench_config_notes,
    components_missing_for_config,
    components_missing_for_tags,
    config_components,
    distributions_with,
    has_component,
    moved_config,
    needs_credentials,
    read_config,
)
from pipeline.config.components import Component
from pipeline.config.folder import load_config
from pipeline.errors import UsageError
from pipeline.layer.components import FoundComponent

OTEL = "go.opentelemetry.io/collector"


def found(kind: str, name: str, package: str = "") -> FoundComponent:
    path = package or f"{OTEL}/{kind}/{name}{kind}"
    return FoundComponent(kind=kind, name=name, package=path, module=path, version="v1", size=1)


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
    assert components_missing_for_config(config, BINARY) == (ComponentName("exporter", "debug"),)


def test_no_component_is_missing_for_tags_whose_components_are_there() -> None:
    tags = (
        *("lambdacomponents.custom", "lambdacomponents.all", "lambdacomponents.receiver.all"),
        *("lambdacomponents.receiver.otlp", "lambdacomponents.extension.asmauthextension"),
        "netgo",
    )
    assert components_missing_for_tags(tags, BINARY, {}) == ()


def test_a_component_that_was_never_registered_is_missing_for_its_tag() -> None:
    tags = ("lambdacomponents.exporter.debug", "lambdacomponents.exporter.otlphttp")
    assert components_missing_for_tags(tags, BINARY, {}) == (ComponentName("exporter", "debug"),)


def test_a_custom_component_is_found_by_its_package() -> None:
    custom = {
        MINE: Component.model_validate(
            {"module": "example.com/odd", "import": "example.com/odd/name"}
        )
    }
    own = found("connector", "name", "example.com/odd/name")
    assert components_missing_for_tags((MINE,), (own,), custom) == ()
    assert components_missing_for_tags((MINE,), BINARY, custom) == (
        ComponentName("connector", "mine"),
    )


def test_distributions_with_a_component_are_in_the_configs_order(tmp_path: Path) -> None:
    config = loaded(tmp_path, WITH_MINE + "all:\n  buildtags: [lambdacomponents.all]\n", MINE_ENTRY)
    assert distributions_with(ComponentName("connector", "mine"), config) == ("minimal", "all")
    assert distributions_with(ComponentName("exporter", "unheard_of"), config) == ("all",)


def test_two_presets_have_the_s3_exporter() -> None:
    exporter = ComponentName("exporter", "awss3")
    assert distributions_with(exporter, load_config(SHIPPED)) == ("full", "minimal-s3export")


LISTENS = {"grpc": "127.0.0.1:1111", "http": "127.0.0.1:2222"}
TARGET = {"http": "http://127.0.0.1:3", "grpc": "127.0.0.1:4"}
MINIMAL = (
    found("receiver", "otlp"),
    found("exporter", "otlphttp"),
    found("processor", "batch"),
    found("processor", "decouple"),
)
OWN: dict[str, Any] = {
    "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": "localhost:4317"}, "http": None}}},
    "processors": {"batch": {"timeout": "1s"}, "decouple": None, "filter/noise": {}},
    "exporters": {"debug": None},
    "extensions": {"basicauth": {}},
    "service": {
        "extensions": ["basicauth"],
        "pipelines": {
            "traces": {"processors": ["filter/noise", "decouple", "batch"]},
            "logs": {"processors": ["batch"]},
        },
    },
}


def made(own: dict[str, Any], parts: tuple[FoundComponent, ...] = MINIMAL) -> dict[str, Any]:
    text = bench_config(own, parts, LISTENS, TARGET)
    assert "&" not in text  # no anchors: not every reader has them
    return yaml.safe_load(text)


def test_all_three_signals_go_from_the_given_addresses_to_the_bench() -> None:
    config = made(OWN)
    protocols = config["receivers"]["otlp"]["protocols"]
    assert protocols["grpc"]["endpoint"] == "127.0.0.1:1111"
    assert protocols["http"]["endpoint"] == "127.0.0.1:2222"
    assert config["exporters"] == {"otlphttp": {"endpoint": "http://127.0.0.1:3"}}
    assert set(config["service"]["pipelines"]) == {"traces", "metrics", "logs"}


def test_the_layers_own_processors_are_kept_in_their_order() -> None:
    config = made(OWN)
    assert config["processors"] == {"decouple": None, "batch": {"timeout": "1s"}}
    for pipeline in config["service"]["pipelines"].values():
        assert pipeline["processors"] == ["decouple", "batch"]


def test_parts_of_the_layers_own_config_that_are_omitted_are_noted() -> None:
    assert bench_config_notes(OWN, MINIMAL) == (
        "run without the processor filter/noise",
        "run without its config's extensions",
    )


@pytest.mark.parametrize("own", [{}, {"service": {"pipelines": None}}])
def test_a_layer_whose_config_has_no_processors_has_the_usual_ones(own: dict[str, Any]) -> None:
    assert list(made(own)["processors"]) == ["batch", "decouple"]
    assert made(own, MINIMAL[:2])["processors"] == {}


def test_a_layer_with_the_grpc_exporter_alone_sends_by_it() -> None:
    config = made(OWN, (found("exporter", "otlp"), *MINIMAL[2:]))
    exporter = {"endpoint": "127.0.0.1:4", "tls": {"insecure": True}}
    assert config["exporters"] == {"otlp": exporter}


def test_a_layer_without_an_exporter_for_otlp_keeps_its_config_and_that_is_noted() -> None:
    assert made(OWN, ())["exporters"] == {"debug": None}
    (note,) = bench_config_notes(OWN, ())
    assert "no exporter for OTLP" in note


def test_a_config_has_other_addresses_and_is_the_same_otherwise() -> None:
    config = yaml.safe_load(moved_config(OWN, LISTENS))
    assert config["receivers"]["otlp"]["protocols"] == {
        "grpc": {"endpoint": "127.0.0.1:1111"},
        "http": {"endpoint": "127.0.0.1:2222"},
    }
    assert {**config, "receivers": None} == {**OWN, "receivers": None}
    assert OWN["receivers"]["otlp"]["protocols"]["http"] is None  # the given one is not changed


def test_a_protocol_that_is_not_served_is_not_added() -> None:
    own: dict[str, Any] = {
        "receivers": {"otlp/a": {"protocols": {"http": {"cors": {}}}}, "other": {"a": 1}}
    }
    assert yaml.safe_load(moved_config(own, LISTENS)) == {
        "receivers": {
            "otlp/a": {"protocols": {"http": {"cors": {}, "endpoint": "127.0.0.1:2222"}}},
            "other": {"a": 1},
        }
    }


@pytest.mark.parametrize(
    "receivers", [None, [], "otlp", {"otlp": None}, {"otlp": {"protocols": 1}}]
)
def test_a_config_with_odd_receivers_stays_as_it_is(receivers: object) -> None:
    own = {"receivers": receivers}
    assert yaml.safe_load(moved_config(own, LISTENS)) == own


def test_a_provider_that_needs_credentials_is_found() -> None:
    own = {"exporters": {"otlphttp": {"endpoint": "${secretsmanager:${env:NAME}#endpoint}"}}}
    assert needs_credentials(own) == "${secretsmanager:…}"
    assert not needs_credentials(OWN)


@pytest.mark.parametrize("content", [b"a: [", b"- a\n", b"", b"\xff\xfe\x00"])
def test_content_that_is_no_config_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match="mine is no"):
        read_config(content, "mine")
