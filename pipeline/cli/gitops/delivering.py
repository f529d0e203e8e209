"""The common part of the commands that open a pull request in the GitOps repository."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.cli.printing import add_summary, set_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.cli.options import ConfigOptions, GitOpsTokenOptions, JsonOptions
    from pipeline.config.gitops import CommitIdentity, GitOps
    from pipeline.gitops.delivery import Delivered, DeliveryTarget
    from pipeline.gitops.reading import GitOpsAddress
    from pipeline.gitops_options import DeliveryOptions, GitOpsOptions
    from pipeline.report.rendering import Report

DELIVERY_LEFT = "nothing, a branch, or a pull request is in the GitOps repository"
DELIVERY_KEPT = "a branch or pull request that is there is completed"


class DeliverySettings(NamedTuple):
    """The settings of config/gitops.yaml, or their defaults without it."""

    commit: CommitIdentity
    labels: tuple[str, ...]
    reviewers: tuple[str, ...]
    occ_version: str


def target_of(
    gitops: GitOpsOptions,
    delivery: DeliveryOptions,
    token: GitOpsTokenOptions,
    config: ConfigOptions,
) -> tuple[GitOpsAddress, DeliveryTarget, DeliverySettings]:
    """Return the GitOps repository, how to deliver to it, and the settings.

    Raises:
        UsageError: no repository is named, or an option cannot be used.
        ConfigError: the configuration has problems.
        GitHubError: a package is missing, as for a GitOpsError.
    """
    from pipeline.github.installation import check_package
    from pipeline.gitops.installation import check_schema_package

    check_package()
    check_schema_package()
    from pipeline.gitops.delivery import DeliveryTarget

    address = token.address(gitops, config)
    settings = _settings(token.config(gitops, config))
    target = DeliveryTarget(
        remote=address.origin,
        branch=address.branch,
        identity=settings.commit,
        labels=settings.labels,
        reviewers=settings.reviewers,
        api_url=delivery.api_url,
        pull_request=not delivery.no_pr,
        dry_run=delivery.dry_run,
    )
    return address, target, settings


def _settings(config: GitOps | None) -> DeliverySettings:
    from pipeline.config.gitops import CommitIdentity
    from pipeline.gitops.occ import OCC_VERSION

    if config is None:
        return DeliverySettings(CommitIdentity(), (), (), OCC_VERSION)
    pulls = config.pull_request
    return DeliverySettings(config.commit, pulls.labels, pulls.reviewers, config.occ_version)


def report(
    delivered: Delivered[Any],
    result: Mapping[str, Any],
    shown: JsonOptions,
    *,
    dry_run: bool,
    table: Report | None = None,
) -> None:
    """Print what was done, with the diff of a dry run, and add it to the job's summary.

    Args:
        delivered: the delivery.
        result: what the command knows of it, for the JSON.
        shown: how to print it.
        dry_run: True if nothing was pushed.
        table: instead of that of the changed files.
    """
    from pipeline.report.delivery import delivery_json, delivery_report
    from pipeline.report.diff import show_diff

    table = table or delivery_report(delivered)
    if not dry_run:
        add_summary(table, os.environ)
        url = delivered.pull_request.url if delivered.pull_request else delivered.compare
        set_output("url", url, os.environ)
    elif not shown.as_json:
        show_diff(delivered.proposal.changes)
    shown.show(delivery_json(delivered, result), table)
