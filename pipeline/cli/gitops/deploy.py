"""`ocelot gitops deploy`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.gitops.delivering import DELIVERY_KEPT, DELIVERY_LEFT, report, target_of
from pipeline.cli.options import CommonOptions, GitOpsTokenOptions, shared
from pipeline.cli.running import run, shown_progress
from pipeline.gitops_options import DeliveryOptions, DeployOptions, GitOpsOptions


@shared
def deploy(
    *,
    component: Annotated[
        str, typer.Argument(metavar="PROJECT/COMPONENT", help="Such as shop/catalog.")
    ],
    environment: Annotated[str, typer.Option(help="Environment to deploy to.")],
    options: DeployOptions,
    gitops: GitOpsOptions,
    delivery: DeliveryOptions,
    token: GitOpsTokenOptions,
    common: CommonOptions,
) -> None:
    """Promote or roll back one component, or change its settings, by pull request.

    --set changes componentTypeEnvironmentConfigs of the environment. Its keys and types are those
    of the ComponentType, as the release has it.
    """
    from pipeline import paths
    from pipeline.gitops.parameters import component_ref
    from pipeline.report.delivery import deployment_fields

    address, target, config = target_of(gitops, delivery, token, common)
    from pipeline.gitops.deploy import DeployRequest, deploy

    request = DeployRequest(
        name=component_ref(component, address.namespace),
        environment=environment,
        release=options.release or "",
        settings=tuple(options.set or ()),
        with_project=delivery.with_project,
        cache=paths.cache_folder(),
        occ_version=config.occ_version,
    )
    with shown_progress(verbose=common.verbose):
        made = run(lambda: deploy(request, address, target), left=DELIVERY_LEFT, kept=DELIVERY_KEPT)
    shown = deployment_fields(made.proposal.result)
    report(made, shown, common, dry_run=delivery.dry_run)
