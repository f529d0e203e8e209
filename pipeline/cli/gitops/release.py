"""`ocelot gitops release`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.gitops.delivering import DELIVERY_KEPT, DELIVERY_LEFT, report, target_of
from pipeline.cli.options import CommonOptions, GitOpsTokenOptions, ReleaseSourceOptions, shared
from pipeline.cli.running import run, shown_progress
from pipeline.gitops_options import (
    DeliveryOptions,
    GitOpsOptions,
    ReleaseCommitOptions,
    WorkflowOptions,
)


@shared
def release(
    *,
    component: Annotated[
        str, typer.Argument(metavar="PROJECT/COMPONENT", help="Such as shop/catalog.")
    ],
    image: Annotated[
        str, typer.Option(metavar="NAME@sha256:DIGEST", help="The image, by its digest.")
    ],
    source: ReleaseSourceOptions,
    releasing: ReleaseCommitOptions,
    workflow: WorkflowOptions,
    gitops: GitOpsOptions,
    delivery: DeliveryOptions,
    token: GitOpsTokenOptions,
    common: CommonOptions,
) -> None:
    """Release an image: Workload, ComponentRelease and ReleaseBinding, by pull request.

    OpenChoreo's occ writes them into the newest commit of the GitOps repository. While the pull
    request is open, a further release of the component replaces it; commits of others on its
    branch are kept.
    """
    from dataclasses import replace

    from pipeline import paths
    from pipeline.gitops.parameters import component_ref
    from pipeline.gitops.resolve import read_run_file
    from pipeline.report.delivery import release_fields

    address, target, config = target_of(gitops, delivery, token, common)
    from pipeline.gitops.release import ReleaseRequest, release  # needs what was checked

    request = ReleaseRequest(
        name=component_ref(component, address.namespace),
        image=image,
        environment=releasing.environment or "",
        options=workflow,
        run=read_run_file(source.run_file),
        source=source.source,
        committed=releasing.commit_time,
        with_project=delivery.with_project,
        cache=paths.cache_folder(),
        occ_version=config.occ_version,
    )
    target = replace(target, replace_newer=releasing.replace_newer)
    with shown_progress(verbose=common.verbose):
        made = run(
            lambda: release(request, address, target), left=DELIVERY_LEFT, kept=DELIVERY_KEPT
        )
    report(made, release_fields(made.proposal.result), common, dry_run=delivery.dry_run)
