"""Changed files of a GitOps repository, and the text of resources in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import yaml


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A file that is added, changed or removed.

    Attributes:
        path: from the repository's root.
        before: its content; None for a new file.
        after: its new content; None for a removed file.
    """

    path: str
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)


# Go reads more forms as numbers than PyYAML: 0o17, 1_000, 1e3.
_NUMBER_LIKE = re.compile(r"[-+.]?[0-9][-+.:_0-9A-Za-z]*$")


def _represent_text(dumper: Any, text: str) -> yaml.Node:  # noqa: ANN401  PyYAML's is not typed
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper: Any = type("_Dumper", (yaml.SafeDumper,), {})
_Dumper.add_implicit_resolver("!number-like", _NUMBER_LIKE, list("-+.0123456789"))
_Dumper.add_representer(str, _represent_text)


def resource_text(data: object) -> bytes:
    """Return a resource as YAML that Go and PyYAML read alike."""
    text: str = yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=float("inf"),
    )
    return text.encode()


def same_value(one: object, other: object) -> bool:
    """Return True for equal YAML values; unlike in Python, true is not 1."""
    return canonical(one) == canonical(other)


def canonical(value: object) -> str:
    """Return a text that is the same for equal YAML values."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        mapping = cast("dict[object, object]", value)
        return {str(key): _plain(each) for key, each in mapping.items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[object]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_value(data: object, keys: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return a copy of a mapping with another value at a path of keys."""
    copied = dict(cast("dict[str, Any]", data)) if isinstance(data, dict) else {}
    first, *rest = keys
    copied[first] = with_value(copied.get(first), tuple(rest), value) if rest else value
    return copied


def without_empty(value: object) -> object:
    """Return a value without empty lists and mappings, which occ does not write."""
    if isinstance(value, dict):
        mapping = cast("dict[str, object]", value)
        pairs = {key: without_empty(each) for key, each in mapping.items()}
        return {key: each for key, each in pairs.items() if each not in ({}, [], None)}
    if isinstance(value, list):
        return [without_empty(each) for each in cast("list[object]", value)]
    return value


def with_namespace(data: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Return a resource with a namespace; without one where it is empty."""
    metadata = {key: each for key, each in data["metadata"].items() if key != "namespace"}
    return {**data, "metadata": {**metadata, **({"namespace": namespace} if namespace else {})}}


_NAMESPACE_LINE = re.compile(rb"^(metadata:\n(?:  .*\n)*?)  namespace: .*\n", re.MULTILINE)


def without_namespace_line(text: bytes) -> bytes:
    """Return a text of occ's without the line of metadata.namespace."""
    return _NAMESPACE_LINE.sub(rb"\1", text, count=1)


_HEADING = re.compile(rb"(?:\s*(?:#.*)?(?:\n|$))*(?:---[ \t]*\n)?")


def split_heading(content: bytes) -> tuple[bytes, bytes]:
    """Return the empty lines and comments with which a file begins, and the rest."""
    found = _HEADING.match(content)
    end = found.end() if found else 0
    return content[:end], content[end:]
