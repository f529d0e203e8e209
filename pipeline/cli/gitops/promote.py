"""`ocelot gitops promote`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pipeline.cli.gitops.delivering import DELIVERY_KEPT, DELIVERY_LEFT, report, target_of
from pipeline.cli.options import CommonOptions, GitOpsTokenOptions, shared
from pipeline.cli.running import run, shown_progress
from pipeline.gitops_options import DeliveryOptions, GitOpsOptions, PromoteOptions
from pipeline.spread import Opt, option_group


@option_group
class BulkOptions(PromoteOptions):
    """The components to promote, from options or a WorkflowRun."""

    run_file: Annotated[
        Path | None,
        Opt("A WorkflowRun as YAML, for its parameters.", flags="--from", metavar="FILE"),
    ] = None
    skip_missing: Annotated[
        bool, Opt("Leave out components without a release to promote, and name them.")
    ] = False


@shared
def promote(
    *,
    bulk: BulkOptions,
    gitops: GitOpsOptions,
    delivery: DeliveryOptions,
    token: GitOpsTokenOptions,
    common: CommonOptions,
) -> None:
    """Promote the releases of a project, or of all, to an environment by one pull request.

    Each component gets the release that is bound to the environment before; in the first
    environment of the pipeline, the one that equals its current state. Projects that use another
    pipeline are left out and named.
    """
    from pipeline import paths
    from pipeline.gitops.parameters import promote_parameters
    from pipeline.gitops.resolve import read_run_file
    from pipeline.report.promotion import promotion_json, promotion_report

    parameters = promote_parameters(bulk, read_run_file(bulk.run_file))
    gitops = replace(
        gitops,
        repository=gitops.repository or parameters.repository_url or None,
        branch=gitops.branch or parameters.branch or None,
    )
    address, target, config = target_of(gitops, delivery, token, common)
    from pipeline.gitops.promote import PromoteRequest, promote

    request = PromoteRequest(
        parameters=parameters,
        skip_missing=bulk.skip_missing,
        with_project=delivery.with_project,
        cache=paths.cache_folder(),
        occ_version=config.occ_version,
    )
    with shown_progress(verbose=common.verbose):
        made = run(
            lambda: promote(request, address, target), left=DELIVERY_LEFT, kept=DELIVERY_KEPT
        )
    shown = promotion_json(made.proposal.result, address.namespace)
    report(made, shown, common, dry_run=delivery.dry_run, table=promotion_report(made))
