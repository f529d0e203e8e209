"""Report of `ocelot publish`: the outcome of each target, or the plans of a dry run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.aws.policy import NO_POLICY
from pipeline.aws.session import Identity
from pipeline.layer.manifest import FILE_NAME
from pipeline.publish.plan import PublishStep, Target, TargetPlan
from pipeline.publish.reconcile import TargetOutcome
from pipeline.publish.run import PublishResult
from pipeline.report.parameters import parameter_notes, parameters_json
from pipeline.report.rendering import Report, data, json_text

_RIGHT = ("time", "retries", "version")
_DONE = ("region", "architecture", "action", "ARN", "time", "retries")
_PLANNED = ("region", "architecture", "action", "version")


def publish_report(result: PublishResult) -> Report:
    """Return a row for each target: its outcome or, for a dry run, its plan."""
    if not result.outcomes:
        rows = _plan_rows(result)
        return Report(
            title="Would be published",
            headings=_PLANNED,
            rows=rows,
            right=_RIGHT,
            notes=_notes((each.target, _plan_notes(each)) for each in result.plans),
        )
    actions = Counter(each.plan.action if each.succeeded else "failed" for each in result.outcomes)
    summary = ", ".join(f"{count} {action}" for action, count in sorted(actions.items()))
    return Report(
        title="Published",
        summary=summary,
        headings=_DONE,
        rows=[_outcome_row(each) for each in result.outcomes],
        right=_RIGHT,
        below="ARN",
        notes=_notes((each.plan.target, _outcome_notes(each)) for each in result.outcomes),
    )


def _shares(plan: TargetPlan) -> Iterator[str]:
    """Yield a note on who may use the layer version after the steps of a plan and not before."""
    before = plan.version.policy if plan.version else NO_POLICY
    old, new = set(before.shared_with), set(plan.policy.shared_with)
    words = {"with": new - old, "no longer with": old - new}
    if changes := [f"{how} {', '.join(sorted(who))}" for how, who in words.items() if who]:
        yield f"share {', '.join(changes)}"


def _notes(noted: Iterable[tuple[Target, Iterable[str]]]) -> tuple[str, ...]:
    """Return a line for each note, with the first target that has it and the number of others."""
    targets: dict[str, list[str]] = {}
    for target, notes in noted:
        for note in notes:
            targets.setdefault(note, []).append(str(target))
    return tuple(
        f"{first}{f' and {len(others)} more' if others else ''}: {note}"
        for note, (first, *others) in targets.items()
    )


def _plan_notes(plan: TargetPlan) -> tuple[str, ...]:
    return (*_shares(plan), *plan.notes, *parameter_notes(plan.parameters))


def _outcome_notes(outcome: TargetOutcome) -> tuple[str, ...]:
    are_set = PublishStep.PARAMETERS in outcome.done
    return (*outcome.notes, *parameter_notes(outcome.parameters, are_set=are_set))


def _outcome_row(outcome: TargetOutcome) -> tuple[str, ...]:
    plan = outcome.plan
    return (
        plan.target.region,
        plan.target.package.architecture,
        plan.action if outcome.succeeded else f"{plan.action}: {outcome.error}",
        outcome.arn,
        f"{outcome.seconds:.1f} s",
        str(outcome.retries),
    )


def _plan_rows(result: PublishResult) -> list[tuple[str, ...]]:
    """Return the plans of all targets, then the regions that are left out."""
    targets = [
        (
            each.target.region,
            each.target.package.architecture,
            f"blocked: {each.blocked}" if each.blocked else each.action,
            str(each.version.arn.version) if each.version else "",
        )
        for each in result.plans
    ]
    return [*targets, *((region, "", f"skip: {reason}", "") for region, reason in result.skipped)]


def publish_json(result: PublishResult) -> str:
    """Return the report as JSON."""
    if result.outcomes:
        targets = [_outcome(each) for each in result.outcomes]
    else:
        targets = [_planned(each) for each in result.plans]
    skipped = [{"region": region, "reason": reason} for region, reason in result.skipped]
    return json_text({"targets": targets, "skipped": skipped})


def arns_json(result: PublishResult) -> str:
    """Return the ARNs of the layer versions as JSON on one line.

    They stand by distribution, region and architecture, for expressions of a workflow. Targets that
    failed are left out.
    """
    arns: dict[str, dict[str, dict[str, str]]] = {}
    for each in result.outcomes:
        target = each.plan.target
        if each.succeeded:
            regions = arns.setdefault(target.package.entry.distribution, {})
            regions.setdefault(target.region, {})[target.package.architecture] = each.arn
    return json.dumps(arns, separators=(",", ":"))


def _outcome(outcome: TargetOutcome) -> dict[str, Any]:
    return {
        **_target(outcome.plan),
        "ok": outcome.succeeded,
        "done": outcome.done,
        "arn": outcome.arn,
        "public": outcome.public,
        "shared": outcome.shared_with,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 3),
        "retries": outcome.retries,
        "notes": outcome.notes,
        "parameters": parameters_json(outcome.parameters),
    }


def _planned(plan: TargetPlan) -> dict[str, Any]:
    arn = str(plan.version.arn) if plan.version else ""
    return {
        **_target(plan),
        "version_arn": arn,
        **_access(plan),
        "notes": plan.notes,
        "parameters": parameters_json(plan.parameters),
    }


def _access(plan: TargetPlan) -> dict[str, Any]:
    """Return who may use the layer version after the steps of a plan."""
    return {"public": plan.policy.public, "shared": plan.policy.shared_with}


def _target(plan: TargetPlan) -> dict[str, Any]:
    package = plan.target.package
    return {
        "region": plan.target.region,
        "architecture": package.architecture,
        "distribution": package.entry.distribution,
        "layer": package.layer,
        "sha256": package.sha256,
        "action": plan.action,
        "steps": plan.steps,
        "blocked": plan.blocked,
    }


def identity_report(identity: Identity, regions: Sequence[str], table: str) -> Report:
    """Return the identity that may publish, the registry's table if there is one, and regions."""
    names = ", ".join(filter(None, (identity.arn, table)))
    return Report(notes=(f"checked: {names}; regions: {', '.join(regions)}",))


def identity_json(identity: Identity, regions: Sequence[str]) -> str:
    """Return the identity that may publish, and the regions, as JSON."""
    return json_text({**data(identity), "regions": regions})


def released_json(folder: Path, result: PublishResult, github: str = "") -> str:
    """Return the manifest in the folder of a build, and the result of publishing it, as JSON.

    Args:
        folder: of the build.
        result: of publishing.
        github: the release on GitHub as JSON; empty for none.
    """
    manifest = json.loads((folder / FILE_NAME).read_bytes())
    released = {"github": json.loads(github)} if github else {}
    return json_text(
        {"manifest": manifest, "published": json.loads(publish_json(result)), **released}
    )
