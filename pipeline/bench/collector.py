"""The collector in a layer: components that it lacks, and configs to run it with. Pure.

https://opentelemetry.io/docs/collector/configuration/
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import yaml

from pipeline.bench.telemetry.items import SIGNALS
from pipeline.config.components import Component
from pipeline.config.folder import Config
from pipeline.errors import UsageError
from pipeline.layer.components import FoundComponent
from pipeline.naming import KINDS, TAG_PREFIX, component_kind, component_name, is_selected

# Types in a config whose package has another name.
_RENAMED = {"otlpgrpc": "otlp"}
# Processors that neither drop, sample nor hold back telemetry.
_LOSSLESS = ("memory_limiter", "resource", "attributes", "coldstart", "batch", "decouple")
# The processors for a layer whose own config uses none.
_USUAL = ("batch", "decouple")
# Values that a config fetches from AWS.
_FETCHED = ("${secretsmanager:", "${s3:", "${awssecretsmanager:")


class ComponentName(NamedTuple):
    """A component by kind and name, as a config or a build tag names it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def components_missing_for_tags(
    tags: Iterable[str], found: Sequence[FoundComponent], custom: Mapping[str, Component]
) -> tuple[ComponentName, ...]:
    """Return the components that build tags name and that the binary does not have.

    Args:
        tags: those in the binary's build information.
        found: the binary's components.
        custom: components.yaml, by tag; its components are compared by package.
    """
    packages = {each.package for each in found}
    return tuple(
        component
        for tag, component in _tagged(sorted(tags))
        if not has_component(found, *component)
        and not (tag in custom and custom[tag].package in packages)
    )


def components_missing_for_config(
    config: Mapping[str, object], found: Sequence[FoundComponent]
) -> tuple[ComponentName, ...]:
    """Return the components that a config uses and that the binary does not have."""
    used = sorted(set(config_components(config)))
    return tuple(each for each in used if not has_component(found, *each))


def config_components(config: Mapping[str, object]) -> Iterator[ComponentName]:
    """Yield the components that a collector's config uses, by type."""
    for kind in KINDS:
        for name in _mapping(config.get(f"{kind}s")):
            yield ComponentName(kind, str(name).partition("/")[0])


def distributions_with(component: ComponentName, config: Config) -> tuple[str, ...]:
    """Return the distributions whose build tags switch on a component, in the config's order."""
    kind, plain = component.kind, _plain(*component)

    def has(tags: frozenset[str]) -> bool:
        return is_selected(f"{TAG_PREFIX}.{kind}.{component.name}", tags) or any(
            each.kind == kind and _plain(*each) == plain for _, each in _tagged(tags)
        )

    return tuple(name for name in config.distributions if has(frozenset(config.tags(name))))


def has_component(found: Iterable[FoundComponent], kind: str, name: str) -> bool:
    """Return True if a binary has a component, under any of its spellings."""
    return any(
        each.kind == kind and _plain(kind, each.name) == _plain(kind, name) for each in found
    )


def _tagged(tags: Iterable[str]) -> Iterator[tuple[str, ComponentName]]:
    """Yield each build tag that names one component, with the component."""
    for tag in tags:
        component = ComponentName(component_kind(tag), component_name(tag))
        if component.kind and component.name != "all":
            yield tag, component


def _plain(kind: str, name: str) -> str:
    """Return a name without the differences between a config's type, a build tag and a package."""
    plain = name.lower().replace("_", "").removesuffix(kind)
    return _RENAMED.get(plain, plain)


def read_config(content: bytes, name: str) -> dict[str, Any]:
    """Return a collector's config.

    Raises:
        UsageError: it is no YAML, or no mapping.
    """
    try:
        config: object = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{name} is no YAML: {error}", hint="fix the YAML") from error
    if not isinstance(config, dict):
        hint = "write a mapping with receivers, exporters and service"
        raise UsageError(f"{name} is no collector config", hint=hint)
    return cast("dict[str, Any]", config)


