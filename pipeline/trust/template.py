"""A CloudFormation template as CloudFormation reads it. Pure.

Only what our own template uses is known: some functions, and some resources that it refers to. All
else is refused, never guessed.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pipeline.errors import UsageError, quoted
from pipeline.located_yaml import Document, read_document

# How YAML writes functions, and how JSON does.
SHORT_FORMS = {
    "!Ref": "Ref",
    "!Condition": "Condition",
    **{
        f"!{name}": f"Fn::{name}"
        for name in ("And", "Equals", "GetAtt", "If", "Join", "Not", "Or", "Split", "Sub")
    },
}
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "ocelot",
    "AWS::URLSuffix": "amazonaws.com",
}
_NO_VALUE = object()
_KNOWN_KEYS = {
    *("Type", "Default", "Description", "AllowedPattern", "AllowedValues"),
    *("ConstraintDescription", "NoEcho"),
}
_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """What a template makes.

    Attributes:
        parameters: their values, the defaults among them.
        resources: by logical id, without those whose condition is not met.
        outputs: values by logical id.
    """

    parameters: Mapping[str, str]
    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, str]

    def properties(self, name: str) -> Mapping[str, Any]:
        """A resource's properties; none for one that is not made."""
        return self.resources.get(name, {}).get("Properties", {})


def read_template(path: Path) -> Document:
    """Read a template.

    Raises:
        UsageError: it is no YAML, or has tags of functions that are not known here.
    """
    document = read_document(path, str(path), SHORT_FORMS)
    if document.problems:
        raise UsageError(
            f"the template {path} cannot be read",
            hint="name another by --template; that of ocelot is oidc/cloudformation.yaml",
            details=tuple(map(str, document.problems)),
        )
    return document


def render(
    document: Document, given: Mapping[str, str], pseudo: Mapping[str, str] | None = None
) -> Rendered:
    """What a template makes of parameters.

    Args:
        document: the template.
        given: parameters by name.
        pseudo: pseudo parameters by name, such as AWS::Region, where they are not to be examples.

    Raises:
        UsageError: parameters are missing, unknown, or against their constraints; a rule of the
            template is broken; or the template uses what is not known here.
    """
    try:
        return _rendered(document, given, {**PSEUDO, **(pseudo or {})})
    except (LookupError, TypeError, ValueError, AttributeError, re.error) as error:
        # a template of another form: CloudFormation itself tells better what is wrong with it
        raise _unknown(document, f"{type(error).__name__} {error}") from error


def _rendered(document: Document, given: Mapping[str, str], pseudo: Mapping[str, str]) -> Rendered:
    declared: Mapping[str, Mapping[str, Any]] = document.mapping.get("Parameters", {})
    values = {name: str(each["Default"]) for name, each in declared.items() if "Default" in each}
    values.update(given)
    stage = _Stage(document, values, pseudo)
    faults = tuple(_parameter_faults(declared, values)) or tuple(_broken_rules(document, stage))
    if faults:
        raise UsageError(
            f"the template {document.name} refuses these parameters",
            hint="give each as --parameter NAME=VALUE",
            details=faults,
        )
    return stage.rendered()


def _parameter_faults(
    declared: Mapping[str, Mapping[str, Any]], values: Mapping[str, str]
) -> Iterator[str]:
    for name in values:
        if name not in declared:
            yield f"{name}: there is no such parameter"
    for name, each in declared.items():
        if name not in values:
            yield f"{name} has no value: {each.get('Description', '')}"
        elif strange := sorted({*each} - _KNOWN_KEYS):
            yield f"{name}: {', '.join(strange)} is not known here"
        elif not _allowed(each, values[name]):
            told = each.get("ConstraintDescription", "another value is wanted")
            yield f"{name}: {quoted(values[name])} is refused: {told}"


def _allowed(declared: Mapping[str, Any], value: str) -> bool:
    choices = declared.get("AllowedValues")
    pattern = declared.get("AllowedPattern")
    return (choices is None or value in map(str, choices)) and (
        pattern is None or re.fullmatch(pattern, value) is not None
    )


def _broken_rules(document: Document, stage: _Stage) -> Iterator[str]:
    rules: Mapping[str, Mapping[str, Any]] = document.mapping.get("Rules", {})
    for name, rule in rules.items():
        if {*rule} != {"Assertions"}:
            raise _unknown(document, f"a condition of the rule {name}")
        for each in rule["Assertions"]:
            if not stage.truth(each["Assert"]):
                yield str(each.get("AssertDescription", name))


def _unknown(document: Document, what: str) -> UsageError:
    return UsageError(
        f"the template {document.name} uses what is not known here: {what}",
        hint="deploy it, then check the role that it made by --role-arn",
    )


