"""Look at all layer versions of a region that have a row, or should have one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from pipeline import progress
from pipeline.naming import LayerArn, layer_words
from pipeline.publish.aws.layers import LayerVersion, RegionClient
from pipeline.publish.observe import error_line
from pipeline.publish.row import Row
from pipeline.publish.sync.plan import NAMELESS, Left, Look, Scope
from pipeline.threads import in_thread, in_threads

# Requests under way at once in a region; each has a thread.
REGION_REQUESTS = 8


async def observe_region(client: RegionClient, scope: Scope, deadline: float) -> Look:
    """Return what there is in a region; where any of it cannot be seen, nothing of it counts.

    Args:
        client: of the region, which is the lane of progress.
        scope: whose layers are meant.
        deadline: seconds that it may take.
    """
    region = client.region
    with progress.step(region, "look") as step:
        try:
            with anyio.fail_after(deadline):
                look = await _Looking(client=client, scope=scope).all()
        except TimeoutError:
            look = Look(region=region, unseen=f"not seen within {deadline:.0f} seconds")
        except Exception as error:  # noqa: BLE001  a bug is to hold up no other region either
            look = Look(region=region, unseen=error_line(error))
        step.result = look.unseen or f"{len(look.versions)} layer versions"
    return look


@dataclass(kw_only=True)
class _Looking:
    """The look at one region, under way."""

    client: RegionClient
    scope: Scope
    left: list[Left] = field(default_factory=list[Left])
    done: int = 0

    async def all(self) -> Look:
        rows = {row.arn: row for row in self.scope.rows(self.client.region)}
        names = self._known(await in_thread(self.client.names), {arn.name for arn in rows})
        listed = await in_threads(self.client.versions, names, at_once=REGION_REQUESTS)
        found = [each for versions in listed for each in versions]
        see = partial(self._seen, recorded=frozenset(rows), count=len(found))
        seen = await in_threads(see, found, at_once=REGION_REQUESTS)
        present = {each.arn for each in found}
        missing = [row for arn, row in rows.items() if arn not in present]
        gone = await in_threads(self._gone, missing, at_once=REGION_REQUESTS)
        return Look(
            region=self.client.region,
            versions=tuple(each for each in seen if each),
            gone=frozenset(arn for arn in gone if arn),
            left=tuple(self.left),
        )

    def _known(self, names: Iterable[str], recorded: set[str]) -> list[str]:
        """Return the names that begin as they should and say what the layer is, or have rows."""
        known: list[str] = []
        for name in sorted({each for each in names if each.startswith(f"{self.scope.base}-")}):
            if name in recorded or layer_words(name, self.scope.base, self.scope.names):
                known.append(name)
            else:
                self.left.append(Left(what=name, reason=NAMELESS))
        return known

    def _seen(
        self, version: LayerVersion, recorded: frozenset[LayerArn], count: int
    ) -> LayerVersion | None:
        """Return a version with what has to be known of it; None for one that went meanwhile."""
        arn = version.arn
        if arn not in recorded and version.described and str(arn) not in self.scope.foreign:
            stored = self.client.version(arn.name, arn.version)
            if stored is None:
                return None
            version = stored
        if arn in recorded or (version.sha256 and version.sha256 == version.described):
            statements = self.client.public_statements(arn.name, arn.version)
            version = replace(version, public=bool(statements))
        self.done += 1
        progress.line(arn.region, f"{self.done} of {count} layer versions")
        return version

    def _gone(self, row: Row) -> str:
        """Return the ARN of a row whose layer version is not listed and not there; else nothing."""
        if self.client.version(row.arn.name, row.arn.version) is None:
            return str(row.arn)
        reason = "AWS does not list it, but has it: it may be very new"
        self.left.append(Left(what=str(row.arn), reason=reason))
        return ""
