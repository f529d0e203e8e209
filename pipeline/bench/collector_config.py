"""Collector configs for the bench, made of a layer's own. Pure.

https://opentelemetry.io/docs/collector/configuration/
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import yaml

from pipeline.bench.components import has
from pipeline.bench.items import SIGNALS
from pipeline.errors import UsageError
from pipeline.layer.components import FoundComponent

# Processors that neither drop, sample nor hold back anything.
_LOSSLESS = ("memory_limiter", "resource", "attributes", "coldstart", "batch", "decouple")
# What a layer's processors are where its own config uses none.
_USUAL = ("batch", "decouple")
# Values that a config fetches from AWS.
_FETCHED = ("${secretsmanager:", "${s3:", "${awssecretsmanager:")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Where the layer's OTLP receiver is to listen, on 127.0.0.1."""

    grpc: int
    http: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchConfig:
    """A config with which a layer can be tried.

    Attributes:
        text: the config, as YAML.
        exporter: by which it sends; empty where the layer has none that speaks OTLP.
        notes: what of the layer's own config is not in it, for people.
    """

    text: str
    exporter: str
    notes: tuple[str, ...]


def read_config(content: bytes, name: str) -> dict[str, Any]:
    """A collector's config.

    Raises:
        UsageError: it is no YAML, or no mapping.
    """
    try:
        config: object = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{name} is no YAML: {error}", hint="mend it") from error
    if not isinstance(config, dict):
        raise UsageError(f"{name} is no collector config", hint="it has receivers, service and so")
    return cast("dict[str, Any]", config)


def bench_config(
    own: Mapping[str, Any] | None,
    found: Sequence[FoundComponent],
    ports: Ports,
    *,
    http: str,
    grpc: str,
) -> BenchConfig:
    """A config that keeps a layer's processors, and sends to the bench.

    Args:
        own: the layer's own config; None where it has none.
        found: the components of its binary.
        ports: where it listens.
        http: the bench's endpoint, as a URL.
        grpc: the same as host and port.
    """
    own = own or {}
    exporter = exporter_of(found)
    if not exporter:
        note = "it has no exporter that speaks OTLP: what it exports was not looked at"
        return BenchConfig(text=moved(own, ports), exporter="", notes=(note,))
    processors, notes = _processors(own, found)
    targets: dict[str, dict[str, Any]] = {
        "otlphttp": {"endpoint": http},
        "otlp": {"endpoint": grpc, "tls": {"insecure": True}},
    }
    pipeline = {
        "receivers": ["otlp"],
        "processors": list(processors),
        "exporters": [exporter],
    }
    config = {
        "receivers": {"otlp": {"protocols": _protocols(ports)}},
        "processors": processors,
        "exporters": {exporter: targets[exporter]},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {signal: copy.deepcopy(pipeline) for signal in SIGNALS},
        },
    }
    left = [word for word in ("connectors", "extensions") if own.get(word)]
    notes += tuple(f"tried without its config's {word}" for word in left)
    return BenchConfig(text=_dumped(config), exporter=exporter, notes=notes)


def exporter_of(found: Sequence[FoundComponent]) -> str:
    """The exporter by which a layer can send to the bench; empty where it has none."""
    return next((name for name in ("otlphttp", "otlp") if has(found, "exporter", name)), "")


def moved(own: Mapping[str, Any], ports: Ports) -> str:
    """A config as it is, but for its OTLP receivers' endpoints, as YAML.

    Two collectors on one machine cannot both listen on 4317 and 4318.
    """
    config = copy.deepcopy(dict(own))
    receivers = config.get("receivers")
    for name, receiver in _items(receivers):
        if name.partition("/")[0] == "otlp":
            given = _mapping(_mapping(receiver).get("protocols"))
            for protocol, settings in _protocols(ports).items():
                if protocol in given:
                    given[protocol] = {**_mapping(given[protocol]), **settings}
    return _dumped(config)


def needs_credentials(own: Mapping[str, Any]) -> str:
    """What in a config cannot be had without AWS; empty where nothing is."""
    text = _dumped(own)
    return next((f"{word}…}}" for word in _FETCHED if word in text), "")


def _processors(
    own: Mapping[str, Any], found: Sequence[FoundComponent]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The processors to be tried, in their order, and what is told of those left out."""
    given = _mapping(own.get("processors"))
    used = _used(own)
    kept = {
        name: given.get(name)
        for name in used
        if name.partition("/")[0] in _LOSSLESS and has(found, "processor", name.partition("/")[0])
    }
    notes = tuple(f"tried without the processor {name}" for name in used if name not in kept)
    if not kept:
        kept = {name: None for name in _USUAL if has(found, "processor", name)}
    return kept, notes


def _used(own: Mapping[str, Any]) -> list[str]:
    """Names of processors in the order of the pipelines."""
    pipelines = _mapping(_mapping(own.get("service")).get("pipelines"))
    names: dict[str, None] = {}
    for _, pipeline in _items(pipelines):
        listed = _mapping(pipeline).get("processors")
        if isinstance(listed, list):
            names.update({str(name): None for name in cast("list[object]", listed)})
    return list(names)


def _protocols(ports: Ports) -> dict[str, dict[str, str]]:
    return {
        "grpc": {"endpoint": f"127.0.0.1:{ports.grpc}"},
        "http": {"endpoint": f"127.0.0.1:{ports.http}"},
    }


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _items(value: object) -> list[tuple[str, Any]]:
    return [(str(name), each) for name, each in _mapping(value).items()]


def _dumped(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False, width=1000)
