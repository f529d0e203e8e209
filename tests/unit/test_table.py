from __future__ import annotations

import shlex
from typing import Any

import pytest
from command_lines import check_command

from pipeline.options import TABLE
from pipeline.registry.table import (
    BASE_INDEX,
    DISTRIBUTION_INDEX,
    TableFault,
    definition,
    index_addition,
    missing_table,
    table_faults,
)


def described(**changed: object) -> dict[str, Any]:
    return {"Table": {**definition("mine"), "TableStatus": "ACTIVE", **changed}}


def faults(**changed: object) -> list[TableFault]:
    return list(table_faults(described(**changed), "eu-west-1"))


def indexes(**changed: object) -> list[dict[str, Any]]:
    """Return the indexes with changes to the first."""
    first, second = definition("mine")["GlobalSecondaryIndexes"]
    return [{**first, **changed}, second]


def test_the_table_that_is_created_has_no_fault() -> None:
    assert faults() == []


def test_the_hint_for_a_missing_table_is_a_command_that_creates_it() -> None:
    _, found, options = missing_table("mine", "eu-west-1").hint.partition("create-table ")
    check_command(f"ocelot layers {found}{options}", complete=True)
    assert shlex.split(options) == ["--table", "mine", "--table-region", "eu-west-1"]


def test_the_tables_name_is_the_one_that_other_tools_know() -> None:
    assert TABLE == "PublishedCustomCollectorExtensionLayers"
    assert (DISTRIBUTION_INDEX, BASE_INDEX) == ("distribution-index", "base-layer-index")


def test_a_missing_index_is_made_by_the_hint() -> None:
    (fault,) = faults(GlobalSecondaryIndexes=indexes()[1:])
    assert fault.message == f"the table mine in eu-west-1 has no index {DISTRIBUTION_INDEX}"
    assert fault.missing_index == DISTRIBUTION_INDEX
    _, _, command = fault.hint.partition(": ")
    check_command(command, complete=True)
    assert shlex.split(command)[-4:] == ["--table", "mine", "--table-region", "eu-west-1"]


def test_an_index_is_added_with_its_keys_and_their_types() -> None:
    key, distribution = definition("")["AttributeDefinitions"][:2]
    assert index_addition(described(AttributeDefinitions=[key]), DISTRIBUTION_INDEX) == {
        "TableName": "mine",
        "AttributeDefinitions": [key, distribution],
        "GlobalSecondaryIndexUpdates": [{"Create": indexes()[0]}],
    }


@pytest.mark.parametrize("units", [5, 0])
def test_an_index_has_the_capacity_of_its_table(units: int) -> None:
    throughput = {"ReadCapacityUnits": units, "WriteCapacityUnits": units}
    table = described(ProvisionedThroughput={**throughput, "NumberOfDecreasesToday": 0})
    (update,) = index_addition(table, BASE_INDEX)["GlobalSecondaryIndexUpdates"]
    assert update["Create"].get("ProvisionedThroughput") == (throughput if units else None)


@pytest.mark.parametrize("status", ["CREATING", "DELETING", "ARCHIVED"])
def test_a_table_that_is_not_ready_has_a_fault(status: str) -> None:
    (fault,) = faults(TableStatus=status)
    assert fault.message == f"the table mine in eu-west-1 is {status}"


def test_a_table_that_is_being_changed_can_be_used() -> None:
    assert faults(TableStatus="UPDATING") == []


def test_an_index_that_is_not_ready_has_a_fault() -> None:
    (fault,) = faults(GlobalSecondaryIndexes=indexes(IndexStatus="CREATING"))
    assert fault.message.endswith(
        f"index {DISTRIBUTION_INDEX} of the table mine in eu-west-1 is CREATING"
    )


def test_an_index_without_all_attributes_has_a_fault() -> None:
    (fault,) = faults(GlobalSecondaryIndexes=indexes(Projection={"ProjectionType": "INCLUDE"}))
    assert "does not contain all attributes" in fault.message


def test_a_key_of_another_type_is_a_fault() -> None:
    types = [{**each, "AttributeType": "B"} for each in definition("")["AttributeDefinitions"]]
    assert len(faults(AttributeDefinitions=types)) == 3


def test_an_empty_description_of_a_table_has_every_fault() -> None:
    assert len(list(table_faults({"Table": {"TableName": "mine"}}, "eu-west-1"))) == 4
