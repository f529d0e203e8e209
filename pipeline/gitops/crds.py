"""Resources checked by the schemas of OpenChoreo's kinds, as the cluster would check them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError, validators

from pipeline.config.entries import suggestion
from pipeline.errors import GitOpsError, Problem, quoted
from pipeline.files import Tree
from pipeline.gitops.repository import API_VERSION, Resource, line_of
from pipeline.gitops.schemas import END, MAP_KEYS, Json, read_schemas

_LONGEST_MESSAGE = 200
_NAMES = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}


@dataclass(frozen=True)
class Definitions:
    """The kinds of OpenChoreo in one version.

    Attributes:
        folder: with the CRD of each kind.
        version: such as v1.2.3, for messages.
    """

    folder: Path
    version: str

    @cached_property
    def _schemas(self) -> Mapping[tuple[str, str], Json]:
        return read_schemas(self.folder)

    @cached_property
    def _validators(self) -> dict[tuple[str, str], Any]:
        return {}

    def _validator(self, kind: tuple[str, str]) -> Any:  # noqa: ANN401  its stubs are partial
        if kind not in self._validators:
            self._validators[kind] = _Validator(self._schemas[kind])
        return self._validators[kind]

    def spec(self, kind: str) -> Json | None:
        """Return the JSON Schema of a kind's spec; None for a kind that this version lacks."""
        schema = self._schemas.get((API_VERSION, kind))
        return schema["properties"].get("spec", {}) if schema else None

    def problems(self, resource: Resource, content: bytes) -> Iterator[Problem]:
        """Yield all that is wrong with a resource, each with its line and keys.

        Args:
            resource: in a file.
            content: of the file.
        """
        kind = (resource.text("apiVersion"), resource.kind)
        if kind not in self._schemas:
            near = suggestion(kind[1], {name for _version, name in self._schemas})
            named = f"{quoted(kind[1])} in {quoted(kind[0])}"
            yield resource.problem(f"OpenChoreo {self.version} has no kind {named}{near}")
            return
        for error in self._validator(kind).iter_errors(resource.data):
            for keys, message in _messages(error):
                line = line_of(content, resource.document, keys)
                yield Problem(file=resource.file, line=line, message=f"{_dotted(keys)}: {message}")


def check_resources(
    definitions: Definitions, resources: Iterable[Resource], files: Tree, purpose: str
) -> None:
    """Check resources by their schemas.

    Args:
        definitions: of OpenChoreo's kinds.
        resources: the resources.
        files: content by path, those of the resources among them.
        purpose: what they are, for the error, such as `the release of shop/catalog`.

    Raises:
        GitOpsError: with every problem of every resource.
    """
    found = [
        problem for each in resources for problem in definitions.problems(each, files[each.path])
    ]
    if found:
        raise GitOpsError(
            f"OpenChoreo {definitions.version} would not accept {purpose}",
            hint="fix these values where they come from: the descriptor, or the GitOps repository",
            details=tuple(str(problem) for problem in dict.fromkeys(found)),
        )


def _different_keys(
    _validator: object, keys: list[str], value: object, _schema: object
) -> Iterator[ValidationError]:
    """Refuse a list with two items of the same keys."""
    seen: list[list[Any]] = []
    for at, item in enumerate(cast("list[Any]", value) if isinstance(value, list) else []):
        if isinstance(item, dict):
            named = [cast("Json", item).get(key) for key in keys]
            if named in seen:
                text = ", ".join(str(each) for each in named)
                yield ValidationError(f"{quoted(text)} stands in the list already", path=[at])
            seen.append(named)


_Validator: Any = cast("Any", validators).extend(Draft202012Validator, {MAP_KEYS: _different_keys})


def _messages(error: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:  # noqa: ANN401
    """Yield keys and message of each thing that an error of jsonschema is about."""
    keys = tuple(error.absolute_path)
    known = error.schema.get("properties", {})
    if error.validator == "additionalProperties":
        for key in (str(each) for each in error.instance if each not in known):
            yield (*keys, key), f"unknown key{suggestion(key, known)}"
    elif error.validator == "required":
        for key in (each for each in error.validator_value if each not in error.instance):
            yield (*keys, key), "is required"
    elif error.validator == "dependentRequired":
        for key, others in error.validator_value.items():
            yield (*keys, key), f"is only for use with {', '.join(others)}"
    else:
        message = _OF_VALUES.get(error.validator, lambda _value, _limit: "")
        yield keys, message(error.instance, error.validator_value) or _own_message(error)


def _type_message(_value: object, kinds: str | list[str]) -> str:
    expected = [kinds] if isinstance(kinds, str) else kinds
    return f"must be {' or '.join(_NAMES.get(each, each) for each in expected)}"


def _enum_message(value: object, known: list[str | None]) -> str:
    names = [each for each in known if each is not None]
    near = suggestion(value, names) if isinstance(value, str) else ""
    return f"{_shown(value)} is not one of {', '.join(names)}{near}"


# The message for a value that breaks a keyword's limit; empty for jsonschema's own.
_OF_VALUES: Mapping[str, Callable[[Any, Any], str]] = {
    "type": _type_message,
    "enum": _enum_message,
    "not": lambda _value, limit: f"has both {' and '.join(limit.get('required', ()))}",
    "minimum": lambda value, limit: f"{_shown(value)} is less than {limit}",
    "maximum": lambda value, limit: f"{_shown(value)} is more than {limit}",
    "pattern": lambda value, limit: f"{_shown(value)} does not match {limit.replace(END, '$')}",
    "minLength": lambda value, _limit: "" if value else "must not be empty",
    "uniqueItems": lambda _value, _limit: "has an item twice",
}


def _own_message(error: Any) -> str:  # noqa: ANN401
    """Return jsonschema's message, unless it repeats a long value."""
    short = len(error.message) <= _LONGEST_MESSAGE
    return error.message if short else f"breaks the rule {error.validator} of the schema"


def _shown(value: object) -> str:
    return quoted(value) if isinstance(value, str) else json.dumps(value)[:80]


def _dotted(keys: Iterable[str | int]) -> str:
    """Return keys with dots, and indexes in brackets."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")
