"""The shipped template, rendered for an example, and the permissions of its roles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, cast

import yaml
from unit_examples import CHECKOUT

from pipeline.trust.policy import Statement, statements

TEMPLATE = CHECKOUT / "oidc" / "cloudformation.yaml"
ROLES = {"publisher": "PublisherRole", "reaper": "ReaperRole", "reader": "ReaderRole"}
ACCOUNT = "123456789012"
LIST = "CommaDelimitedList"
OWN = {"GitHubOwner": "acme", "GitHubRepository": "layers"}
IDS = {"GitHubOwnerId": "11", "GitHubRepositoryId": "22"}
BUCKETS = {"BucketName": "acme-zips-{region}"}
PARAMETERS = {"SsmPrefix": "/ocel"}


class RefusedParametersError(Exception):
    """CloudFormation would refuse these parameters."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The template filled in with parameters: resources and outputs by logical id."""

    parameters: Mapping[str, str]
    resources: Mapping[str, Any]
    outputs: Mapping[str, str]

    def properties(self, name: str) -> Mapping[str, Any]:
        return self.resources[name]["Properties"]


class _Loader(yaml.SafeLoader):
    """Reads `!Sub x` as CloudFormation does, as `Sub: x`."""

    def function(self, name: str, node: yaml.Node) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            return {name: node.value}
        if isinstance(node, yaml.SequenceNode):
            return {name: self.construct_sequence(node, deep=True)}
        raise ValueError(node)


_Loader.add_multi_constructor("!", _Loader.function)  # pyright: ignore[reportUnknownMemberType]


@cache
def template() -> Mapping[str, Any]:
    return yaml.load(TEMPLATE.read_text("utf-8"), Loader=_Loader)  # noqa: S506  a SafeLoader


def rendered(*, partition: str = "aws", **given: str) -> Stack:
    """Return the stack of acme/layers; a RefusedParametersError if CloudFormation would refuse."""
    declared = template()["Parameters"]
    defaults = {name: each["Default"] for name, each in declared.items() if "Default" in each}
    values = {**defaults, **OWN, **given}
    if {*values} != {*declared} or not all(
        _accepts(declared[name], values[name]) for name in values
    ):
        raise RefusedParametersError(given)
    return _Render(partition, values).stack()


def _accepts(declared: Mapping[str, Any], value: str) -> bool:
    choices = declared.get("AllowedValues", [value])
    values = value.split(",") if declared["Type"] == LIST else [value]
    pattern = declared.get("AllowedPattern", ".*")
    return value in choices and all(re.fullmatch(pattern, each) for each in values)


class _Render:
    """The functions of CloudFormation that the template uses; a KeyError at any other."""

    def __init__(self, partition: str, values: Mapping[str, str]) -> None:
        self.parameters = values
        self.names = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": partition,
            "AWS::Region": "eu-west-1",
            **values,
        }

    def stack(self) -> Stack:
        rules = [
            one["Assert"] for each in template()["Rules"].values() for one in each["Assertions"]
        ]
        if not all(map(self.truth, rules)):
            raise RefusedParametersError(self.parameters)
        return Stack(
            parameters=self.parameters,
            resources={
                name: self.value({key: part for key, part in each.items() if key != "Condition"})
                for name, each in template()["Resources"].items()
                if "Condition" not in each or self.truth({"Condition": each["Condition"]})
            },
            outputs={
                name: self.value(each["Value"]) for name, each in template()["Outputs"].items()
            },
        )

    def truth(self, node: Mapping[str, Any]) -> bool:
        ((name, argument),) = node.items()
        return {
            "Condition": lambda: self.truth(template()["Conditions"][argument]),
            "Equals": lambda: self.value(argument[0]) == self.value(argument[1]),
            "And": lambda: all(map(self.truth, argument)),
            "Or": lambda: any(map(self.truth, argument)),
            "Not": lambda: not self.truth(argument[0]),
        }[name]()

    def value(self, node: Any) -> Any:  # noqa: ANN401
        if isinstance(node, list):
            items = cast("list[Any]", node)
            return [each for each in map(self.value, items) if each is not None]
        if not isinstance(node, dict):
            return node
        mapping = cast("dict[str, Any]", node)
        (name, argument), *more = mapping.items()
        if not more and name in ("Ref", "GetAtt", "If", "Join", "Split", "Sub"):
            return self.called(name, argument)
        values = {name: self.value(each) for name, each in mapping.items()}
        return {name: each for name, each in values.items() if each is not None}

    def called(self, name: str, argument: Any) -> Any:  # noqa: ANN401
        match name, argument:
            case "If", [condition, met, otherwise]:
                return self.value(met if self.truth({"Condition": condition}) else otherwise)
            case "Join", [mark, parts]:
                return mark.join(self.value(parts))
            case "Split", [mark, text]:
                return self.value(text).split(mark)
            case "Sub", [text, names]:
                return self.filled(text, self.value(names))
            case "Sub", text:
                return self.filled(text, {})
            case _:
                return self.reference(argument.removesuffix(".Arn"))

    def filled(self, text: str, own: Mapping[str, str]) -> str:
        return re.sub(
            r"\$\{([^}]+)\}", lambda found: own.get(found[1]) or self.names[found[1]], text
        )

    def reference(self, name: str) -> str | list[str] | None:
        """Return a parameter's value, or an ARN; a resource without a name is named by its id."""
        if name == "AWS::NoValue" or name in self.names:
            is_list = template()["Parameters"].get(name, {}).get("Type") == LIST
            return self.names[name].split(",") if is_list else self.names.get(name)
        kind = {
            "AWS::IAM::Role": f"role/{name}",
            "AWS::IAM::ManagedPolicy": f"policy/{name}",
            "AWS::IAM::OIDCProvider": "oidc-provider/token.actions.githubusercontent.com",
        }[template()["Resources"][name]["Type"]]
        return f"arn:{self.names['AWS::Partition']}:iam::{ACCOUNT}:{kind}"


def trust(role: str, **given: str) -> tuple[Statement, ...]:
    """Return the trust policy of a role."""
    return statements(rendered(**given).properties(ROLES[role])["AssumeRolePolicyDocument"])


def granted(role: str, stack: Stack) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a role's own and managed policies."""
    properties = stack.properties(ROLES[role])
    for each in properties.get("Policies", ()):
        yield from each["PolicyDocument"]["Statement"]
    for arn in properties["ManagedPolicyArns"]:
        yield from stack.properties(arn.rpartition("/")[2])["PolicyDocument"]["Statement"]


def actions(role: str, stack: Stack) -> set[str]:
    """Return all actions that a role is allowed, on any resource."""
    return {each for one in granted(role, stack) for each in several(one["Action"])}


def allowed(role: str, action: str, resource: str, stack: Stack, account: str = ACCOUNT) -> bool:
    """True if a role may do an action on a resource of an account."""
    own = {"StringEquals": {"s3:ResourceAccount": account}}
    return any(
        one["Effect"] == "Allow"
        and any(fnmatchcase(action, each) for each in several(one["Action"]))
        and any(fnmatchcase(resource, each) for each in several(one["Resource"]))
        and one.get("Condition", own) == own
        for one in granted(role, stack)
    )


def several(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
