from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.layers import public_statements


def policy(**changed: object) -> str:
    statement = {
        "Sid": "publish",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": "arn:aws:lambda:eu-west-1:123456789012:layer:x:1",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **changed}]})


def test_the_statement_that_publishing_adds_is_public() -> None:
    assert public_statements(policy()) == ("publish",)


@pytest.mark.parametrize(
    "changed",
    [
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["*", "arn:aws:iam::123456789012:root"]}},
        {"Action": ["lambda:GetLayerVersion"]},
        {"Action": "lambda:*"},
        {"Condition": {}},
    ],
)
def test_other_forms_of_a_public_statement_are_public_too(changed: dict[str, object]) -> None:
    assert public_statements(policy(**changed)) == ("publish",)


@pytest.mark.parametrize(
    "changed",
    [
        {"Effect": "Deny"},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Principal": {"Service": "*"}},
        {"Action": "lambda:DeleteLayerVersion"},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-123"}}},
    ],
)
def test_a_statement_for_some_accounts_is_not_public(changed: dict[str, object]) -> None:
    assert public_statements(policy(**changed)) == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '{"Statement": 3}', '{"Statement": [3]}']
)
def test_an_invalid_policy_is_not_public(text: str) -> None:
    assert public_statements(text) == ()


def test_a_single_statement_need_not_be_a_list() -> None:
    alone = json.dumps({"Statement": json.loads(policy())["Statement"][0]})
    assert public_statements(alone) == ("publish",)


WORDS = st.sampled_from(["Statement", "Effect", "Principal", "Action", "AWS", "Sid", "Condition"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(WORDS, each),
    )
)
def test_any_json_is_read(value: object) -> None:
    assert isinstance(public_statements(json.dumps(value)), tuple)
