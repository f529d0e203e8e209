"""The schemas of OpenChoreo's kinds (CRDs) as JSON Schemas.

A CRD's schema is Kubernetes' own form of JSON Schema, a structural one:
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
The cluster drops a key that it does not know, silently; in the JSON Schema it is an error. Of the
rules in CEL, those on pairs of keys and on empty texts are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from pipeline.errors import ToolchainError
from pipeline.gitops.repository import SafeLoader
from pipeline.naming import DNS_LABEL

Json = dict[str, Any]

# Keyword of a JSON Schema for lists whose items differ in these keys.
MAP_KEYS = "x-kubernetes-list-map-keys"
# The very end of a text; Python's $ also matches before a line end.
END = r"$(?!\n)"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"

_KEPT = (
    *("type", "enum", "pattern", "required", "minimum", "maximum", "minLength", "maxLength"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "exclusiveMinimum"),
    *("exclusiveMaximum", "multipleOf", "uniqueItems", MAP_KEYS),
)
_LARGEST = {"int32": 2**31 - 1, "int64": 2**63 - 1}
# Rules in CEL: not both keys, a key only with another, no empty key or value.
_NOT_BOTH = re.compile(r"!\(has\(self\.(\w+)\) && has\(self\.(\w+)\)\)")
_ONLY_WITH = re.compile(r"!has\(self\.(\w+)\) \|\| has\(self\.(\w+)\)")
_NOT_EMPTY = "self.all(k, k.size() > 0 && self[k].size() > 0)"

_TEXTS: Json = {"type": "object", "additionalProperties": {"type": "string"}}
_LABEL_VALUE = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?" + END
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
METADATA: Json = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {
            "type": "string",
            "maxLength": 253,
            "pattern": rf"^{DNS_LABEL}(\.{DNS_LABEL})*{END}",
        },
        "namespace": {"type": "string", "maxLength": 63, "pattern": rf"^{DNS_LABEL}{END}"},
        "labels": {
            "type": "object",
            "additionalProperties": {"type": "string", "maxLength": 63, "pattern": _LABEL_VALUE},
        },
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {"type": "array"},
        "managedFields": {"type": "array"},
        "generation": {"type": "integer"},
        "deletionGracePeriodSeconds": {"type": "integer"},
        "creationTimestamp": {"type": ["string", "null"]},
        **{
            each: {"type": "string"}
            for each in ("generateName", "selfLink", "uid", "resourceVersion", "deletionTimestamp")
        },
    },
    "additionalProperties": False,
}


def read_schemas(folder: Path) -> dict[tuple[str, str], Json]:
    """Return the JSON Schemas of a folder of CRDs by apiVersion and kind.

    Args:
        folder: with a file `openchoreo.dev_<plural>.yaml` for each kind.

    Raises:
        ToolchainError: it has no CRDs.
    """
    found: dict[tuple[str, str], Json] = {}
    for path in sorted(folder.glob("*.yaml")):
        spec = yaml.load(path.read_bytes(), SafeLoader)["spec"]  # noqa: S506  a safe loader
        for version in spec["versions"]:
            api_version = f"{spec['group']}/{version['name']}"
            found[api_version, spec["names"]["kind"]] = _root(version["schema"]["openAPIV3Schema"])
    if not found:
        raise ToolchainError(
            f"{folder} has no schemas of OpenChoreo's kinds", hint="remove it, and run again"
        )
    return found


def _root(schema: Json) -> Json:
    """Return the JSON Schema of a kind: its metadata is that of every kind of Kubernetes."""
    root = json_schema(schema)
    root["properties"] |= {"metadata": METADATA}
    root["required"] = sorted({*root.get("required", []), "metadata"})
    return root


def json_schema(schema: Mapping[str, Any]) -> Json:
    """Return a structural schema as a JSON Schema."""
    made = {key: schema[key] for key in _KEPT if key in schema}
    if pattern := made.get("pattern"):
        made["pattern"] = pattern[:-1] + END if pattern.endswith("$") else pattern
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    if schema.get("x-kubernetes-list-type") == "set":
        made["uniqueItems"] = True
    if largest := _LARGEST.get(schema.get("format", "")):
        made.setdefault("maximum", largest)
        made.setdefault("minimum", -largest - 1)
    _add_children(made, schema)
    for rule in schema.get("x-kubernetes-validations", ()):
        made |= _rule(rule["rule"], made)
    if schema.get("nullable") and "type" in made:
        kinds = made["type"]
        made["type"] = (
            [kinds, "null"] if isinstance(kinds, str) else [*cast("list[str]", kinds), "null"]
        )
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made


def _add_children(made: Json, schema: Mapping[str, Any]) -> None:
    """Add the schemas of keys and items; unknown keys are refused unless they are preserved."""
    if "items" in schema:
        made["items"] = json_schema(schema["items"])
    for each in ("allOf", "anyOf", "oneOf"):
        if each in schema:
            made[each] = [_partial(part) for part in schema[each]]
    if "not" in schema:
        made["not"] = _partial(schema["not"])
    more = schema.get("additionalProperties")
    if schema.get("type") == "object":
        properties = cast("Mapping[str, Json]", schema.get("properties", {}))
        made["properties"] = {key: json_schema(each) for key, each in properties.items()}
        if isinstance(more, dict):
            made["additionalProperties"] = json_schema(cast("Json", more))
        elif not more and not schema.get(_PRESERVE):
            made["additionalProperties"] = False


def _partial(schema: Mapping[str, Any]) -> Json:
    """Return a schema that stands beside another one, and allows keys that it does not name."""
    made = json_schema(schema)
    made.pop("additionalProperties", None)
    return made


def _rule(rule: str, made: Json) -> Json:
    """Return the keywords for a rule in CEL; none for one that is not understood."""
    if found := _NOT_BOTH.fullmatch(rule):
        return {"not": {"required": [found[1], found[2]]}}
    if found := _ONLY_WITH.fullmatch(rule):
        return {"dependentRequired": {**made.get("dependentRequired", {}), found[1]: [found[2]]}}
    if rule == _NOT_EMPTY:
        values = {"type": "string", "minLength": 1}
        return {"propertyNames": {"minLength": 1}, "additionalProperties": values}
    return {}
