"""The commands of the AWS CLI that move a function to the newest layer versions. Pure.

https://docs.aws.amazon.com/cli/latest/reference/lambda/
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from pipeline.aws.functions import FunctionAlias
from pipeline.usage.plan import FunctionUse, RegionUsage

# The shell's variable with the number that publish-version gives.
_NEW = '"$VERSION"'


def use_commands(region: RegionUsage) -> Mapping[tuple[str, str], str]:
    """Return the command of each use that is behind, by the function's ARN and version.

    That of `$LATEST` sets its layers. A published version never changes: its command publishes a
    new one and points its aliases to that. It is right once `$LATEST` has been moved, and may be
    run more than once: AWS publishes no second version of what has not changed.
    """
    functions: dict[str, list[FunctionUse]] = {}
    for use in region.uses:
        functions.setdefault(use.function.arn, []).append(use)
    return {
        (arn, use.function.version): command
        for arn, uses in functions.items()
        for use in uses
        if (command := _command(use, uses))
    }


def _command(use: FunctionUse, uses: Iterable[FunctionUse]) -> str:
    """Return the command of a use.

    Args:
        use: to be moved.
        uses: of all versions of the function.
    """
    latest = next((each for each in uses if each.function.is_latest), None)
    if not use.is_behind or latest is None or latest.blocked:
        return ""
    if use.function.is_latest:
        return update_command(use)
    published = [each for each in uses if not each.function.is_latest]
    stale = frozenset(each.function.version for each in published if each.is_behind)
    aliases = [each for each in use.aliases if _owner(each, stale) == use.function.version]
    called_by_number = not any(each.aliases or not each.is_behind for each in published)
    if not aliases and not called_by_number:
        return ""
    publishing = _aws(use, "publish-version")
    if not aliases:
        return publishing
    version = f"VERSION=$({publishing} --query Version --output text)"
    updates = (_alias_command(use, each, stale) for each in aliases)
    waiting = [_aws(use, "wait", "function-updated")] if latest.is_behind else []
    return " && ".join((*waiting, version, *updates))


def update_command(use: FunctionUse) -> str:
    """Return the command that sets the layers of `$LATEST`, all in their order."""
    return _aws(use, "update-function-configuration", "--layers", *use.moved)


def _owner(alias: FunctionAlias, stale: frozenset[str]) -> str:
    """Return the version whose command updates an alias; empty if it needs no update."""
    return next((each for each in alias.versions if each in stale), "")


def _alias_command(use: FunctionUse, alias: FunctionAlias, stale: frozenset[str]) -> str:
    """Return the command that points an alias to the new version, in place of stale ones.

    If all its versions are stale, the new one gets all traffic.
    """
    command = _aws(use, "update-alias", "--name", alias.name)
    if alias.version in stale:
        command += f" --function-version {_NEW}"
    if not any(version in stale for version, _ in alias.weights):
        return command
    weights = () if alias.version in stale else alias.weights
    pairs = ", ".join(
        f'\\"{"$VERSION" if version in stale else version}\\": {share}'
        for version, share in weights
    )
    return f'{command} --routing-config "{{\\"AdditionalVersionWeights\\": {{{pairs}}}}}"'


def _aws(use: FunctionUse, *words: str) -> str:
    """Return a command of the AWS CLI for a function, quoted for the shell."""
    verb, options = (words[:2], words[2:]) if words[0] == "wait" else (words[:1], words[1:])
    function = ("--region", use.region, "--function-name", use.function.arn)
    return shlex.join(("aws", "lambda", *verb, *function, *options))
