"""Report of `ocelot layers used`: the functions that use layers, and those that were moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.aws.functions import FunctionAlias
from pipeline.errors import counted
from pipeline.naming import LayerArn
from pipeline.report.rendering import Report, grouped, json_text, without_empty
from pipeline.usage.commands import update_command, use_commands
from pipeline.usage.plan import FunctionUse, LayerUse
from pipeline.usage.run import UsageResult
from pipeline.usage.update import MoveOutcome

USED_COLUMNS = (
    *("region", "function", "version", "aliases", "layer_arn", "newest_arn", "behind", "exists"),
    *("function_arn", "command", "update"),
)
_HEADINGS = (
    *("region", "function", "version", "aliases", "layer version", "newest", "state"),
    "command",
)
_COMMAND = "command"
_PLANNED = ("region", "function", "layer version", "moves to", _COMMAND)
_DONE = ("region", "function", "result", "time")
_NEW_CODE = (
    "publish-version publishes $LATEST with the code that it has now: look at that before you run "
    "a command with it"
)
_NO_LATEST = "a new version would be without the layer, since $LATEST does not have it"


def used_report(result: UsageResult) -> Report:
    """Return a row for each layer version that a function version uses."""
    commands = _commands(result)
    uses = [(use, layer) for use in result.uses for layer in use.layers]
    report = Report(
        title="Layers in use",
        headings=_HEADINGS if uses else (),
        rows=[_row(use, layer, commands) for use, layer in uses],
        right=("version",),
        whole=("region", "version", "state"),
        below=_COMMAND if any(commands.values()) else "",
        styles=["red" if not layer.exists else "" for _, layer in uses],
        problems=_unseen(result),
        notes=tuple(_notes(result, commands)),
        summary=_summary(result),
    )
    return without_empty(report, "aliases", _COMMAND) if uses else report


def _commands(result: UsageResult) -> dict[tuple[str, str], str]:
    """Return the commands by the function's ARN and version."""
    return {key: command for each in result.regions for key, command in use_commands(each).items()}


def _key(use: FunctionUse) -> tuple[str, str]:
    return use.function.arn, use.function.version


def _row(
    use: FunctionUse, layer: LayerUse, commands: Mapping[tuple[str, str], str]
) -> tuple[str, ...]:
    return (
        use.region,
        use.function.name,
        use.function.version,
        ", ".join(_alias(each, use.function.version) for each in use.aliases),
        _short(layer.layer),
        _short(layer.newest),
        _state(layer),
        commands.get(_key(use), "") if layer == use.layers[0] else "",
    )


def _state(layer: LayerUse) -> str:
    if not layer.exists:
        return "deleted"
    return "behind" if layer.is_behind else "newest"


def _short(arn: LayerArn | None) -> str:
    """Return a layer version's name and number; its region has a column of its own."""
    return f"{arn.name}:{arn.version}" if arn else "none"


def _alias(alias: FunctionAlias, version: str) -> str:
    """Return an alias with its share of the traffic for a version, if that is not all of it."""
    weights = dict(alias.weights)
    share = weights.get(version, 1 - sum(weights.values()))
    return f"{alias.name} ({share:.0%})" if weights else alias.name


def _notes(result: UsageResult, commands: Mapping[tuple[str, str], str]) -> Iterator[str]:
    latest = [use for use in result.uses if use.function.is_latest]
    if deleted := sum(any(not layer.exists for layer in use.layers) for use in latest):
        yield (
            f"{counted(deleted, 'function')} with a deleted layer version: AWS runs it, but "
            "accepts no update of the function until it is moved"
        )
    yield from grouped((str(use.function), use.blocked) for use in result.uses if use.blocked)
    current = {use.function.arn for use in latest}
    yield from grouped(
        (str(use.function), _NO_LATEST)
        for use in result.uses
        if use.is_behind and use.function.arn not in current
    )
    if any("publish-version" in each for each in commands.values()):
        yield _NEW_CODE
    yield from _left_out(result)


def _unseen(result: UsageResult) -> tuple[str, ...]:
    """Return the errors of the regions that could not be read."""
    return grouped((each.region, each.unseen) for each in result.regions if each.unseen)


def _left_out(result: UsageResult) -> Iterator[str]:
    """Yield notes on the functions that are not shown."""
    if result.shared is None:
        yield (
            "functions of other accounts cannot be seen; without a registry it is not known which "
            "layer versions these may use"
        )
    elif result.shared.shared:
        yield (
            f"functions of other accounts cannot be seen: {result.shared.shared} of "
            f"{result.shared.versions} layer versions in the registry are public or shared"
        )
    yield from (f"{region} is left out: {reason}" for region, reason in result.skipped)


def _summary(result: UsageResult) -> str:
    read = sum(not each.unseen for each in result.regions)
    behind = sum(each.is_behind for each in result.uses)
    functions = len({each.function.arn for each in result.uses})
    return (
        f"layers {result.base}-… in {counted(len(result.uses), 'version')} of "
        f"{counted(functions, 'function')}, {read} of {len(result.regions)} regions read: "
        f"{behind} behind"
    )


