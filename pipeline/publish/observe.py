"""Observe one target: the layer version of the zip's content, its permission and its row."""

from __future__ import annotations

import time
from dataclasses import replace

from pipeline.aws.layers import LayerVersion, RegionClient
from pipeline.errors import Attempt
from pipeline.layer.limits import megabytes
from pipeline.publish.package import Package
from pipeline.publish.plan import Target, TargetObservation
from pipeline.registry.registry import Registry
from pipeline.registry.row import Row

SEARCH_PAUSE_SECONDS = 0.5


def observe(target: Target, region: RegionClient, registry: Registry | None) -> TargetObservation:
    """Return a target's state; if it cannot be read, the target is blocked."""
    with Attempt() as attempt:
        package = target.package
        found, notes = find_version(package, region)
        if found is None:
            return TargetObservation(notes=notes, blocked=_obstacle(package, region))
        policy = region.policy(package.layer, found.arn.version)
        row = registry.row(found.arn) if registry else None
        return TargetObservation(
            version=replace(found, policy=policy),
            row=row if isinstance(row, Row) else None,
            notes=notes,
        )
    return TargetObservation(blocked=attempt.error)


def _obstacle(package: Package, region: RegionClient) -> str:
    """Return why a package cannot be published; empty if nothing is known."""
    if package.is_large and region.bucket:
        region.bucket.check()
    left = region.reserve_storage(package.size)
    if left is None:
        return ""
    return (
        f"the account's code storage has {megabytes(max(0, left))} left here, "
        f"the zip is {megabytes(package.size)}; delete old layer versions"
    )


def find_version(
    package: Package, region: RegionClient, *, searches: int = 1
) -> tuple[LayerVersion | None, tuple[str, ...]]:
    """Return the oldest layer version with a package's content, and notes for the user.

    Its description names the content, and AWS' CodeSha256 confirms it. AWS' list may lag behind, so
    the version after the newest listed one is requested by its number.

    Args:
        package: the zip.
        region: where to search.
        searches: number of searches until one is found.

    Raises:
        AwsError: the region does not answer.
    """
    notes: list[str] = []
    for search in range(searches):
        if search:
            time.sleep(SEARCH_PAUSE_SECONDS * 2**search)
        notes = []
        listed = region.versions(package.layer)
        same = [
            each.arn.version for each in reversed(listed) if each.described_sha256 == package.sha256
        ]
        unlisted = (listed[0].arn.version if listed else 0) + 1
        for number in (*same, unlisted):
            found = region.version(package.layer, number)
            if not found or found.described_sha256 != package.sha256:
                continue
            if found.sha256 == package.sha256:
                notes += [
                    f"version {other} has the same content as version {number}: delete it if "
                    "nothing uses it"
                    for other in same
                    if other > number
                ]
                return found, tuple(notes)
            notes.append(f"version {number} is described as this zip, but is sha256 {found.sha256}")
    return None, tuple(notes)
