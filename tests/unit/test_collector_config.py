"""The configs with which a layer is run: the user's text with other ports, and the bench's own."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
import yaml
from bench_examples import found

from pipeline.bench.collector import CollectorTypes
from pipeline.bench.collector_config import (
    bench_config,
    bench_config_notes,
    changed_config,
    exports_by_grpc,
    moved_config,
    needs_credentials,
    read_config,
)

LISTENS = {"grpc": "127.0.0.1:1111", "http": "127.0.0.1:2222"}
TARGET = {"http": "http://127.0.0.1:3", "grpc": "127.0.0.1:4"}
MINIMAL = (
    found("receiver", "otlp"),
    found("exporter", "otlphttp"),
    found("processor", "batch"),
    found("processor", "decouple"),
)
OWN = b"""\
receivers: {otlp: {protocols: {grpc: {endpoint: "localhost:4317"}, http: }}}
processors:
  batch: {timeout: 1s}
  decouple:
  filter/noise: {}
exporters: {debug: }
extensions: {basicauth: {}}
service:
  extensions: [basicauth]
  pipelines:
    traces: {processors: [filter/noise, decouple, batch]}
    logs: {processors: [batch]}
"""


def made(own: bytes, *parts: Any, **registered: Any) -> dict[str, Any]:  # noqa: ANN401
    types = CollectorTypes(found=parts or MINIMAL, registered=registered)
    text = bench_config(own, types, LISTENS, TARGET)
    assert b"&" not in text  # no anchors: not every reader has them
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


@pytest.mark.parametrize("text", ["on", "no", "12:30:45", "0o14", "1e3", "'on'", "2001-01-01"])
@pytest.mark.parametrize("form", ["{{attributes: [{{key: a, value: {}}}]}}", "\n    a: {}"])
def test_the_settings_of_processors_stand_as_they_were_written(text: str, form: str) -> None:
    own = f"processors:\n  batch: {form.format(text)}\nservice:\n  pipelines:\n    logs:\n"
    own += "      processors: [batch]\n"
    written = bench_config(own.encode(), CollectorTypes(found=MINIMAL), LISTENS, TARGET).decode()
    assert [line for line in written.splitlines() if line.endswith(f": {text}")] != []
    assert "!!" not in written


def test_settings_behind_an_alias_are_kept() -> None:
    own = b"""\
    x: &settings {timeout: 1s}
    processors: {batch: *settings, batch/2: *settings}
    service: {pipelines: {logs: {processors: [batch, batch/2]}}}
    """
    types = CollectorTypes(found=MINIMAL)
    written = yaml.safe_load(bench_config(own, types, LISTENS, TARGET))
    assert written["processors"] == {"batch": {"timeout": "1s"}, "batch/2": {"timeout": "1s"}}


def test_parts_of_the_layers_own_config_that_are_omitted_are_noted() -> None:
    assert bench_config_notes(OWN, CollectorTypes(found=MINIMAL)) == (
        "run without the processor filter/noise",
        "run without its config's extensions",
    )


@pytest.mark.parametrize("own", [b"", b"service: {pipelines: }", b"a: [", b"- a", b"a: 1\na: 2\n"])
def test_a_layer_without_pipelines_of_its_own_is_run_with_decouple(own: bytes) -> None:
    assert list(made(own)["processors"]) == ["decouple"]
    assert made(own, *MINIMAL[:2])["processors"] == {}


def test_a_layer_whose_own_pipelines_have_no_processors_is_run_without() -> None:
    config = made(b"service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}")
    assert config["processors"] == {}
    assert all(each["processors"] == [] for each in config["service"]["pipelines"].values())


@pytest.mark.parametrize(
    ("level", "kept"),
    [("warn", "warn"), ("'${env:LEVEL:-warn}'", "${env:LEVEL:-warn}")]
    + [(each, None) for each in ("off", "[warn]", "", "'${s3:bucket}'")],
)
def test_the_layers_own_log_level_is_kept(level: str, kept: str | None) -> None:
    own = f"service: {{telemetry: {{logs: {{level: {level}, encoding: json}}}}}}".encode()
    types = CollectorTypes(found=(*MINIMAL, found("provider", "s3")))
    telemetry = yaml.safe_load(bench_config(own, types, LISTENS, TARGET))["service"]["telemetry"]
    assert telemetry.get("logs") == ({"level": kept} if kept else None)


def test_a_processor_that_fetches_from_aws_is_left_out() -> None:
    own = OWN.replace(b"1s", b"'${s3:bucket}'")
    types = CollectorTypes(found=(*MINIMAL, found("provider", "s3")))
    config = yaml.safe_load(bench_config(own, types, LISTENS, TARGET))
    assert list(config["processors"]) == ["decouple"]
    assert "run without the processor batch" in bench_config_notes(own, types)


def test_a_layer_with_the_grpc_exporter_alone_sends_by_it() -> None:
    parts = (found("exporter", "otlp"), *MINIMAL[2:])
    exporter = {"endpoint": "127.0.0.1:4", "tls": {"insecure": True}}
    assert made(OWN, *parts)["exporters"] == {"otlp": exporter}
    assert exports_by_grpc(CollectorTypes(found=parts))
    assert not exports_by_grpc(CollectorTypes(found=MINIMAL))


def test_the_exporter_has_the_type_that_the_collector_registers() -> None:
    config = made(OWN, exporter=frozenset({"otlp_http"}))
    assert list(config["exporters"]) == ["otlp_http"]


def test_a_layer_without_an_exporter_for_otlp_keeps_its_config_and_that_is_noted() -> None:
    types = CollectorTypes()
    assert yaml.safe_load(bench_config(OWN, types, LISTENS, TARGET))["exporters"] == {"debug": None}
    assert yaml.safe_load(bench_config(b"", types, LISTENS, TARGET)) == {}
    (note,) = bench_config_notes(OWN, types)
    assert "no exporter for OTLP" in note


MOVED = '"127.0.0.1:0"'


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        (
            "http: {endpoint: localhost:4318}  # here",
            f"http: {{endpoint: {MOVED}}}  # here",
        ),
        ("http:", f"http: {{endpoint: {MOVED}}}"),
        ("http:  # all", f"http: {{endpoint: {MOVED}}}  # all"),
        ("http: ~", f"http: {{endpoint: {MOVED}}}"),
        ("http: {}", f"http: {{endpoint: {MOVED}}}"),
        ("http: {cors: {}}", f"http: {{endpoint: {MOVED}, cors: {{}}}}"),
        ("http:\n        cors: on\n", f"http:\n        endpoint: {MOVED}\n        cors: on\n"),
        (
            "http:\n        endpoint: 'localhost:4318'\n        x: no",
            f"http:\n        endpoint: {MOVED}\n        x: no",
        ),
        ("{grpc: , http: }", f"{{grpc: {{endpoint: {MOVED}}} , http: {{endpoint: {MOVED}}} }}"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_the_places_of_ports_are_changed(settings: str, changed: str, end: str) -> None:
    """All else is the same to the byte: comments, quotes, values that YAML readers differ in."""
    before = "# mine\nreceivers:\n  otlp:\n    protocols:\n      "
    after = "\nexporters: {a: {h: {x: on, y: 12:30:45, z: 'no'}}}\n"
    text, expected = ((before + each + after).replace("\n", end) for each in (settings, changed))
    assert moved_config(text.encode()).decode().replace(end, "\n") == expected.replace(end, "\n")


@pytest.mark.parametrize(
    ("service", "changed"),
    [
        ("pipelines: {}", "telemetry: {metrics: {level: none}}\n  pipelines: {}"),
        ("telemetry:", "telemetry: {metrics: {level: none}}"),
        ("telemetry: {metrics: {level: detailed}}", "telemetry: {metrics: {level: none}}"),
        ("telemetry: {logs: {}}", "telemetry: {metrics: {level: none}, logs: {}}"),
    ],
)
def test_the_collectors_own_metrics_take_no_port(service: str, changed: str) -> None:
    text = f"service:\n  {service}\n"
    assert moved_config(text.encode()).decode() == f"service:\n  {changed}\n"


@pytest.mark.parametrize(
    "text",
    [
        "receivers:",
        "receivers: [otlp]",
        "receivers: otlp",
        "receivers: {otlp: }",
        "receivers: {otlp: {protocols: 1}}",
        "receivers: {other: {protocols: {http: }}}",
        "receivers: {otlp: {protocols: {grpc: {endpoint: /run/a, transport: unix}}}}",
        "a: [",
        "- a",
        "",
        "receivers: {otlp: {protocols: {http: }}}\nreceivers: {otlp: {protocols: {http: }}}\n",
        "receivers: {otlp: {protocols: {http: &a {endpoint: 'localhost:1'}, grpc: *a}}}",
        "receivers: {otlp: {protocols: {http: {endpoint: &a 'localhost:1'}}}}\nb: *a\n",
        "receivers: {otlp: {protocols: {http: {endpoint: [a]}}}}",
        "receivers:\n otlp:\n  protocols:\n   http:\n    endpoint: |\n     a:1\nb:\n",
    ],
)
def test_a_config_whose_ports_cannot_be_changed_in_place_stays_as_it_is(text: str) -> None:
    assert moved_config(text.encode()) == text.encode()


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    assert moved_config(b"\xff\xfea: 1") == b"\xff\xfea: 1"
    assert read_config(b"\xff\xfea: 1") == {}


def test_keys_that_are_missing_are_added() -> None:
    places = {("a", "b"): "1", ("c", "d", "e"): "[x]"}
    assert (
        changed_config(b"{a: {z: 0}, y: }", places) == b"{c: {d: {e: [x]}}, a: {b: 1, z: 0}, y: }"
    )


@pytest.mark.parametrize(
    "value", ["${secretsmanager:${env:NAME}#endpoint}", "a ${s3:bucket} b", "$$${s3://x}"]
)
def test_a_provider_that_needs_credentials_is_found(value: str) -> None:
    own = dedent(f"exporters: {{otlphttp: {{endpoint: '{value}'}}}}\n").encode()
    assert needs_credentials(own, CollectorTypes())
    assert needs_credentials(b"a: [" + own, CollectorTypes())


@pytest.mark.parametrize("text", ["a: '$${s3:bucket}'", "a: b  # ${s3:bucket}", "a: '${env:s3}'"])
def test_what_only_looks_like_a_reference_needs_no_credentials(text: str) -> None:
    assert not needs_credentials(text.encode(), CollectorTypes())


def test_a_collector_without_the_provider_needs_no_credentials() -> None:
    own = b"a: '${s3:bucket}'"
    env, s3 = found("provider", "env"), found("provider", "s3")
    assert not needs_credentials(own, CollectorTypes(found=[env]))
    assert needs_credentials(own, CollectorTypes(found=[env, s3])) == "${s3:…}"
