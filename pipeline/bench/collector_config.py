"""A collector's config as text: read, changed at its places, and the config for measuring. Pure.

A config that a user wrote is never written anew from what a YAML reader made of it: readers differ
in what `on` or `12:30:45` is. The collector alone judges a config; one that this reader is not sure
of, such as one with a duplicate key, is read as empty.

https://opentelemetry.io/docs/collector/configuration/
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import yaml

from pipeline.bench.collector import CollectorTypes
from pipeline.bench.telemetry.items import SIGNALS
from pipeline.config.located_yaml import parse_document
from pipeline.layer.components import PROVIDER

# Exporters for OTLP, the preferred first, with the protocol of each.
_OTLP_EXPORTERS = {"otlphttp": "http", "otlp_http": "http", "otlp": "grpc", "otlp_grpc": "grpc"}
# Processors that neither drop, sample nor hold back telemetry.
_LOSSLESS = ("memory_limiter", "resource", "attributes", "coldstart", "batch", "decouple")
# The processors for a layer without readable pipelines of its own.
_USUAL = ("decouple",)
# Providers that fetch values from AWS; a dollar that is doubled is no reference.
_FETCHED = re.compile(r"(?<!\$)(?:\$\$)*\$\{((?:aws)?secretsmanager|s3):")
# The kernel chooses a port that is free.
_ANY_PORT = '"127.0.0.1:0"'

_KeyPath = tuple[str, ...]


class _Edit(NamedTuple):
    """A part of a text, by the indexes of its first character and of the one behind it."""

    start: int
    end: int
    text: str


def read_config(content: bytes) -> dict[str, Any]:
    """Return a collector's config; empty if this reader is not sure of it."""
    document = parse_document(content, "")
    return {} if document.problems else document.mapping


def bench_config(
    own: bytes, types: CollectorTypes, listens: Mapping[str, str], target: Mapping[str, str]
) -> bytes:
    """Return a config with the layer's processors and log level that exports to the bench.

    A layer without an exporter for OTLP keeps its own config, on other ports.

    Args:
        own: the layer's own config; empty if it has none.
        types: of its collector.
        listens: addresses of the layer's OTLP receiver, by protocol.
        target: the bench's own receiver: `http`, a URL, and `grpc`, host and port.
    """
    exporter = otlp_exporter(types)
    if not exporter:
        return moved_config(own or b"{}\n")
    processors = _processors(own, types)
    endpoints: dict[str, dict[str, Any]] = {
        "http": {"endpoint": target["http"]},
        "grpc": {"endpoint": target["grpc"], "tls": {"insecure": True}},
    }
    pipeline = {"receivers": ["otlp"], "processors": list(processors), "exporters": [exporter]}
    protocols = {protocol: {"endpoint": address} for protocol, address in listens.items()}
    config = {
        "receivers": {"otlp": {"protocols": protocols}},
        "exporters": {exporter: endpoints[_OTLP_EXPORTERS[exporter]]},
        "service": {
            "telemetry": {"metrics": {"level": "none"}, **_logs(own, types)},
            "pipelines": {signal: copy.deepcopy(pipeline) for signal in SIGNALS},
        },
    }
    return _text({"processors": _mapping_node(processors), **_nodes(config)})


def bench_config_notes(own: bytes, types: CollectorTypes) -> tuple[str, ...]:
    """Return the differences of `bench_config` from the layer's own config, for people."""
    if not otlp_exporter(types):
        return ("it has no exporter for OTLP: its exports were not checked",)
    config, processors = read_config(own), _processors(own, types)
    used = _used_processors(config)
    omitted = [f"the processor {name}" for name in used if name not in processors]
    omitted += [f"its config's {name}" for name in ("connectors", "extensions") if config.get(name)]
    return tuple(f"run without {each}" for each in omitted)


def otlp_exporter(types: CollectorTypes) -> str:
    """Return the exporter by which a layer can send to the bench; empty if it has none."""
    return next((name for name in _OTLP_EXPORTERS if types.has("exporter", name)), "")


def exports_by_grpc(types: CollectorTypes) -> bool:
    """Return True if a layer sends to the bench by gRPC."""
    return _OTLP_EXPORTERS.get(otlp_exporter(types)) == "grpc"


