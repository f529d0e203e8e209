"""`ocelot layers used`."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from pipeline.cli.layers.rows import RowOptions
from pipeline.cli.options import CommonOptions, TokenOptions, shared
from pipeline.cli.printing import add_summary
from pipeline.cli.running import run, shown_progress
from pipeline.reap_options import UsedOptions
from pipeline.spread import option_group

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pipeline.report.rendering import Report
    from pipeline.usage.run import UsageResult

LEFT = "each function has its old layers or its new ones"
KEPT = "functions that were moved stay so"


@option_group
class UsedForms(CommonOptions, RowOptions):
    """The options of most commands, with CSV."""

    @property
    def is_table(self) -> bool:
        """True unless the user asked for JSON or CSV."""
        return not (self.as_json or self.as_csv)

    def show_used(self, result: UsageResult, report: Report) -> None:
        """Print the functions in the requested form."""
        from pipeline.report.layers import as_csv
        from pipeline.report.used import USED_COLUMNS, used_json, used_records

        if self.as_csv:
            typer.echo(as_csv(used_records(result), USED_COLUMNS), nl=False)
        else:
            self.show(used_json(result), report)


@shared
def used(options: UsedOptions, token: TokenOptions, common: UsedForms) -> None:
    """List the functions that use layers, those that are behind, and the command that moves each.

    With --update, the functions are moved to the newest version of their layer; their other layers
    are kept, in their order. Published versions never change. Functions of other accounts cannot be
    seen.
    """
    common.check()
    from pipeline.aws.regions import region_choice
    from pipeline.naming import account_id
    from pipeline.registry.registry import optional_registry
    from pipeline.report.used import moves_report, used_report
    from pipeline.usage import run as usage
    from pipeline.usage.plan import selected

    loaded = common.load()
    account = account_id(options.account)
    choice = region_choice(loaded.regions, options.regions)
    aws = token.aws(options.role_arn, choice.regions)
    look = partial(
        usage.used,
        *(choice, aws, optional_registry(aws, options), frozenset(loaded.distributions)),
        base=options.layer_name,
        account=account,
    )
    with shown_progress(verbose=common.verbose):
        done = run(look, left=LEFT, kept=KEPT)
    if options.update is None:
        _report(done, used_report(done), common)
    else:
        done = replace(done, selection=selected(done.regions, options.update))
        if options.dry_run or common.is_table:
            _report(done, moves_report(done), common)
        if not options.dry_run:
            done = _moved(partial(usage.update, done, aws), common)
    usage.check_used(done)


def _report(done: UsageResult, report: Report, common: UsedForms) -> None:
    common.show_used(done, report)
    add_summary(report, os.environ)


def _moved(work: Callable[[], Awaitable[UsageResult]], common: UsedForms) -> UsageResult:
    """Move the functions, report it, and return the result."""
    from pipeline.report.used import moved_report

    with shown_progress(verbose=common.verbose):
        done = run(work, left=LEFT, kept=KEPT)
    _report(done, moved_report(done), common)
    return done
