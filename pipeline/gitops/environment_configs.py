"""Settings of a component in one environment: `KEY=VALUE` of the command line, and their place.

They stand in a ReleaseBinding under spec.componentTypeEnvironmentConfigs. Their schema is that of
the ComponentType, as the release that is bound has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import yaml
from jsonschema import Draft202012Validator

from pipeline.config.entries import suggestion
from pipeline.errors import GitOpsError, UsageError, quoted
from pipeline.gitops.repository import documents

PLACE = ("spec", "componentTypeEnvironmentConfigs")
_BOM = "\ufeff"
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A value of a component in an environment.

    Attributes:
        keys: that lead to it.
        value: as YAML has it.
    """

    keys: tuple[str, ...]
    value: Any

    def __str__(self) -> str:
        return f"{'.'.join(self.keys)}={json.dumps(self.value, ensure_ascii=False)}"


def read_settings(given: Iterable[str], schema: Mapping[str, Any]) -> tuple[Setting, ...]:
    """Return the settings of `--set`, with the types of a schema.

    Args:
        given: such as `replicas=3` or `resources.limits.cpu=500m`.
        schema: of all settings, as OpenAPI has it.

    Raises:
        UsageError: one is not KEY=VALUE, has an unknown key or a value of another type, or is given
            twice.
    """
    found: dict[tuple[str, ...], Setting] = {}
    for each in given:
        name, equals, text = each.partition("=")
        keys = tuple(name.split("."))
        if not equals or not all(keys):
            raise UsageError(f"--set {quoted(each)} is not KEY=VALUE", hint="such as replicas=3")
        if keys in found:
            raise UsageError(f"--set {quoted(name)} is given twice", hint="give it once")
        found[keys] = Setting(keys=keys, value=_value(name, text, _schema_of(keys, schema)))
    return tuple(found.values())


