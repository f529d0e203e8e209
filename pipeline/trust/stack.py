"""Ocelot's own template: its roles and its table, before anybody deploys it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.errors import UsageError, quoted
from pipeline.located_yaml import Document
from pipeline.publish.table import Fault, table_faults
from pipeline.trust.check import Finding
from pipeline.trust.job import Repository
from pipeline.trust.template import Rendered, render

ROLES = {"publisher": "PublisherRole", "reaper": "ReaperRole", "reader": "ReaderRole"}
TABLE = "Table"


def given_parameters(words: Iterable[str]) -> Mapping[str, str]:
    """Parameters as options have them, NAME=VALUE.

    Raises:
        UsageError: one is not of that form.
    """
    pairs = {word: word.partition("=") for word in words}
    for word, (name, mark, _) in pairs.items():
        if not name or not mark:
            raise UsageError(f"{quoted(word)} is no parameter", hint="give it as NAME=VALUE")
    return {name: value for name, _, value in pairs.values()}


def render_stack(
    document: Document, given: Mapping[str, str], repository: Repository, region: str = ""
) -> Rendered:
    """What the template makes for a repository.

    Args:
        document: the template.
        given: parameters; those that name the repository are the repository's where they are not
            given, if the template has them.
        repository: whose jobs are let in.
        region: where it would be deployed; empty for an example.

    Raises:
        UsageError: the template cannot be used, or refuses the parameters.
    """
    own = {
        "GitHubOwner": repository.owner,
        "GitHubRepository": repository.name,
        "GitHubOwnerId": repository.owner_id,
        "GitHubRepositoryId": repository.repository_id,
    }
    declared = document.mapping.get("Parameters", {})
    ours = {name: value for name, value in own.items() if value and name in declared}
    return render(document, {**ours, **given}, {"AWS::Region": region} if region else None)


def role_policy(rendered: Rendered, role: str) -> Mapping[str, Any]:
    """The trust policy of a role, named as in `ROLES` or by its logical id.

    Raises:
        UsageError: the template makes no such role.
    """
    name = ROLES.get(role, role)
    found = rendered.properties(name).get("AssumeRolePolicyDocument")
    if found is None:
        roles = [
            name for name, each in rendered.resources.items() if each["Type"] == "AWS::IAM::Role"
        ]
        raise UsageError(
            f"the template makes no role {quoted(name)}",
            hint=f"name one of them by --role: {', '.join([*ROLES, *roles])}",
        )
    return found


def stack_table_findings(rendered: Rendered, region: str) -> Iterator[Finding]:
    """What is to be said of the table that the template makes."""
    properties = rendered.properties(TABLE)
    if not properties:
        yield Finding(
            state="note",
            place="table",
            found="the template makes none",
            remedy="check the one that is there: --role-arn with --table",
        )
        return
    described = {"Table": {**properties, "TableStatus": "ACTIVE"}}
    yield from table_findings(str(properties["TableName"]), table_faults(described, region))


def table_findings(name: str, faults: Iterable[Fault]) -> Iterator[Finding]:
    """What is to be said of a table."""
    amiss = False
    for each in faults:
        amiss = True
        yield Finding(state="problem", place="table", found=each.message, remedy=each.hint)
    if not amiss:
        yield Finding(state="ok", place="table", found=f"{name} is as the registry needs it")
