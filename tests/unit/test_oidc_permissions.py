"""The permissions of the template's roles, compared with the calls that ocelot makes to AWS."""

from __future__ import annotations

import re

import pytest
from aws_door import calls, permissions
from oidc_examples import (
    ACCOUNT,
    BUCKETS,
    PARAMETERS,
    ROLES,
    RefusedParametersError,
    actions,
    allowed,
    granted,
    rendered,
    several,
)
from unit_examples import CHECKOUT

from pipeline.errors import UsageError
from pipeline.naming import Architecture, layer_name
from pipeline.options import TABLE
from pipeline.parameters.names import parameter_prefix
from pipeline.registry.table import INDEXES

STACK = rendered(**BUCKETS, **PARAMETERS)
PUBLISHER, REAPER, READER = EVERY = tuple(ROLES)

LAYER = f"arn:aws:lambda:eu-west-3:{ACCOUNT}:layer:" + layer_name(
    "ocel", Architecture.AMD64, "minimal", "v0.158.0", "beta"
)
ROWS = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{TABLE}"
FUNCTION = f"arn:aws:lambda:eu-west-3:{ACCOUNT}:function:checkout"
PREFIX = f"arn:aws:ssm:eu-west-3:{ACCOUNT}:parameter/ocel"
PARAMETER = f"{PREFIX}/minimal/amd64/latest"
BUCKET = "arn:aws:s3:::acme-zips-eu-west-3"
ALL = "*"

# Each permission with the roles that have it, and the resources that it is needed for.
NEEDED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "lambda:ListLayers": (EVERY, (ALL,)),
    "lambda:ListLayerVersions": (EVERY, (ALL,)),
    "lambda:GetLayerVersion": (EVERY, (f"{LAYER}:7",)),
    "lambda:GetLayerVersionPolicy": (EVERY, (f"{LAYER}:7",)),
    "lambda:GetAccountSettings": ((PUBLISHER,), (ALL,)),
    "lambda:PublishLayerVersion": ((PUBLISHER,), (LAYER,)),
    "lambda:AddLayerVersionPermission": ((PUBLISHER,), (f"{LAYER}:7",)),
    "lambda:RemoveLayerVersionPermission": ((PUBLISHER,), (f"{LAYER}:7",)),
    "lambda:DeleteLayerVersion": ((REAPER,), (f"{LAYER}:7",)),
    "lambda:ListFunctions": ((REAPER, READER), (ALL,)),
    "lambda:ListAliases": ((READER,), (FUNCTION,)),
    "dynamodb:DescribeTable": (EVERY, (ROWS,)),
    "dynamodb:GetItem": (EVERY, (ROWS,)),
    "dynamodb:Scan": (EVERY, (ROWS,)),
    "dynamodb:Query": (EVERY, tuple(f"{ROWS}/index/{each}" for each in INDEXES)),
    "dynamodb:UpdateItem": ((PUBLISHER, REAPER), (ROWS,)),
    "dynamodb:DeleteItem": ((PUBLISHER,), (ROWS,)),
    "ssm:GetParameters": (EVERY, (PARAMETER,)),
    "ssm:GetParametersByPath": ((REAPER, READER), (PREFIX, PARAMETER)),
    "ssm:PutParameter": ((PUBLISHER, REAPER), (PARAMETER,)),
    "ssm:AddTagsToResource": ((PUBLISHER, REAPER), (PARAMETER,)),
    "ssm:DeleteParameter": ((REAPER,), (PARAMETER,)),
    "s3:ListBucket": ((PUBLISHER,), (BUCKET,)),
    "s3:PutObject": ((PUBLISHER,), (f"{BUCKET}/a.zip",)),
    "s3:GetObject": ((PUBLISHER,), (f"{BUCKET}/a.zip",)),
    "s3:DeleteObject": ((PUBLISHER,), (f"{BUCKET}/a.zip",)),
}
# Used by people with their own credentials, not by a role.
BY_A_PERSON = {
    *("iam:GetRole", "iam:GetOpenIDConnectProvider", "dynamodb:CreateTable"),
    *("dynamodb:UpdateTable", "lambda:GetFunctionConfiguration"),
    "lambda:UpdateFunctionConfiguration",
}

# Permissions without single resources.
UNBOUNDED = {name for name, (_, resources) in NEEDED.items() if resources == (ALL,)}

OTHERS = {
    "lambda": (
        f"arn:aws:lambda:eu-west-3:{ACCOUNT}:layer:other-amd64-minimal-0_158_0-beta",
        f"arn:aws:lambda:eu-west-3:{ACCOUNT}:layer:ocelx",
        f"arn:aws:lambda:eu-west-3:{ACCOUNT}:layer:other-ocel-amd64",
        FUNCTION.replace(ACCOUNT, "210987654321"),
        f"arn:aws:lambda:eu-west-3:{ACCOUNT}:event-source-mapping:ocel-amd64",
        LAYER.replace(ACCOUNT, "210987654321"),
        ALL,
    ),
    "dynamodb": (
        f"{ROWS}2",
        f"{ROWS}/index/other",
        ROWS.replace(ACCOUNT, "210987654321"),
        ROWS.replace("eu-west-1", "eu-west-2"),
        ALL,
    ),
    "ssm": (
        f"arn:aws:ssm:eu-west-3:{ACCOUNT}:parameter/ocelx/latest",
        f"arn:aws:ssm:eu-west-3:{ACCOUNT}:parameter/other/ocel/latest",
        f"arn:aws:ssm:eu-west-3:{ACCOUNT}:document/ocel/latest",
        PARAMETER.replace(ACCOUNT, "210987654321"),
        ALL,
    ),
    "s3": ("arn:aws:s3:::acme", "arn:aws:s3:::other-acme-zips-eu-west-3", ALL),
}
CASES = [
    (role, action, resource)
    for action, (_, resources) in NEEDED.items()
    for resource in resources
    for role in EVERY
]


