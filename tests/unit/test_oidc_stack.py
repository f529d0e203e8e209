"""The table and the outputs of the template."""

from __future__ import annotations

import pytest
from oidc_examples import ACCOUNT, rendered, template
from unit_examples import CHECKOUT

from pipeline.errors import UsageError
from pipeline.publish.table import definition, table_faults
from pipeline.trust.job import Repository
from pipeline.trust.stack import (
    TABLE,
    given_parameters,
    render_stack,
    role_policy,
    stack_table_findings,
)

PROTECTION = ("DeletionProtectionEnabled", "PointInTimeRecoverySpecification")


def test_the_table_is_the_registrys() -> None:
    properties = dict(rendered().properties(TABLE))
    for name in PROTECTION:
        del properties[name]
    assert properties == definition(properties["TableName"])
    assert list(table_faults({"Table": {**properties, "TableStatus": "ACTIVE"}}, "")) == []


def test_the_table_outlives_mistakes() -> None:
    table = rendered().resources[TABLE]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True
    }


def test_the_table_may_be_there_already() -> None:
    stack = rendered(CreateTable="false", TableName="mine")
    assert TABLE not in stack.resources
    assert stack.outputs["DynamodbTableName"] == "mine"
    (finding,) = stack_table_findings(stack, "eu-west-1")
    assert finding.state == "note"


def test_a_table_of_another_form_is_a_problem() -> None:
    stack = rendered()
    stack.resources[TABLE]["Properties"]["GlobalSecondaryIndexes"].pop()
    (finding,) = stack_table_findings(stack, "eu-west-1")
    assert finding.state == "problem"
    assert "has no index base-layer-index" in finding.found


def test_a_table_of_the_right_form_is_told() -> None:
    assert [each.state for each in stack_table_findings(rendered(), "eu-west-1")] == ["ok"]


def test_outputs_are_described_as_the_workflows_secrets() -> None:
    described = {
        each["Description"]: rendered().outputs[name]
        for name, each in template().mapping["Outputs"].items()
    }
    assert described == {
        "AWS_ROLE_TO_ASSUME": f"arn:aws:iam::{ACCOUNT}:role/PublisherRole",
        "DYNAMODB_TABLE_NAME": "PublishedCustomCollectorExtensionLayers",
        "AWS_REAPER_ROLE": f"arn:aws:iam::{ACCOUNT}:role/ReaperRole",
        "AWS_READER_ROLE": f"arn:aws:iam::{ACCOUNT}:role/ReaderRole",
    }


def test_a_repository_gives_the_parameters_that_are_not_given() -> None:
    repository = Repository(owner="acme", name="layers", owner_id="1", repository_id="2")
    stack = render_stack(template(), {"GitHubOwner": "other"}, repository)
    assert stack.parameters["GitHubOwner"] == "other"
    assert stack.parameters["GitHubRepository"] == "layers"
    assert stack.parameters["GitHubRepositoryId"] == "2"


def test_a_role_may_be_named_by_its_logical_id() -> None:
    stack = rendered()
    assert role_policy(stack, "ReaderRole") == role_policy(stack, "reader")


def test_a_role_that_the_template_does_not_make_is_told() -> None:
    with pytest.raises(UsageError, match="makes no role 'writer'") as caught:
        role_policy(rendered(), "writer")
    assert "publisher" in caught.value.hint


@pytest.mark.parametrize("word", ["GitHubOwner", "=x", ""])
def test_a_word_that_is_no_parameter_is_told(word: str) -> None:
    with pytest.raises(UsageError, match="is no parameter"):
        given_parameters([word])


def test_a_parameter_may_have_the_mark_in_its_value() -> None:
    assert given_parameters(["A=b=c", "D="]) == {"A": "b=c", "D": ""}


@pytest.mark.parametrize("name", sorted(template().mapping["Parameters"]))
def test_the_guide_and_the_template_tell_each_parameter(name: str) -> None:
    assert template().mapping["Parameters"][name]["Description"]
    assert name in (CHECKOUT / "oidc" / "README.md").read_text("utf-8")