def bench_config(
    own: Mapping[str, Any],
    found: Sequence[FoundComponent],
    listens: Mapping[str, str],
    target: Mapping[str, str],
) -> str:
    """Return a config, as YAML, with the layer's processors that exports to the bench.

    A layer without an exporter for OTLP keeps its own config, on other addresses.

    Args:
        own: the layer's own config; empty if it has none.
        found: the components of its binary.
        listens: addresses of the layer's OTLP receiver, by protocol.
        target: the bench's own receiver: `http`, a URL, and `grpc`, host and port.
    """
    exporter = otlp_exporter(found)
    if not exporter:
        return moved_config(own, listens)
    processors = _processors(own, found)
    exporters: dict[str, dict[str, Any]] = {
        "otlphttp": {"endpoint": target["http"]},
        "otlp": {"endpoint": target["grpc"], "tls": {"insecure": True}},
    }
    pipeline = {
        "receivers": ["otlp"],
        "processors": list(processors),
        "exporters": [exporter],
    }
    config = {
        "receivers": {"otlp": {"protocols": _protocols(listens)}},
        "processors": processors,
        "exporters": {exporter: exporters[exporter]},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {signal: copy.deepcopy(pipeline) for signal in SIGNALS},
        },
    }
    return _yaml(config)


def bench_config_notes(own: Mapping[str, Any], found: Sequence[FoundComponent]) -> tuple[str, ...]:
    """Return the differences of `bench_config` from the layer's own config, for people."""
    if not otlp_exporter(found):
        return ("it has no exporter for OTLP: its exports were not checked",)
    processors = _processors(own, found)
    omitted = [f"the processor {name}" for name in _used_processors(own) if name not in processors]
    omitted += [f"its config's {name}" for name in ("connectors", "extensions") if own.get(name)]
    return tuple(f"run without {each}" for each in omitted)


def otlp_exporter(found: Sequence[FoundComponent]) -> str:
    """Return the exporter by which a layer can send to the bench; empty if it has none."""
    names = ("otlphttp", "otlp")
    return next((name for name in names if has_component(found, "exporter", name)), "")


def moved_config(own: Mapping[str, Any], listens: Mapping[str, str]) -> str:
    """Return a config, as YAML, with other addresses for its OTLP receivers.

    Two collectors on one machine cannot both listen on 4317 and 4318.
    """
    config = copy.deepcopy(dict(own))
    for name, receiver in _mapping(config.get("receivers")).items():
        if str(name).partition("/")[0] == "otlp":
            given = _mapping(_mapping(receiver).get("protocols"))
            for protocol, settings in _protocols(listens).items():
                if protocol in given:
                    given[protocol] = {**_mapping(given[protocol]), **settings}
    return _yaml(config)


def needs_credentials(own: Mapping[str, Any]) -> str:
    """Return the provider by which a config fetches values from AWS; empty if it fetches none."""
    text = _yaml(own)
    return next((f"{word}…}}" for word in _FETCHED if word in text), "")


def _processors(own: Mapping[str, Any], found: Sequence[FoundComponent]) -> dict[str, Any]:
    """Return the layer's lossless processors with their settings, in their order."""
    given = _mapping(own.get("processors"))
    kept = {
        name: given.get(name)
        for name in _used_processors(own)
        if (kind := name.partition("/")[0]) in _LOSSLESS and has_component(found, "processor", kind)
    }
    usual = {name: None for name in _USUAL if has_component(found, "processor", name)}
    return kept or usual


def _used_processors(own: Mapping[str, Any]) -> list[str]:
    """Return the names of processors in the order of the pipelines."""
    pipelines = _mapping(_mapping(own.get("service")).get("pipelines"))
    names: dict[str, None] = {}
    for pipeline in pipelines.values():
        listed = _mapping(pipeline).get("processors")
        if isinstance(listed, list):
            names.update({str(name): None for name in cast("list[object]", listed)})
    return list(names)


def _protocols(listens: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {protocol: {"endpoint": address} for protocol, address in listens.items()}


def _mapping(value: object) -> dict[Any, Any]:
    return cast("dict[Any, Any]", value) if isinstance(value, dict) else {}


def _yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False, width=1000)
