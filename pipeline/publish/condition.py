"""On what condition a row is written: as DynamoDB's condition expressions, made as data. Pure.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.publish.row import KEY, TIMESTAMP, Item

# What tells that a row is the one that was read: lists are left out, since tools write them anew.
_TELLING = (
    *("distribution", "architecture", "code_sha256", "md5_hash", TIMESTAMP),
    *("public", "base_layer_arn"),
)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition, with the names and values for which its placeholders stand."""

    text: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])


ABSENT = Condition(text="attribute_not_exists(#key)", names={"#key": KEY})


def unchanged(item: Item) -> Condition:
    """That an item is there, and as it was read, whatever types its attributes have."""
    there = [name for name in _TELLING if name in item]
    return Condition(
        text=" AND ".join(
            [
                "attribute_exists(#key)",
                *(f"#was_{name} = :was_{name}" for name in there),
                *(f"attribute_not_exists(#was_{name})" for name in _TELLING if name not in item),
            ]
        ),
        names={"#key": KEY, **{f"#was_{name}": name for name in _TELLING}},
        values={f":was_{name}": item[name] for name in there},
    )
