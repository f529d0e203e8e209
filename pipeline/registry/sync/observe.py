"""Observe one region: the publisher's layer versions, and rows without a layer version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from pipeline import progress
from pipeline.aws.layers import LayerVersion, RegionClient
from pipeline.errors import Attempt
from pipeline.naming import LayerArn, layer_name_parts
from pipeline.registry.row import Row
from pipeline.registry.sync.plan import NO_DISTRIBUTION, LeftAlone, RegionObservation, Scope
from pipeline.threads import in_thread, in_threads

# Requests at a time; each has a thread.
REQUESTS = 8
# Limit for one region. A layer version takes about 0.1 seconds, at the pace that AWS allows.
SECONDS = 3600.0


async def observe_region(client: RegionClient, scope: Scope) -> RegionObservation:
    """Return a region's layer versions; if any cannot be read, the region counts as unseen.

    Args:
        client: of the region, which is the lane of progress.
        scope: the publisher's layers, and all rows.
    """
    with progress.step(client.region, "look") as step:
        with Attempt() as attempt, anyio.move_on_after(SECONDS):
            observation = await _Observer(client=client, scope=scope).observation()
            step.result = f"{len(observation.versions)} layer versions"
            return observation
        step.result = attempt.error or f"not read within {SECONDS:.0f} seconds"
    return RegionObservation(region=client.region, unseen=step.result)


@dataclass(kw_only=True)
class _Observer:
    """Reads one region.

    Attributes:
        left: filled in: layers and layer versions to be reported.
        done: number of layer versions read so far.
    """

    client: RegionClient
    scope: Scope
    left: list[LeftAlone] = field(default_factory=list[LeftAlone])
    done: int = 0

    async def observation(self) -> RegionObservation:
        rows = {row.arn: row for row in self.scope.rows(self.client.region)}
        names = self._known(await in_thread(self.client.names), {arn.name for arn in rows})
        listed = await in_threads(self.client.versions, names, at_once=REQUESTS)
        found = [each for versions in listed for each in versions]
        read = partial(self._read, recorded=frozenset(rows), count=len(found))
        versions = await in_threads(read, found, at_once=REQUESTS)
        present = {each.arn for each in found}
        missing = [row for arn, row in rows.items() if arn not in present]
        gone = await in_threads(self._gone, missing, at_once=REQUESTS)
        return RegionObservation(
            region=self.client.region,
            versions=tuple(each for each in versions if each),
            gone=frozenset(arn for arn in gone if arn),
            left=tuple(self.left),
        )

    def _known(self, names: Iterable[str], recorded: set[str]) -> list[str]:
        """Return the publisher's layer names that have rows or contain a known distribution."""
        known: list[str] = []
        for name in sorted({each for each in names if each.startswith(f"{self.scope.base}-")}):
            if name in recorded or layer_name_parts(name, self.scope.base, self.scope.names):
                known.append(name)
            else:
                self.left.append(LeftAlone(what=name, reason=NO_DISTRIBUTION))
        return known

    def _read(
        self, version: LayerVersion, recorded: frozenset[LayerArn], count: int
    ) -> LayerVersion | None:
        """Return a listed version with the facts that its plan needs; None if it is gone by now."""
        arn = version.arn
        left = str(arn) in self.scope.foreign or str(arn) in self.scope.buried
        if arn not in recorded and not left and version.described_sha256:
            stored = self.client.version(arn.name, arn.version)
            if stored is None:
                return None
            version = stored
        if arn in recorded or (version.sha256 and version.sha256 == version.described_sha256):
            version = replace(version, policy=self.client.policy(arn.name, arn.version))
        self.done += 1
        progress.line(arn.region, f"{self.done} of {count} layer versions")
        return version

    def _gone(self, row: Row) -> str:
        """Return the ARN of a row whose layer version is not listed and does not exist, else ""."""
        if self.client.version(row.arn.name, row.arn.version) is None:
            return str(row.arn)
        reason = "AWS does not list it, but returns it: it may be very new"
        self.left.append(LeftAlone(what=str(row.arn), reason=reason))
        return ""