class _Stage:
    """A template with its parameters' values."""

    def __init__(
        self, document: Document, values: Mapping[str, str], pseudo: Mapping[str, str]
    ) -> None:
        template = document.mapping
        self.document = document
        self.values = values
        self.pseudo = pseudo
        self.conditions: Mapping[str, Any] = template.get("Conditions", {})
        self.resources: Mapping[str, Mapping[str, Any]] = template.get("Resources", {})
        self.functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._attribute,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }

    def rendered(self) -> Rendered:
        outputs: Mapping[str, Mapping[str, Any]] = self.document.mapping.get("Outputs", {})
        return Rendered(
            parameters=self.values,
            resources={
                name: {**self.value({k: v for k, v in each.items() if k != "Condition"})}
                for name, each in self.resources.items()
                if self._is_made(name)
            },
            outputs={name: str(self.value(each["Value"])) for name, each in outputs.items()},
        )

    def value(self, node: object) -> Any:  # noqa: ANN401  templates hold anything
        """What stands there once the functions are done; nothing is left of AWS::NoValue."""
        if isinstance(node, list):
            items = map(self.value, cast("list[object]", node))
            return [each for each in items if each is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        mapping = cast("dict[str, Any]", node)
        if len(mapping) == 1:
            name, argument = next(iter(mapping.items()))
            if name in self.functions:
                return self.functions[name](argument)
            if name.startswith("Fn::"):
                raise _unknown(self.document, f"the function {name}")
        values = {name: self.value(each) for name, each in mapping.items()}
        return {name: each for name, each in values.items() if each is not _NO_VALUE}

    def truth(self, node: Any) -> bool:  # noqa: ANN401
        """Whether a condition is met."""
        ((name, argument),) = cast("dict[str, Any]", node).items()
        match name:
            case "Condition":
                return self.truth(self.conditions[argument])
            case "Fn::Equals":
                one, other = map(self.value, argument)
                return str(one) == str(other)
            case "Fn::And":
                return all(map(self.truth, argument))
            case "Fn::Or":
                return any(map(self.truth, argument))
            case "Fn::Not":
                return not self.truth(argument[0])
            case _:
                raise _unknown(self.document, f"the condition {name}")

    def _is_made(self, name: str) -> bool:
        condition = self.resources[name].get("Condition")
        return condition is None or self.truth(self.conditions[condition])

    def _ref(self, name: str) -> object:
        if name == "AWS::NoValue":
            return _NO_VALUE
        known = {**self.pseudo, **self.values}
        if name in known:
            return known[name]
        match self._type(name):
            case "AWS::DynamoDB::Table":
                return self.value(self.resources[name]["Properties"]["TableName"])
            case "AWS::IAM::Role":
                return name
            case "AWS::IAM::OIDCProvider" | "AWS::IAM::ManagedPolicy":
                return self._arn(name)
            case other:
                raise _unknown(self.document, f"a Ref to {name} ({other})")

    def _attribute(self, argument: str | list[str]) -> str:
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        if attribute != "Arn":
            raise _unknown(self.document, f"the attribute {attribute} of {name}")
        return self._arn(name)

    def _arn(self, name: str) -> str:
        """The ARN of a resource; a role or policy without a name has its logical id for one."""
        partition, account = self.pseudo["AWS::Partition"], self.pseudo["AWS::AccountId"]
        match self._type(name):
            case "AWS::IAM::Role":
                return f"arn:{partition}:iam::{account}:role/{name}"
            case "AWS::IAM::ManagedPolicy":
                return f"arn:{partition}:iam::{account}:policy/{name}"
            case "AWS::IAM::OIDCProvider":
                url = str(self.value(self.resources[name]["Properties"]["Url"]))
                host = url.removeprefix("https://")
                return f"arn:{partition}:iam::{account}:oidc-provider/{host}"
            case other:
                raise _unknown(self.document, f"the ARN of {name} ({other})")

    def _type(self, name: str) -> str:
        if name not in self.resources or not self._is_made(name):
            raise _unknown(self.document, f"{name}, which is not made")
        return str(self.resources[name]["Type"])

    def _if(self, argument: list[Any]) -> object:
        condition, met, otherwise = argument
        return self.value(met if self.truth(self.conditions[condition]) else otherwise)

    def _join(self, argument: list[Any]) -> str:
        mark, parts = argument
        return str(mark).join(map(str, self.value(parts)))

    def _split(self, argument: list[Any]) -> list[str]:
        mark, text = argument
        return str(self.value(text)).split(str(mark))

    def _sub(self, argument: str | list[Any]) -> str:
        text, own = (argument, None) if isinstance(argument, str) else argument
        mine = cast("dict[str, Any]", own or {})
        names = {name: str(self.value(each)) for name, each in mine.items()}

        def put(found: re.Match[str]) -> str:
            literal, name = found.groups()
            if literal:
                return f"${{{name}}}"
            if name in names:
                return names[name]
            return str(self._attribute(name) if "." in name else self._ref(name))

        return _VARIABLE.sub(put, text)