def moves_report(result: UsageResult) -> Report:
    """Return the plan of `--update`: a row for each layer version that a function is to get."""
    selection = result.selection
    moves = selection.moves if selection else ()
    rows = [
        (
            *(use.region, use.function.name, _short(layer.layer)),
            _short(layer.newest),
            update_command(use) if layer == use.layers[0] and not use.blocked else "",
        )
        for use in moves
        for layer in use.layers
        if layer.is_behind
    ]
    current = selection.current if selection else ()
    published = selection.published if selection else ()
    return Report(
        title="Would move",
        headings=_PLANNED if rows else (),
        rows=rows,
        whole=("region",),
        below=_COMMAND if rows else "",
        problems=(
            *_unseen(result),
            *grouped((str(use.function), use.blocked) for use in moves if use.blocked),
        ),
        notes=(
            *(f"{arn} has the newest layer versions already" for arn in current),
            *(
                f"{arn} is left as it is: only published versions of it use a layer, and these "
                "never change"
                for arn in published
            ),
            *(f"{region} is left out: {reason}" for region, reason in result.skipped),
        ),
        summary=f"{counted(len(moves), 'function')} to move",
    )


def moved_report(result: UsageResult) -> Report:
    """Return a row for each function that was to be moved, with the commands that follow."""
    outcomes = result.outcomes
    rows = [_outcome_row(each) for each in outcomes]
    moved = sum(each.succeeded for each in outcomes)
    failed = len(outcomes) - moved
    followers = tuple(_followers(result))
    return Report(
        title="Functions",
        headings=_DONE if rows else (),
        rows=rows,
        right=("time",),
        whole=("region", "result"),
        styles=["" if each.succeeded else "red" for each in outcomes],
        problems=grouped((each.use.function.arn, each.error) for each in outcomes if each.error),
        notes=(
            *grouped(
                (each.use.function.arn, "it had changed since it was read, and was looked at again")
                for each in outcomes
                if each.changed
            ),
            *(("published versions are still behind:", _NEW_CODE) if followers else ()),
            *followers,
        ),
        summary=f"{counted(moved, 'function')} moved{f', {failed} failed' if failed else ''}",
    )


def _outcome_row(outcome: MoveOutcome) -> tuple[str, ...]:
    result = "moved" if outcome.succeeded else "FAILED"
    use = outcome.use
    return use.region, use.function.name, result, f"{outcome.seconds:.1f} s"


def _followers(result: UsageResult) -> Iterator[str]:
    """Yield the commands for the published versions of functions that were moved."""
    commands = _commands(result)
    moved = {each.use.function.arn for each in result.outcomes if each.succeeded}
    for use in result.uses:
        if use.function.arn in moved and not use.function.is_latest and _key(use) in commands:
            yield commands[_key(use)]


def used_json(result: UsageResult) -> str:
    """Return the report as JSON."""
    commands, updates = _commands(result), _updates(result)
    regions = [
        {
            "region": each.region,
            "error": each.unseen,
            "functions": [_use_json(use, commands, updates) for use in each.uses],
        }
        for each in result.regions
    ]
    skipped = [{"region": name, "reason": reason} for name, reason in result.skipped]
    shared = result.shared
    return json_text(
        {
            "regions": regions,
            "skipped": skipped,
            "registry_versions": shared.versions if shared else None,
            "shared_versions": shared.shared if shared else None,
            "updates": [_outcome_json(each) for each in result.outcomes],
        }
    )


def _outcome_json(outcome: MoveOutcome) -> dict[str, Any]:
    return {
        "region": outcome.use.region,
        "function_arn": outcome.use.function.arn,
        "before": outcome.use.function.layers,
        "layers": outcome.layers,
        "changed": outcome.changed,
        "ok": outcome.succeeded,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 3),
    }


def _updates(result: UsageResult) -> dict[tuple[str, str], str]:
    """Return what was done, or is to be done, by the function's ARN and version."""
    moves = result.selection.moves if result.selection else ()
    planned = {_key(each): "planned" for each in moves}
    done = {
        _key(each.use): "moved" if each.succeeded else f"failed: {each.error}"
        for each in result.outcomes
    }
    return {**planned, **done}


def _use_json(
    use: FunctionUse,
    commands: Mapping[tuple[str, str], str],
    updates: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    return {
        "function": use.function.name,
        "function_arn": use.function.arn,
        "version": use.function.version,
        "aliases": [_alias_json(each) for each in use.aliases],
        "layers": [_layer_json(each) for each in use.layers],
        "behind": use.is_behind,
        "blocked": use.blocked,
        "all_layers": use.function.layers,
        "moved_layers": use.moved,
        "command": commands.get(_key(use), ""),
        "update": updates.get(_key(use), ""),
    }


def _alias_json(alias: FunctionAlias) -> dict[str, Any]:
    return {"name": alias.name, "version": alias.version, "weights": dict(alias.weights)}


def _layer_json(layer: LayerUse) -> dict[str, Any]:
    return {
        "layer_arn": str(layer.layer),
        "newest_arn": _arn(layer.newest),
        "behind": layer.is_behind,
        "exists": layer.exists,
    }


def _arn(layer: LayerArn | None) -> str:
    """Return an ARN for programs; empty for none."""
    return str(layer) if layer else ""


def used_records(result: UsageResult) -> list[dict[str, Any]]:
    """Return a record for each layer version that a function version uses, for CSV."""
    commands, updates = _commands(result), _updates(result)
    return [
        {
            "region": use.region,
            "function": use.function.name,
            "version": use.function.version,
            "aliases": [_alias(each, use.function.version) for each in use.aliases],
            "layer_arn": str(layer.layer),
            "newest_arn": _arn(layer.newest),
            "behind": layer.is_behind,
            "exists": layer.exists,
            "function_arn": use.function.arn,
            "command": commands.get(_key(use), ""),
            "update": updates.get(_key(use), ""),
        }
        for use in result.uses
        for layer in use.layers
    ]
