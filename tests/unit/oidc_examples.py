"""The shipped template, rendered for an example, and what its roles may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from unit_examples import CHECKOUT

from pipeline.located_yaml import Document
from pipeline.trust.conditions import Condition, every, like, met
from pipeline.trust.policy import Statement, statements
from pipeline.trust.stack import ROLES
from pipeline.trust.template import Rendered, read_template, render

TEMPLATE = CHECKOUT / "oidc" / "cloudformation.yaml"
ACCOUNT = "123456789012"
OWN = {"GitHubOwner": "acme", "GitHubRepository": "layers"}
IDS = {"GitHubOwnerId": "11", "GitHubRepositoryId": "22"}
BUCKETS = {"BucketName": "acme-zips-{region}"}


@cache
def template() -> Document:
    return read_template(TEMPLATE)


def rendered(**given: str) -> Rendered:
    return render(template(), {**OWN, **given}, {"AWS::Region": "eu-west-1"})


def trust(role: str, **given: str) -> tuple[Statement, ...]:
    """The trust policy of a role."""
    properties = rendered(**given).properties(ROLES[role])
    return statements(properties["AssumeRolePolicyDocument"])


def granted(role: str, stack: Rendered) -> Iterator[Mapping[str, Any]]:
    """The statements of a role's own policies and of those that it shares."""
    properties = stack.properties(ROLES[role])
    documents = [each["PolicyDocument"] for each in properties.get("Policies", ())]
    shared = {
        name: each["Properties"]["PolicyDocument"]
        for name, each in stack.resources.items()
        if each["Type"] == "AWS::IAM::ManagedPolicy"
    }
    documents += [shared[arn.rpartition("/")[2]] for arn in properties["ManagedPolicyArns"]]
    for document in documents:
        yield from document["Statement"]


def actions(role: str, stack: Rendered) -> set[str]:
    """All actions of which a role is allowed something."""
    return {each for one in granted(role, stack) for each in several(one["Action"])}


def allowed(role: str, action: str, resource: str, stack: Rendered, account: str = ACCOUNT) -> bool:
    """Whether a role may do something to a resource of an account."""
    return any(
        one["Effect"] == "Allow"
        and any(like(each.lower(), action.lower()) for each in several(one["Action"]))
        and any(like(each, resource) for each in several(one["Resource"]))
        and every(_met(one.get("Condition", {}), {"s3:resourceaccount": account}))
        for one in granted(role, stack)
    )


def several(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _met(conditions: Mapping[str, Mapping[str, str]], claims: Mapping[str, str]) -> Iterator[Any]:
    for operator, keys in conditions.items():
        for key, values in keys.items():
            test = Condition(operator=operator, key=key.lower(), values=tuple(several(values)))
            yield met(test, claims)
