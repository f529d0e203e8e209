"""The table and the outputs of the template."""

from __future__ import annotations

import pytest
from oidc_examples import ACCOUNT, rendered, template
from unit_examples import CHECKOUT

from pipeline.registry.table import definition, table_faults

TABLE = "Table"
PROTECTION = ("DeletionProtectionEnabled", "PointInTimeRecoverySpecification")


def test_the_table_has_the_registrys_shape() -> None:
    properties = dict(rendered().properties(TABLE))
    for name in PROTECTION:
        del properties[name]
    assert properties == definition(properties["TableName"])
    assert list(table_faults({"Table": {**properties, "TableStatus": "ACTIVE"}}, "")) == []


def test_the_table_is_protected_from_deletion() -> None:
    table = rendered().resources[TABLE]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True
    }


def test_an_existing_table_is_used() -> None:
    stack = rendered(CreateTable="false", TableName="mine")
    assert TABLE not in stack.resources
    assert stack.outputs["DynamodbTableName"] == "mine"


def test_outputs_have_the_names_of_the_workflows_secrets() -> None:
    described = {
        each["Description"]: rendered().outputs[name]
        for name, each in template()["Outputs"].items()
    }
    assert described == {
        "AWS_ROLE_TO_ASSUME": f"arn:aws:iam::{ACCOUNT}:role/PublisherRole",
        "DYNAMODB_TABLE_NAME": "PublishedCustomCollectorExtensionLayers",
        "AWS_REAPER_ROLE": f"arn:aws:iam::{ACCOUNT}:role/ReaperRole",
        "AWS_READER_ROLE": f"arn:aws:iam::{ACCOUNT}:role/ReaderRole",
    }


@pytest.mark.parametrize("name", sorted(template()["Parameters"]))
def test_each_parameter_is_described_and_in_the_guide(name: str) -> None:
    assert template()["Parameters"][name]["Description"]
    assert name in (CHECKOUT / "oidc" / "README.md").read_text("utf-8")
