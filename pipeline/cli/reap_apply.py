"""The part of `ocelot reap` that deletes: what must be given, the question, the result."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommonOptions, JsonOptions
from pipeline.cli.printing import add_summary, set_output
from pipeline.cli.running import run, shown_progress
from pipeline.errors import ReapError, UsageError, counted
from pipeline.spread import Opt, option_group

if TYPE_CHECKING:
    from pipeline.reap.plan import ReapPlan
    from pipeline.reap.planning import ReapSources
    from pipeline.reap.request import ReapRequest
    from pipeline.reap.run import Approval, ReapResult
    from pipeline.reap_options import ReapOptions

LEFT = "each layer version that was deleted has its tombstone"
KEPT = "finished work is not repeated"


@option_group
class TombstoneOptions:
    """The folder of the tombstones."""

    tombstones: Annotated[
        Path,
        Opt("With --table none: folder of the records from which layers can be restored."),
    ] = Path("tombstones")


def check_apply_options(options: ReapOptions) -> None:
    """Check that the options for deleting belong together.

    Raises:
        UsageError: they do not.
    """
    if not options.apply and (options.yes_delete or options.plan):
        raise UsageError(
            "--yes-delete and --plan are for deleting", hint="add --apply, or leave them out"
        )
    if options.apply and not options.account:
        raise UsageError(
            "--apply needs the account whose layer versions are deleted",
            hint="name it: --account 123456789012",
        )
    if bool(options.yes_delete) != bool(options.plan):
        raise UsageError(
            "--yes-delete and --plan belong together",
            hint="give both, as the command prints them without --apply",
        )


def given_approval(options: ReapOptions) -> Approval | None:
    """Return the approval that the options give; None for none."""
    from pipeline.reap.run import Approval

    if options.yes_delete is None or options.plan is None:
        return None
    return Approval(number=options.yes_delete, digest=options.plan)


def requested_approval(made: ReapPlan, shown: JsonOptions) -> Approval:
    """Return the approval of a plan that was shown, by a person at a terminal.

    Raises:
        UsageError: there is no terminal.
        ReapError: the person does not approve.
    """
    from pipeline.reap.run import Approval

    number = len(made.deletions)
    if shown.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "nothing was deleted: without a terminal, or with --json, nothing can be asked",
            hint=f"if the plan is right, add --yes-delete {number} --plan {made.digest}",
        )
    typer.echo(
        f"{counted(number, 'layer version')} in account {made.account} will be deleted; "
        f"one that is restored gets another number. Type {number} to delete them: ",
        nl=False,
        err=True,
    )
    if sys.stdin.readline().strip() != str(number):
        raise ReapError(
            f"the number {number} was not typed: nothing was deleted",
            hint="run the same command again to delete, or narrow the pattern and the options",
        )
    return Approval(number=number, digest=made.digest, plan=made)


def apply_plan(
    request: ReapRequest,
    sources: ReapSources,
    approval: Approval,
    tombstones: TombstoneOptions,
    common: CommonOptions,
) -> None:
    """Delete what was approved, and report the result, after an interruption too."""
    from pipeline.reap.run import reap
    from pipeline.reap.tombstones import FolderTombstones

    reported: list[ReapResult] = []
    folder = FolderTombstones(tombstones.tombstones)
    work = partial(reap, request, sources, approval, reported.append, folder)
    try:
        with shown_progress(verbose=common.verbose):
            run(work, left=LEFT, kept=KEPT)
    finally:  # after the progress has ended
        for each in reported:
            _show(each, common)


def _show(result: ReapResult, shown: JsonOptions) -> None:
    from pipeline.report.reaped import reap_json, reap_report

    report = reap_report(result)
    shown.show(reap_json(result), report)
    add_summary(report, os.environ)
    deleted = [each for each in result.outcomes if not each.failed and each.tombstone]
    set_output("deleted", str(len(deleted)), os.environ)
