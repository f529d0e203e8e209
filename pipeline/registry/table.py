"""The registry's table: its shape, the faults of a table, and how they are fixed."""

from __future__ import annotations

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
        missing_index: name of an index that does not exist.
        passes: True if it ends by itself.
    """

    message: str
    hint: str
    missing_index: str = ""
    passes: bool = False


def definition(table: str) -> dict[str, Any]:
    """Return the table's definition, for DynamoDB's CreateTable."""
    return {
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": _types(*TYPES),
        "KeySchema": _keys(KEY),
        "GlobalSecondaryIndexes": [_index(name) for name in INDEXES],
    }


def index_addition(described: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the parameters of DynamoDB's UpdateTable that add an index.

    Args:
        described: DescribeTable's answer; an index has the capacity of its table.
        name: of the index.
    """
    table: Mapping[str, Any] = described["Table"]
    throughput = table.get("ProvisionedThroughput", {})
    capacity = {
        each: throughput[each]
        for each in ("ReadCapacityUnits", "WriteCapacityUnits")
        if throughput.get(each)  # 0 for a table that is paid for by request
    }
    index = {**_index(name), **({"ProvisionedThroughput": capacity} if capacity else {})}
    types: list[dict[str, str]] = table.get("AttributeDefinitions", [])
    known = {each["AttributeName"] for each in types}
    return {
        "TableName": table["TableName"],
        "AttributeDefinitions": [
            *types,
            *_types(*(each for each in INDEXES[name] if each not in known)),
        ],
        "GlobalSecondaryIndexUpdates": [{"Create": index}],
    }


def missing_table(table: str, region: str) -> TableFault:
    """Fault of a table that does not exist."""
    return TableFault(
        message=f"there is no table {table} in {region}",
        hint="name another by --table and --table-region, or create it: "
        f"{_create_table(table, region)}",
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
            passes=table.get("TableStatus") == "CREATING",
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
    command = _create_table(table, region)
    if index is None:
        yield TableFault(
            message=f"{label} has no index {name}", hint=f"add it: {command}", missing_index=name
        )
        return
    again = f"delete that index, then add it again: {command}"
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
            passes=index["IndexStatus"] == "CREATING",
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


def _create_table(table: str, region: str) -> str:
    """Return the command that creates the table, or adds indexes that are missing."""
    return shlex.join(
        ("ocelot", "layers", "create-table", "--table", table, "--table-region", region)
    )
