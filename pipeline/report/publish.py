"""What publishing will do and what it did: tables for the screen, Markdown and JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from pipeline.files import write_atomic
from pipeline.publish.plan import PublishPlan, TargetPlan
from pipeline.publish.reconcile import Outcome
from pipeline.publish.run import Published
from pipeline.report import markdown, screen

HEADINGS = ("region", "architecture", "action", "ARN", "time", "retries")
PLAN_HEADINGS = ("region", "architecture", "action", "version")


def outcome_row(outcome: Outcome) -> tuple[str, ...]:
    """One target's cells, in the order of `HEADINGS`."""
    target = outcome.plan.target
    action = outcome.plan.action if outcome.succeeded else f"{outcome.plan.action}: {outcome.error}"
    return (
        target.region,
        str(target.package.architecture),
        action,
        outcome.arn,
        f"{outcome.seconds:.1f} s",
        str(outcome.retries),
    )


def plan_row(plan: TargetPlan) -> tuple[str, ...]:
    """One target's cells, in the order of `PLAN_HEADINGS`."""
    target = plan.target
    return (
        target.region,
        str(target.package.architecture),
        f"blocked: {plan.blocked}" if plan.blocked else plan.action,
        str(plan.version.arn.version) if plan.version else "",
    )


def plan_rows(plan: PublishPlan) -> list[tuple[str, ...]]:
    """The cells of all targets and of the regions that are left out."""
    skipped = [(region, "", f"skip: {reason}", "") for region, reason in plan.skipped]
    return [*map(plan_row, plan.targets), *skipped]


def outcome_table(outcomes: Sequence[Outcome]) -> Table:
    """What was done, for the screen; the ARNs stand in `outcome_arns`, whole lines to copy."""
    at = HEADINGS.index("ARN")
    rows = [outcome_row(each) for each in outcomes]
    headings = (*HEADINGS[:at], *HEADINGS[at + 1 :])
    return _table(headings, [(*row[:at], *row[at + 1 :]) for row in rows])


def outcome_arns(outcomes: Sequence[Outcome]) -> list[str]:
    """The ARNs of the layer versions, in the order of the table."""
    return [each.arn for each in outcomes if each.arn]


def outcome_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each target that is as it should be."""
    return [
        f"{each.plan.target}: {each.plan.action}: {each.arn}" for each in outcomes if each.succeeded
    ]


def write_reports(done: Published, folder: Path) -> Path:
    """Write publish.json and publish.md into a folder, which is the answer.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_atomic(folder / "publish.json", published_json(done).encode())
    write_atomic(folder / "publish.md", published_markdown(done).encode())
    return folder


def plan_table(plan: PublishPlan) -> Table:
    """What would be done, for the screen."""
    return _table(PLAN_HEADINGS, plan_rows(plan))


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return screen.table(headings, rows, right=("time", "retries", "version"))


def outcome_summary(outcomes: Sequence[Outcome]) -> str:
    """All of it in a line: how many targets came to what."""
    words = Counter(each.plan.action if each.succeeded else "failed" for each in outcomes)
    return ", ".join(f"{count} {word}" for word, count in sorted(words.items()))


def outcome_markdown(outcomes: Sequence[Outcome]) -> str:
    """The same for a GitHub job summary."""
    rows = markdown.table(HEADINGS, map(outcome_row, outcomes))
    return markdown.section(f"Published: {outcome_summary(outcomes)}", rows)


def published_markdown(done: Published) -> str:
    """What was done or, of a plan alone, what would be, for a GitHub job summary."""
    if done.outcomes:
        return outcome_markdown(done.outcomes)
    table = markdown.table(PLAN_HEADINGS, plan_rows(done.plan))
    return markdown.section("Would be published", table)


def published_json(done: Published) -> str:
    """What was done or, of a plan alone, what would be."""
    return outcome_json(done.outcomes, done.plan) if done.outcomes else plan_json(done.plan)


def outcome_json(outcomes: Sequence[Outcome], plan: PublishPlan) -> str:
    """What was done, for other programs."""
    targets = [
        {
            **_target_data(each.plan),
            "ok": each.succeeded,
            "done": [str(step) for step in each.done],
            "arn": each.arn,
            "public": each.public,
            "error": each.error,
            "seconds": round(each.seconds, 3),
            "retries": each.retries,
            "notes": list(each.notes),
        }
        for each in outcomes
    ]
    return _json(targets, plan)


def plan_json(plan: PublishPlan) -> str:
    """What would be done, for other programs."""
    targets = [
        {
            **_target_data(each),
            "version_arn": str(each.version.arn) if each.version else "",
            "notes": list(each.notes),
        }
        for each in plan.targets
    ]
    return _json(targets, plan)


def _target_data(plan: TargetPlan) -> dict[str, Any]:
    package = plan.target.package
    return {
        "region": plan.target.region,
        "architecture": str(package.architecture),
        "distribution": package.record.distribution,
        "layer": package.layer,
        "sha256": package.sha256,
        "action": plan.action,
        "steps": [str(step) for step in plan.steps],
        "blocked": plan.blocked,
    }


def _json(targets: list[dict[str, Any]], plan: PublishPlan) -> str:
    skipped = [{"region": region, "reason": reason} for region, reason in plan.skipped]
    return json.dumps({"targets": targets, "skipped": skipped}, indent=2) + "\n"
