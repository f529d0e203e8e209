"""The configs with which a layer is tried."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from test_bench_components import found

from pipeline.bench.collector_config import (
    BenchConfig,
    Ports,
    bench_config,
    moved,
    needs_credentials,
    read_config,
)
from pipeline.errors import UsageError

PORTS = Ports(grpc=1111, http=2222)
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


def made(own: dict[str, Any] | None = None, parts: Any = MINIMAL) -> BenchConfig:  # noqa: ANN401
    return bench_config(own, parts, PORTS, http="http://127.0.0.1:3", grpc="127.0.0.1:4")


def test_all_three_signals_go_from_our_ports_to_our_endpoint() -> None:
    config = yaml.safe_load(made(OWN).text)
    protocols = config["receivers"]["otlp"]["protocols"]
    assert protocols["grpc"]["endpoint"] == "127.0.0.1:1111"
    assert protocols["http"]["endpoint"] == "127.0.0.1:2222"
    assert config["exporters"] == {"otlphttp": {"endpoint": "http://127.0.0.1:3"}}
    assert set(config["service"]["pipelines"]) == {"traces", "metrics", "logs"}
    assert "&" not in made(OWN).text  # no anchors: not every reader has them


def test_the_layers_own_processors_are_kept_in_their_order() -> None:
    config = yaml.safe_load(made(OWN).text)
    assert config["processors"] == {"decouple": None, "batch": {"timeout": "1s"}}
    for pipeline in config["service"]["pipelines"].values():
        assert pipeline["processors"] == ["decouple", "batch"]


def test_what_is_left_out_is_told() -> None:
    assert made(OWN).notes == (
        "tried without the processor filter/noise",
        "tried without its config's extensions",
    )


@pytest.mark.parametrize("own", [None, {}, {"service": {"pipelines": None}}])
def test_without_processors_of_its_own_it_has_the_usual_ones(own: dict[str, Any] | None) -> None:
    assert list(yaml.safe_load(made(own).text)["processors"]) == ["batch", "decouple"]
    assert yaml.safe_load(made(own, MINIMAL[:2]).text)["processors"] == {}


def test_a_layer_with_the_grpc_exporter_alone_sends_by_it() -> None:
    config = made(OWN, (found("exporter", "otlp"), *MINIMAL[2:]))
    assert config.exporter == "otlp"
    exporters = yaml.safe_load(config.text)["exporters"]
    assert exporters == {"otlp": {"endpoint": "127.0.0.1:4", "tls": {"insecure": True}}}


def test_a_layer_without_an_exporter_for_otlp_keeps_its_config_and_that_is_told() -> None:
    config = made(OWN, ())
    assert not config.exporter
    assert yaml.safe_load(config.text)["exporters"] == {"debug": None}
    assert "no exporter that speaks OTLP" in config.notes[0]


def test_a_config_is_moved_to_other_ports_and_otherwise_left_alone() -> None:
    config = yaml.safe_load(moved(OWN, PORTS))
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
    assert yaml.safe_load(moved(own, PORTS)) == {
        "receivers": {
            "otlp/a": {"protocols": {"http": {"cors": {}, "endpoint": "127.0.0.1:2222"}}},
            "other": {"a": 1},
        }
    }


@pytest.mark.parametrize(
    "receivers", [None, [], "otlp", {"otlp": None}, {"otlp": {"protocols": 1}}]
)
def test_a_config_with_odd_receivers_is_the_collectors_to_refuse(receivers: object) -> None:
    own = {"receivers": receivers}
    assert yaml.safe_load(moved(own, PORTS)) == own


def test_what_takes_credentials_is_seen() -> None:
    own = {"exporters": {"otlphttp": {"endpoint": "${secretsmanager:${env:NAME}#endpoint}"}}}
    assert needs_credentials(own) == "${secretsmanager:…}"
    assert not needs_credentials(OWN)


@pytest.mark.parametrize("content", [b"a: [", b"- a\n", b"", b"\xff\xfe\x00"])
def test_what_is_no_config_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match="mine is no"):
        read_config(content, "mine")
