"""`ocelot layers sync`."""

from __future__ import annotations

import os
from functools import partial

from pipeline.cli.options import CommonOptions, TokenOptions, shared
from pipeline.cli.printing import add_summary
from pipeline.cli.running import run, shown_progress
from pipeline.options import SyncOptions


@shared
def sync(options: SyncOptions, token: TokenOptions, common: CommonOptions) -> None:
    """Find rows without a layer and layers without a row, and repair the registry.

    With --ssm-prefix, parameters that are missing, or name a deleted or an older layer, are
    repaired, too. The layers themselves are never changed. What is uncertain is reported and left
    unchanged.
    """
    from pipeline.aws.regions import region_choice
    from pipeline.naming import account_id
    from pipeline.parameters.names import parameter_prefix
    from pipeline.registry.registry import opened_registry
    from pipeline.registry.sync import run as syncing
    from pipeline.report.sync import sync_json, sync_report

    loaded = common.load()
    account = account_id(options.account)
    choice = region_choice(loaded.regions, options.regions)
    aws = token.aws(options.role_arn, choice.regions)
    registry = opened_registry(aws, options)
    work = partial(
        syncing.sync,
        *(choice, aws, registry, loaded.distributions),
        base=options.layer_name,
        account=account,
        ssm_prefix=parameter_prefix(options.ssm_prefix) if options.ssm_prefix else None,
        dry_run=options.dry_run,
    )
    with shown_progress(verbose=common.verbose):
        done = run(work, left="no row was left half-written", kept="finished work is not repeated")
    report = sync_report(done)
    common.show(sync_json(done), report)
    if not options.dry_run:
        add_summary(report, os.environ)
        syncing.check_synced(done)