def _schema_of(keys: tuple[str, ...], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a key; empty if any value is allowed."""
    for at, key in enumerate(keys):
        known, others = _mapping(schema.get("properties")), schema.get("additionalProperties")
        if key in known:
            schema = _mapping(known[key])
        elif others is True or schema.get("x-kubernetes-preserve-unknown-fields") is True:
            return {}
        elif isinstance(others, dict):
            schema = _mapping(others)  # pyright: ignore[reportUnknownArgumentType]
        else:
            near, path = suggestion(key, known), ".".join(keys[: at + 1])
            names = ", ".join(sorted(known)) or "none"
            raise UsageError(
                f"--set {quoted(path)}: the ComponentType has no such setting{near}",
                hint=f"it has: {names}",
            )
    return schema


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _value(name: str, text: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401  YAML holds anything
    """Return a value with the type of its schema, checked by it."""
    kind = schema.get("type")
    value: Any = text
    if kind == "integer" and _INTEGER.fullmatch(text):
        value = int(text)
    elif kind == "number" and _NUMBER.fullmatch(text):
        value = int(text) if _INTEGER.fullmatch(text) else float(text)
    elif kind == "boolean" and text in ("true", "false"):
        value = text == "true"
    elif kind not in ("string", "integer", "number", "boolean"):
        value = _parsed(name, text)
    validator: Any = Draft202012Validator(dict(schema))
    error = next(iter(validator.iter_errors(value)), None)
    if error is not None:
        wanted = f" ({kind})" if isinstance(kind, str) else ""
        raise UsageError(
            f"--set {quoted(name)}: {quoted(text)} does not fit the ComponentType's schema{wanted}",
            hint=error.message[:200],
        )
    return value


def _parsed(name: str, text: str) -> object:
    try:
        found = [data for _line, data in documents(text)]
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(
            f"--set {quoted(name)}: {quoted(text)} is not YAML", hint="such as [a, b] or {a: 1}"
        ) from error
    return found[0] if found else None


def with_settings(
    content: bytes, document: int, settings: Iterable[Setting], *, file: str
) -> bytes:
    """Return a ReleaseBinding's file with other settings; all other text stays.

    Args:
        content: of the file.
        document: of the binding in it, counted as `Resource.document` is.
        settings: to set.
        file: the file's path, for errors.

    Raises:
        GitOpsError: a setting stands in a way that cannot be changed alone.
    """
    text = content.decode("utf-8")
    mark = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(_BOM)
    for each in settings:
        text = _with_setting(text, document, (*PLACE, *each.keys), each.value, file)
    return f"{mark}{text}".encode()


def _with_setting(text: str, document: int, keys: tuple[str, ...], value: object, file: str) -> str:
    before = _data(text)
    wanted = _changed(before, document, keys, value)
    if wanted == before:
        return text
    changed = _edited(text, document, keys, value) if wanted else text
    try:
        fits = _data(changed) == wanted
    except (yaml.YAMLError, ValueError):
        fits = False
    if not fits:
        name = ".".join(keys)
        raise GitOpsError(
            f"{file}: {name} cannot be set without a change of other text",
            hint=f"set {name} there by hand, and push it",
        )
    return changed


def _data(text: str) -> list[Any]:
    """Return the documents, no two parts of which are shared by an alias."""
    return json.loads(json.dumps([data for _line, data in documents(text)]))


def _changed(before: list[Any], document: int, keys: Sequence[str], value: object) -> list[Any]:
    """Return the documents with one more value; empty if something else is in its way."""
    wanted: list[Any] = json.loads(json.dumps(before))
    target: Any = wanted[document]
    for key in keys[:-1]:
        parent = cast("dict[str, Any]", target)
        if parent.get(key) is None:
            parent[key] = {}
        target = parent[key]
        if not isinstance(target, dict):
            return []
    target[keys[-1]] = value
    return wanted


def _edited(text: str, document: int, keys: tuple[str, ...], value: object) -> str:
    """Return the text with a value in the place to which keys lead."""
    node = _root(text, document)
    for at, key in enumerate(keys):
        child = _child(node, key)
        if child is None:
            return _inserted(text, node, keys[at:], value)
        node = child
        if _is_null(node):
            return _replaced(text, node, _nested(keys[at + 1 :], value))
    return _replaced(text, node, value)


def _root(text: str, document: int) -> yaml.Node:
    nodes = [each for each in yaml.compose_all(text, Loader=yaml.SafeLoader) if each]
    return [each for each in nodes if not _is_null(each)][document]


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _child(node: yaml.Node, key: str) -> yaml.Node | None:
    pairs: list[tuple[Any, yaml.Node]] = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _nested(keys: Sequence[str], value: object) -> object:
    for key in reversed(keys):
        value = {key: value}
    return value


def _flow(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _replaced(text: str, node: yaml.Node, value: object) -> str:
    before, end = text[: node.start_mark.index], _last_leaf(node).end_mark.index
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        before = before.rstrip()  # a flow stands behind its key, not below it
    space = "" if before[-1:].isspace() else " "
    return f"{before}{space}{_flow(value)}{text[end:]}"


def _inserted(text: str, node: yaml.Node, keys: Sequence[str], value: object) -> str:
    """Return the text with an entry at the end of a mapping."""
    if not isinstance(node, yaml.MappingNode):
        return text
    if node.flow_style:
        at = node.end_mark.index - 1
        comma = ", " if node.value else ""
        entry = f"{keys[0]}: {_flow(_nested(keys[1:], value))}"
        return f"{text[:at].rstrip()}{comma}{entry}{text[at:]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    at = _last_line_end(text, node)
    lead = "" if text[at - 1 : at] == "\n" else newline
    lines = newline.join(_block(keys, value, node.value[0][0].start_mark.column))
    return f"{text[:at]}{lead}{lines}{newline}{text[at:]}"


def _block(keys: Sequence[str], value: object, column: int) -> Iterator[str]:
    for depth, key in enumerate(keys):
        last = f" {_flow(value)}" if depth == len(keys) - 1 else ""
        yield f"{' ' * (column + 2 * depth)}{key}:{last}"


def _last_line_end(text: str, node: yaml.Node) -> int:
    """Return the place after the last line of a block mapping."""
    end = _last_leaf(node).end_mark.index
    if text[end - 1 : end] == "\n":
        return end
    line_end = text.find("\n", end)
    return len(text) if line_end < 0 else line_end + 1


def _last_leaf(node: yaml.Node) -> yaml.Node:
    """Return the last node below a block, which ends where its text does: a block ends later."""
    last: Any = node
    while isinstance(last, yaml.CollectionNode) and not last.flow_style and last.value:
        item: Any = last.value[-1]
        last = item[1] if isinstance(last, yaml.MappingNode) else item
    return last