def moved_config(content: bytes) -> bytes:
    """Return a config with free ports for its OTLP receivers and no port for its own metrics.

    Two programs on one machine cannot both listen on 4317, 4318 and 8888. Only these places are
    changed; one that cannot be changed in place stays as it is.
    """
    config = read_config(content)
    places: dict[_KeyPath, str] = {}
    for name, receiver in _mapping(config.get("receivers")).items():
        if name.partition("/")[0] == "otlp":
            for protocol, settings in _mapping(_mapping(receiver).get("protocols")).items():
                if "transport" not in _mapping(settings):
                    at = ("receivers", name, "protocols", protocol, "endpoint")
                    places[at] = _ANY_PORT
    if isinstance(config.get("service"), dict):
        places["service", "telemetry", "metrics", "level"] = "none"
    return changed_config(content, places) if places else content


def needs_credentials(content: bytes, types: CollectorTypes) -> str:
    """Return the provider by which a config fetches values from AWS; empty if it fetches none.

    A collector without that provider refuses the config before it calls AWS.
    """
    config = read_config(content)
    texts = [*_strings(config)] if config else [content.decode(errors="replace")]
    schemes = (match[1] for text in texts for match in _FETCHED.finditer(text))
    return next((f"${{{each}:…}}" for each in schemes if _may_fetch(each, types)), "")


def _may_fetch(scheme: str, types: CollectorTypes) -> bool:
    providers = [each.name for each in types.found if each.kind == PROVIDER]
    return not providers or scheme in providers


def _strings(value: object) -> Iterator[str]:
    """Yield all texts in a config, comments left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _strings(each)


def _processors(own: bytes, types: CollectorTypes) -> dict[str, yaml.Node]:
    """Return the layer's lossless processors with their settings as written, in their order."""
    config = read_config(own)
    if not _pipelines(config):
        return {name: _node(None) for name in _USUAL if types.has("processor", name)}
    used = _used_processors(config)
    settings = _settings(own, "processors") if used else {}
    kept = {
        name: settings.get(name, _node(None))
        for name in used
        if (kind := name.partition("/")[0]) in _LOSSLESS and types.has("processor", kind)
    }
    return {name: each for name, each in kept.items() if not _fetches(each, types)}


def _logs(own: bytes, types: CollectorTypes) -> dict[str, Any]:
    """Return the level of the layer's log, as a part of a config; empty if none is given."""
    telemetry = _mapping(_mapping(read_config(own).get("service")).get("telemetry"))
    level = _mapping(telemetry.get("logs")).get("level")
    known = isinstance(level, str) and not needs_credentials(level.encode(), types)
    return {"logs": {"level": level}} if known else {}


def _fetches(node: yaml.Node, types: CollectorTypes) -> bool:
    return bool(needs_credentials(_text({"settings": node}), types))


def _used_processors(config: Mapping[str, Any]) -> list[str]:
    """Return the names of processors in the order of the pipelines."""
    names: dict[str, None] = {}
    for pipeline in _pipelines(config).values():
        listed = _mapping(pipeline).get("processors")
        if isinstance(listed, list):
            names.update({str(name): None for name in cast("list[object]", listed)})
    return list(names)


def _pipelines(config: Mapping[str, Any]) -> dict[str, Any]:
    return _mapping(_mapping(config.get("service")).get("pipelines"))


def _settings(content: bytes, section: str) -> dict[str, yaml.Node]:
    """Return the nodes of a section of a readable config by name, such as those of processors."""
    found = _child(_composed(content.decode()), section)
    return {str(key.value): value for key, value in _pairs(found)}


def changed_config(content: bytes, places: Mapping[_KeyPath, str]) -> bytes:
    """Return a config with other values at some places, and the same otherwise to the byte.

    A place that cannot be changed without changing others, such as one behind an alias, stays.

    Args:
        content: of a config; one that cannot be read stays as it is.
        places: values as YAML, by the keys that lead to them; missing keys are added.
    """
    for place, value in places.items():
        before = read_config(content)
        if edit := _edit(_composed(content.decode()), place, value) if before else None:
            text = content.decode()
            new = f"{text[: edit.start]}{edit.text}{text[edit.end :]}".encode()
            expected = _with_value(before, place, read_config(f"a: {value}\n".encode())["a"])
            content = new if read_config(new) == expected else content
    return content


