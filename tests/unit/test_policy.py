"""Reading and changing the policies of layer versions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.policy import (
    EVERYONE,
    LayerPolicy,
    LayerStatement,
    grantee,
    granting,
    permission,
    read_policy,
)
from pipeline.errors import UsageError

ORG, ACCOUNT = "org:o-a1b2c3d4e5", "account:210987654321"


def policy(**changed: object) -> str:
    statement = {
        "Sid": "publish",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": "arn:aws:lambda:eu-west-1:123456789012:layer:x:1",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **changed}]})


def granted(text: str) -> tuple[str, ...]:
    """The grantees of the only statement."""
    (statement,) = read_policy(text).statements
    assert statement.id == "publish"
    return statement.grantees


def test_the_statement_that_publishing_adds_is_public() -> None:
    assert read_policy(policy()) == LayerPolicy((granting(EVERYONE),))
    assert read_policy(policy()).public


@pytest.mark.parametrize(
    "changed",
    [
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["*", 3]}},
        {"Action": ["lambda:GetLayerVersion"]},
        {"Action": "lambda:*"},
        {"Condition": {}},
    ],
)
def test_other_forms_of_a_public_statement_are_public_too(changed: dict[str, object]) -> None:
    assert granted(policy(**changed)) == (EVERYONE,)


@pytest.mark.parametrize("operator", [{}, {"StringLike": {"aws:PrincipalOrgID": "o-*"}}])
@pytest.mark.parametrize("key", ["aws:PrincipalOrgID", "AWS:principalorgid"])
@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}])
def test_a_statement_for_an_organisation_is_not_public(
    operator: dict[str, object], key: str, principal: object
) -> None:
    condition = {"StringEquals": {key: "o-a1b2c3d4e5"}, **operator}
    text = policy(Principal=principal, Condition=condition)
    assert granted(text) == (() if operator else (ORG,))


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])
def test_a_statement_for_accounts_names_them(partition: str) -> None:
    principals = [f"arn:{partition}:iam::210987654321:root", "123456789012"]
    text = policy(Principal={"AWS": principals})
    assert granted(text) == (ACCOUNT, "account:123456789012")
    assert granted(policy(Principal={"AWS": principals[0]})) == (ACCOUNT,)


@pytest.mark.parametrize(
    "changed",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "*"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:role/x"}},
        {"Action": "lambda:DeleteLayerVersion"},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-123"}}},
        {"Condition": {"StringEquals": {"aws:PrincipalTag/x": "o-a1b2c3d4e5"}}},
        {"Condition": {"StringLike": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}},
        {
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
        },
    ],
)
def test_a_statement_of_another_kind_has_no_grantees(changed: dict[str, object]) -> None:
    assert granted(policy(**changed)) == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '{"Statement": 3}', '{"Statement": [3]}', "{}"]
)
def test_an_invalid_policy_has_no_statements(text: str) -> None:
    assert read_policy(text) == LayerPolicy()


def test_a_single_statement_need_not_be_a_list() -> None:
    alone = json.dumps({"Statement": json.loads(policy())["Statement"][0]})
    assert read_policy(alone).public


WORDS = st.sampled_from(["Statement", "Effect", "Principal", "Action", "AWS", "Sid", "Condition"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(WORDS, each),
    )
)
def test_any_json_is_read(value: object) -> None:
    assert isinstance(read_policy(json.dumps(value)), LayerPolicy)


GRANTEES = st.one_of(
    st.from_regex(r"org:o-[a-z0-9]{10,32}", fullmatch=True),
    st.from_regex(r"account:[0-9]{12}", fullmatch=True),
)
FOREIGN = st.builds(
    LayerStatement,
    st.sampled_from(["by-hand", "publish", "share-dev", "share-account-1", ""]),
    st.lists(GRANTEES | st.just(EVERYONE), max_size=2).map(tuple),
)
OWN = GRANTEES.map(granting)
# an own id with other grantees: somebody has changed it
BROKEN = st.tuples(OWN, FOREIGN).map(lambda two: LayerStatement(two[0].id, two[1].grantees))
POLICIES = st.lists(OWN | FOREIGN | BROKEN, max_size=6, unique_by=lambda each: each.id).map(
    lambda statements: LayerPolicy(tuple(statements))
)


@given(POLICIES, st.sets(GRANTEES, max_size=4))
def test_own_statements_are_exactly_those_of_the_grantees(
    before: LayerPolicy, wanted: set[str]
) -> None:
    after = before.with_shares(wanted)
    own = [each for each in after.statements if each.is_own]
    assert sorted(own, key=lambda each: each.id) == sorted(
        map(granting, wanted), key=lambda each: each.id
    )
    assert [each for each in after.statements if not each.is_own] == [
        each for each in before.statements if not each.is_own
    ]
    assert set(after.shared_with) >= wanted
    assert after.with_shares(wanted) == after
    assert after.public == any(
        EVERYONE in each.grantees for each in after.statements if not each.is_own
    )


@given(POLICIES, st.booleans())
def test_making_public_or_private_leaves_all_other_statements(
    before: LayerPolicy,
    public: bool,  # noqa: FBT001
) -> None:
    after = before.with_public(public=public)
    assert after.public is public
    assert after.with_public(public=public) == after
    assert [each for each in after.statements if EVERYONE not in each.grantees] == [
        each for each in before.statements if EVERYONE not in each.grantees
    ]


@given(POLICIES, POLICIES)
def test_the_differences_lead_from_one_policy_to_the_other(
    before: LayerPolicy, after: LayerPolicy
) -> None:
    changed = {*before.statements} - {*before.without(after)} | {*after.without(before)}
    assert changed == {*after.statements}


def test_each_grantee_has_its_statement() -> None:
    read = {"Action": "lambda:GetLayerVersion"}
    assert permission(granting(EVERYONE)) == {**read, "StatementId": "publish", "Principal": "*"}
    assert permission(granting(ACCOUNT)) == {
        **read,
        "StatementId": "share-account-210987654321",
        "Principal": "210987654321",
    }
    assert permission(granting(ORG)) == {
        **read,
        "StatementId": "share-org-o-a1b2c3d4e5",
        "Principal": "*",
        "OrganizationId": "o-a1b2c3d4e5",
    }


@given(GRANTEES)
def test_every_grantee_is_accepted_and_its_statement_recognised(one: str) -> None:
    assert grantee(one) == one
    assert granting(one).is_own


@pytest.mark.parametrize(
    "text",
    [
        *("", "*", "none", "o-a1b2c3d4e5", "210987654321", "org:o-a1b2c3d4e", "org:o-A1B2C3D4E5"),
        *("account:21098765432", "account:2109876543210", "account:21098765432x", ORG + "\n"),
        *("org:ou-a1b2-c3d4e5f6", "account: 210987654321", f"{ORG},{ACCOUNT}"),
    ],
)
def test_anything_else_is_no_grantee(text: str) -> None:
    with pytest.raises(UsageError, match="neither an organisation nor an account"):
        grantee(text)
