"""Look what there is in AWS of each target."""

from __future__ import annotations

import time
from dataclasses import replace

from pipeline.build.limits import megabytes
from pipeline.errors import OcelotError
from pipeline.publish.aws.layers import LayerVersion, RegionClient
from pipeline.publish.aws.registry import Registry
from pipeline.publish.package import Package
from pipeline.publish.plan import Observed, Target
from pipeline.publish.row import Row

# After an answer was lost: a version may come to be seen only some seconds later.
PATIENT_LOOKS = 4
FIRST_PAUSE_SECONDS = 0.5


def observe(target: Target, region: RegionClient, registry: Registry | None) -> Observed:
    """Return what there is of a target; where that cannot be seen, it is blocked."""
    try:
        return _observed(target, region, registry)
    except Exception as error:  # noqa: BLE001  a bug is to hold up no other target either
        return Observed(blocked=error_line(error))


def error_line(error: Exception) -> str:
    """Return an error in a line."""
    if isinstance(error, OcelotError):
        return f"{error}; {error.hint}" if error.hint else str(error)
    return f"unexpected {type(error).__name__}: {error}"


def _observed(target: Target, region: RegionClient, registry: Registry | None) -> Observed:
    package = target.package
    found, notes = find_version(package, region)
    if found is None:
        return Observed(notes=notes, blocked=_hindrance(package, region))
    statements = region.public_statements(package.layer, found.arn.version)
    row = registry.row(found.arn) if registry else None
    return Observed(
        version=replace(found, public=bool(statements)),
        row=row if isinstance(row, Row) else None,
        notes=notes,
    )


def _hindrance(package: Package, region: RegionClient) -> str:
    """Return why a package cannot be published; empty if nothing is known against it."""
    if package.is_large and region.bucket:
        region.bucket.check()
    left = region.reserve_storage(package.size)
    return (
        ""
        if left is None
        else f"the account's code storage has {megabytes(max(0, left))} left here, "
        f"the zip is {megabytes(package.size)}; delete old layer versions"
    )


def find_version(
    package: Package, region: RegionClient, *, looks: int = 1
) -> tuple[LayerVersion | None, tuple[str, ...]]:
    """Return the oldest layer version with a package's content, and what else was noticed.

    Its description names the content, AWS' CodeSha256 confirms it. AWS' list may lag behind, so
    that the version after the newest one listed is asked for by its number.

    Args:
        package: the zip.
        region: where to look.
        looks: number of looks while there is none.

    Raises:
        AwsError: the region does not answer.
    """
    notes: list[str] = []
    for look in range(looks):
        if look:
            time.sleep(FIRST_PAUSE_SECONDS * 2**look)
        notes = []
        listed = region.versions(package.layer)
        same = [each.arn.version for each in reversed(listed) if each.described == package.sha256]
        unlisted = (listed[0].arn.version if listed else 0) + 1
        for number in (*same, unlisted):
            found = region.version(package.layer, number)
            if not found or found.described != package.sha256:
                continue
            if found.sha256 == package.sha256:
                more = ", ".join(str(other) for other in same if other > number)
                notes += [f"the same content is in version {more} as well"] if more else []
                return found, tuple(notes)
            notes.append(f"version {number} is described as this zip, but is sha256 {found.sha256}")
    return None, tuple(notes)
