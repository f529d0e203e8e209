"""The engine's API: each field that the module selects must be in it, with arguments that fit.

`dagger.graphql` is the schema of an engine v0.21.8, the version of dagger.json.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any, cast

from dagger.client._core import Field
from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    ast_from_value,  # pyright: ignore[reportUnknownVariableType]
    build_schema,
    is_required_argument,
)

SCHEMA = Path(__file__).with_name("dagger.graphql")


@functools.cache
def schema() -> GraphQLSchema:
    """The engine's schema."""
    return build_schema(SCHEMA.read_text(encoding="utf-8"))


def check_fields(fields: Iterable[Field]) -> None:
    """Fail for a field or argument that the engine does not have, or that it needs."""
    for each in fields:
        owner = schema().get_type(each.type_name)
        assert isinstance(owner, GraphQLObjectType), f"{each.type_name} is no type of the engine"
        assert each.name in owner.fields, f"{each.type_name} has no field {each.name}"
        known = owner.fields[each.name].args
        for name, value in each.args.items():
            assert name in known, f"{each.type_name}.{each.name} has no argument {name}"
            kind = known[name].type
            assert ast_from_value(_plain(value, kind), kind), f"{each.name}: {name}={value}"
        missing = {name for name, arg in known.items() if is_required_argument(arg)} - {*each.args}
        assert not missing, f"{each.type_name}.{each.name} lacks {missing}"


def _plain(value: Any, kind: object) -> Any:  # noqa: ANN401  arguments of all types
    """An argument as the SDK sends it: objects by an id, enumerations by name."""
    if isinstance(kind, GraphQLNonNull):
        kind = cast("GraphQLNonNull[Any]", kind).of_type
    if isinstance(kind, GraphQLList):
        return [_plain(each, cast("GraphQLList[Any]", kind).of_type) for each in value]
    if hasattr(value, "_ctx"):
        return "an id"
    return value.value if isinstance(value, Enum) else value
