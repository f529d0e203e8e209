"""The registry's table: its shape, the faults of a table, and the command that makes it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.registry.row import KEY

# Used if neither option nor environment nor profile names a region.
DEFAULT_REGION = "us-east-1"

DISTRIBUTION_INDEX = "distribution-index"
BASE_INDEX = "base-layer-index"
INDEXES = {DISTRIBUTION_INDEX: ("distribution", KEY), BASE_INDEX: ("base_layer_arn", "version")}
TYPES = {KEY: "S", "distribution": "S", "base_layer_arn": "S", "version": "N"}


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFault:
    """One thing that is wrong with a table.

    Attributes:
        message: a sentence that names table and region.
        hint: how to fix it.
    """

    message: str
    hint: str


def definition(table: str) -> dict[str, Any]:
    """Return the table's definition, for DynamoDB's CreateTable."""
    return {
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": _types(*TYPES),
        "KeySchema": _keys(KEY),
        "GlobalSecondaryIndexes": [_index(name) for name in INDEXES],
    }


def missing_table(table: str, region: str) -> TableFault:
    """Fault of a table that does not exist."""
    options = shlex.join(("--table", table, "--table-region", region))
    return TableFault(
        message=f"there is no table {table} in {region}",
        hint="name another by --table and --table-region, or create it: "
        f"ocelot layers create-table {options}",
    )


def table_faults(described: Mapping[str, Any], region: str) -> Iterator[TableFault]:
    """Yield the faults of a table.

    Args:
        described: DescribeTable's answer.
        region: of the table.
    """
    table: Mapping[str, Any] = described["Table"]
    name = table["TableName"]
    types = {
        each["AttributeName"]: each["AttributeType"]
        for each in table.get("AttributeDefinitions", ())
    }
    if table.get("TableStatus") not in ("ACTIVE", "UPDATING"):
        yield TableFault(
            message=f"the table {name} in {region} is {table.get('TableStatus', 'not active')}",
            hint="wait until it is ACTIVE, then try again",
        )
    if not _has_keys(table, (KEY,), types):
        yield TableFault(
            message=f"the key of the table {name} in {region} is not {KEY} alone, a string",
            hint="a table's key cannot be changed: make a table of another name, and name it by "
            "--table",
        )
    indexes = {each["IndexName"]: each for each in table.get("GlobalSecondaryIndexes", ())}
    for index, keys in INDEXES.items():
        yield from _index_faults(indexes.get(index), index, keys, types=types, of=(name, region))


def _index_faults(
    index: Mapping[str, Any] | None,
    name: str,
    keys: tuple[str, ...],
    *,
    types: Mapping[str, str],
    of: tuple[str, str],
) -> Iterator[TableFault]:
    table, region = of
    label = f"the table {table} in {region}"
    command = (
        *("update-table", "--table-name", table),
        *("--attribute-definitions", json.dumps(_types(*dict.fromkeys((KEY, *keys))))),
        *("--global-secondary-index-updates", json.dumps([{"Create": _index(name)}])),
    )
    if index is None:
        yield TableFault(message=f"{label} has no index {name}", hint=_aws(command, region))
        return
    again = f"delete that index, then make it again: {_aws(command, region)}"
    if not _has_keys(index, keys, types):
        yield TableFault(
            message=f"the keys of the index {name} of {label} are not "
            f"{' and '.join(f'{key} ({TYPES[key]})' for key in keys)}",
            hint=again,
        )
    if index.get("Projection", {}).get("ProjectionType", "ALL") != "ALL":
        yield TableFault(
            message=f"the index {name} of {label} does not contain all attributes", hint=again
        )
    if index.get("IndexStatus", "ACTIVE") not in ("ACTIVE", "UPDATING"):
        yield TableFault(
            message=f"the index {name} of {label} is {index['IndexStatus']}",
            hint="wait until it is ACTIVE, then try again",
        )


def _has_keys(
    described: Mapping[str, Any], keys: tuple[str, ...], types: Mapping[str, str]
) -> bool:
    """True if a table or index has those keys, of their types."""
    schema = {each["KeyType"]: each["AttributeName"] for each in described.get("KeySchema", ())}
    found = tuple(schema[kind] for kind in ("HASH", "RANGE") if kind in schema)
    return found == keys and all(types.get(key) == TYPES[key] for key in keys)


def _types(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": TYPES[name]} for name in names]


def _keys(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)
    ]


def _index(name: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": _keys(*INDEXES[name]),
        "Projection": {"ProjectionType": "ALL"},
    }


def _aws(command: tuple[str, ...], region: str) -> str:
    return shlex.join(("aws", "dynamodb", *command, "--region", region))