def _with_value(config: Mapping[str, Any], place: _KeyPath, value: object) -> dict[str, Any]:
    key, *more = place
    inner = _mapping(config.get(key))
    return {**config, key: _with_value(inner, tuple(more), value) if more else value}


def _edit(root: yaml.Node, place: _KeyPath, value: str) -> _Edit | None:
    """Return the edit that sets a value; None if its place is shared or has another form."""
    node, shared = root, _shared_nodes(root)
    for at, key in enumerate(place):
        if id(node) in shared:
            return None
        if not isinstance(node, yaml.MappingNode):
            return _replacement(node, _flow(place[at:], value)) if _is_null(node) else None
        child = _child(node, key)
        if child is None:
            return _insertion(node, f"{key}: {_flow(place[at + 1 :], value)}")
        node = child
    is_own = isinstance(node, yaml.ScalarNode) and id(node) not in shared
    return _replacement(node, value) if is_own else None


def _insertion(node: yaml.MappingNode, pair: str) -> _Edit:
    """Return the edit that adds a pair at the beginning of a mapping."""
    pairs = _pairs(node)
    if not pairs:
        at = node.end_mark.index - 1
        return _Edit(at, at, pair)
    mark = pairs[0][0].start_mark
    separator = ", " if node.flow_style else f"\n{' ' * mark.column}"
    return _Edit(mark.index, mark.index, f"{pair}{separator}")


def _replacement(node: yaml.Node, text: str) -> _Edit:
    start, end = node.start_mark.index, node.end_mark.index
    return _Edit(start, end, text if end > start else f" {text}")


def _flow(keys: _KeyPath, value: str) -> str:
    """Return a value below keys in YAML's flow style."""
    for key in reversed(keys):
        value = f"{{{key}: {value}}}"
    return value


def _shared_nodes(root: yaml.Node) -> set[int]:
    """Return the ids of the nodes that aliases lead to."""
    arrivals = Counter(map(id, _walk(root)))
    return {each for each, count in arrivals.items() if count > 1}


def _walk(root: yaml.Node) -> Iterator[yaml.Node]:
    """Yield all nodes; one that aliases lead to comes several times."""
    seen, waiting = set[int](), [root]
    while waiting:
        node = waiting.pop()
        yield node
        if id(node) not in seen:
            seen.add(id(node))
            waiting += [each for pair in _pairs(node) for each in pair]
            waiting += _items(node)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _child(node: yaml.Node, key: str) -> yaml.Node | None:
    return next((value for name, value in _pairs(node) if name.value == key), None)


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    """Return keys and values; none of a node that is no mapping."""
    if not isinstance(node, yaml.MappingNode):
        return []
    return cast("list[tuple[yaml.Node, yaml.Node]]", node.value)


def _items(node: yaml.Node) -> list[yaml.Node]:
    """Return the items of a sequence; none of a node that is no sequence."""
    return cast("list[yaml.Node]", node.value if isinstance(node, yaml.SequenceNode) else [])


def _composed(text: str) -> yaml.Node:
    """Return the node of a config that `read_config` can read and that is not empty."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None  # noqa: S101  only an empty text has none
    return node


def _node(data: object) -> yaml.Node:
    return _composed(yaml.safe_dump(data))


def _nodes(config: Mapping[str, Any]) -> dict[str, yaml.Node]:
    return {name: _node(value) for name, value in config.items()}


def _mapping_node(nodes: Mapping[str, yaml.Node]) -> yaml.MappingNode:
    pairs = [(_node(name), each) for name, each in nodes.items()]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs)


def _text(nodes: Mapping[str, yaml.Node]) -> bytes:
    """Return YAML in which each scalar stands as it was written, and collections in block style.

    In flow style, `12:30:45` would be quoted and tagged.
    """
    root = _mapping_node(nodes)
    for each in _walk(root):
        if isinstance(each, yaml.CollectionNode):
            each.flow_style = False
    text = yaml.serialize(root, Dumper=yaml.SafeDumper, width=1000)  # pyright: ignore[reportUnknownMemberType]
    return text.encode()


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