def test_calls_are_found_in_the_sources() -> None:
    assert {
        *("lambda:PublishLayerVersion", "lambda:ListLayerVersions", "dynamodb:UpdateItem"),
        *("dynamodb:Scan", "dynamodb:Query", "sts:AssumeRoleWithWebIdentity", "iam:GetRole"),
    } <= calls()


@pytest.mark.parametrize("call", sorted(calls()))
def test_every_call_is_allowed_to_a_role_or_a_person(call: str) -> None:
    needed = set(permissions(call)) - BY_A_PERSON
    assert needed <= set(NEEDED), f"add {call} to NEEDED and to oidc/cloudformation.yaml"


@pytest.mark.parametrize("action", NEEDED)
def test_every_permission_is_needed_for_a_call(action: str) -> None:
    assert action in {each for call in calls() for each in permissions(call)}


@pytest.mark.parametrize(("role", "action", "resource"), CASES)
def test_a_role_is_allowed_what_it_needs_and_no_other_role_is(
    role: str, action: str, resource: str
) -> None:
    assert allowed(role, action, resource, STACK) is (role in NEEDED[action][0])


@pytest.mark.parametrize("role", EVERY)
def test_a_role_has_no_other_actions(role: str) -> None:
    assert actions(role, STACK) == {name for name, (roles, _) in NEEDED.items() if role in roles}


@pytest.mark.parametrize("action", sorted(set(NEEDED) - UNBOUNDED))
def test_no_role_may_use_resources_of_others(action: str) -> None:
    others = OTHERS[action.partition(":")[0]]
    names = [*others, *(f"{each}:7" for each in others), *(f"{each}/a.zip" for each in others)]
    assert [
        (role, name) for role in EVERY for name in names if allowed(role, action, name, STACK)
    ] == []


@pytest.mark.parametrize(
    "action", sorted(name for name in NEEDED if name.startswith("lambda:") and "Layer" in name)
)
def test_no_permission_for_layers_is_one_for_functions(action: str) -> None:
    assert action in UNBOUNDED or not any(allowed(role, action, FUNCTION, STACK) for role in EVERY)


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"])
def test_a_bucket_of_another_account_may_not_be_used(action: str) -> None:
    assert not allowed(PUBLISHER, action, f"{BUCKET}/a.zip", STACK, account="210987654321")


@pytest.mark.parametrize("role", EVERY)
def test_statements_allow_named_actions_of_named_resources(role: str) -> None:
    for one in granted(role, STACK):
        assert {*one} <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert one["Effect"] == "Allow"
        assert not [each for each in several(one["Action"]) if "*" in each or "?" in each]
        if one["Resource"] == ALL:
            assert set(several(one["Action"])) <= UNBOUNDED


def test_without_buckets_and_parameters_no_role_has_permissions_for_them() -> None:
    found = {each.partition(":")[0] for role in EVERY for each in actions(role, rendered())}
    assert found == {"lambda", "dynamodb"}


@pytest.mark.parametrize(
    "prefix", ["/", "ocel", "/ocel/", "/ocel/*", "/o?l", "/${x}", "/aws/x", "/SSM", "/a" * 13]
)
def test_a_prefix_that_ssm_or_a_policy_would_read_otherwise_is_refused(prefix: str) -> None:
    with pytest.raises(RefusedParametersError):
        rendered(SsmPrefix=prefix)
    with pytest.raises(UsageError):
        parameter_prefix(prefix)


@pytest.mark.parametrize("prefix", ["/ocel", "/Team-1/ocel_x.y", "/a" * 12, "/my/aws"])
def test_a_prefix_that_the_command_accepts_is_accepted(prefix: str) -> None:
    assert rendered(SsmPrefix=prefix).parameters["SsmPrefix"] == parameter_prefix(prefix)


def test_the_table_is_the_one_that_is_named() -> None:
    stack = rendered(TableName="mine", LayerName="mine")
    assert not allowed(PUBLISHER, "dynamodb:UpdateItem", ROWS, stack)
    assert allowed(PUBLISHER, "dynamodb:UpdateItem", ROWS.replace(TABLE, "mine"), stack)
    assert not allowed(PUBLISHER, "lambda:PublishLayerVersion", LAYER, stack)


def test_in_another_partition_the_resources_are_its_own() -> None:
    stack = rendered(partition="aws-cn")
    china = LAYER.replace("arn:aws:", "arn:aws-cn:")
    assert allowed(PUBLISHER, "lambda:PublishLayerVersion", china, stack)
    assert not allowed(PUBLISHER, "lambda:PublishLayerVersion", LAYER, stack)


@pytest.mark.parametrize("action", NEEDED)
def test_the_guide_lists_each_permission_with_its_roles(action: str) -> None:
    service, _, name = action.partition(":")
    guide = (CHECKOUT / "oidc" / "README.md").read_text("utf-8")
    rows = [line for line in guide.splitlines() if line.startswith(f"| `{service}:")]
    (row,) = [line for line in rows if re.search(rf"[`:]{name}`", line)]
    listed = [cell.strip() == "yes" for cell in row.split("|")[2:5]]
    assert listed == [role in NEEDED[action][0] for role in EVERY]


@pytest.mark.parametrize("action", ["Add", "Remove"])
def test_the_publisher_may_share_its_layers_with_any_organisation_or_account(action: str) -> None:
    name = f"lambda:{action}LayerVersionPermission"
    found = [one for one in granted(PUBLISHER, STACK) if name in several(one["Action"])]
    assert found
    assert [one for one in found if "Condition" in one] == []
