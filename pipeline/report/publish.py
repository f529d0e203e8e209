"""Report of `ocelot publish`: the outcome of each target, or the plans of a dry run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.aws.policy import NO_POLICY, LayerPolicy
from pipeline.aws.session import Identity
from pipeline.layer.manifest import FILE_NAME
from pipeline.publish.plan import PublishStep, Target, TargetPlan, target_names
from pipeline.publish.reconcile import TargetOutcome
from pipeline.publish.run import PublishResult
from pipeline.report.parameters import parameter_notes, parameters_json
from pipeline.report.rendering import Report, data, grouped, json_text, without_empty

_COMMON = ("distribution", "collector", "region", "architecture", "action", "public", "shared with")
_DONE = (*_COMMON, "ARN", "time", "retries")
_PLANNED = (*_COMMON, "version")
_RIGHT = ("time", "retries", "version")
_FAILED = "FAILED"
_RED = (_FAILED, "blocked")


def publish_report(result: PublishResult) -> Report:
    """Return a row for each target: its outcome or, for a dry run, its plan."""
    if result.outcomes:
        return _shown(_done_report(result), [each.plan for each in result.outcomes], result.skipped)
    return _shown(_planned_report(result), result.plans, result.skipped)


def _shown(
    report: Report, plans: Sequence[TargetPlan], skipped: Iterable[tuple[str, str]]
) -> Report:
    """Return a report, sorted by distribution, with regions that are left out as notes.

    The distributions are in the title, and so is the collector's version if it is the same for all
    rows. A column of which all cells are the same then is left out.
    """
    releases = [_release(each.target) for each in plans]
    names, versions = {name for name, _ in releases}, {number for _, number in releases}
    words = (report.title, ", ".join(sorted(names)), *(versions if len(versions) == 1 else ()))
    order = sorted(range(len(plans)), key=lambda at: releases[at])
    rows = [
        (name if len(names) > 1 else "", number if len(versions) > 1 else "", *others)
        for name, number, *others in (report.rows[at] for at in order)
    ]
    left_out = (f"{region} is left out: {reason}" for region, reason in skipped)
    whole = replace(
        report,
        title=" ".join(words),
        rows=rows,
        right=_RIGHT,
        notes=(*report.notes, *left_out),
        styles=["red" if row[4].startswith(_RED) else "" for row in rows],
    )
    return without_empty(whole, "distribution", "collector", "shared with")


def _release(target: Target) -> tuple[str, str]:
    """Return the distribution and the collector's version."""
    entry = target.package.entry
    return entry.distribution, entry.collector_version


def _done_report(result: PublishResult) -> Report:
    outcomes = result.outcomes
    names = list(target_names([each.plan.target for each in outcomes]))
    named = list(zip(names, outcomes, strict=True))
    actions = Counter(each.plan.action if each.succeeded else "failed" for each in outcomes)
    return Report(
        title="Published",
        summary="; ".join(f"{count} {action}" for action, count in sorted(actions.items())),
        headings=_DONE,
        rows=[_outcome_row(each) for each in outcomes],
        below="ARN",
        problems=grouped((name, each.error) for name, each in named if each.error),
        notes=grouped((name, note) for name, each in named for note in _outcome_notes(each)),
    )


def _outcome_row(outcome: TargetOutcome) -> tuple[str, ...]:
    done = ", ".join(outcome.done)
    failed = f"{_FAILED} after {done}" if done else _FAILED
    return (
        *_first_cells(outcome.plan.target),
        outcome.plan.action if outcome.succeeded else failed,
        *(_access_cells(outcome.version.policy) if outcome.version else ("", "")),
        outcome.arn,
        f"{outcome.seconds:.1f} s",
        str(outcome.retries),
    )


def _planned_report(result: PublishResult) -> Report:
    plans = result.plans
    named = list(zip(target_names([each.target for each in plans]), plans, strict=True))
    return Report(
        title="Would publish",
        headings=_PLANNED,
        rows=[_plan_row(each) for each in plans],
        problems=grouped((name, each.blocked) for name, each in named if each.blocked),
        notes=grouped((name, note) for name, each in named for note in _plan_notes(each)),
    )


def _plan_row(plan: TargetPlan) -> tuple[str, ...]:
    return (
        *_first_cells(plan.target),
        plan.action,
        *(("", "") if plan.blocked else _access_cells(plan.policy)),
        str(plan.version.arn.version) if plan.version else "",
    )


def _first_cells(target: Target) -> tuple[str, ...]:
    return (*_release(target), target.region, target.package.architecture)


def _access_cells(policy: LayerPolicy) -> tuple[str, str]:
    return "yes" if policy.public else "no", ", ".join(policy.shared_with)


def _shares(plan: TargetPlan) -> Iterator[str]:
    """Yield a note on who may use the layer version after the steps of a plan and not before."""
    before = plan.version.policy if plan.version else NO_POLICY
    old, new = set(before.shared_with), set(plan.policy.shared_with)
    words = {"with": new - old, "no longer with": old - new}
    if changes := [f"{how} {', '.join(sorted(who))}" for how, who in words.items() if who]:
        yield f"share {', '.join(changes)}"


def _plan_notes(plan: TargetPlan) -> tuple[str, ...]:
    return (*_shares(plan), *plan.notes, *parameter_notes(plan.parameters))


def _outcome_notes(outcome: TargetOutcome) -> tuple[str, ...]:
    are_set = PublishStep.PARAMETERS in outcome.done
    return (*outcome.notes, *parameter_notes(outcome.parameters, are_set=are_set))


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
        "collector_version": package.entry.collector_version,
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
