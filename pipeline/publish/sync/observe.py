"""Look at all layer versions of a region that have a row, or should have one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import anyio

from pipeline.naming import layer_arn, layer_words
from pipeline.progress import Progress
from pipeline.publish.aws.layers import LayerVersion
from pipeline.publish.concurrency import all_of
from pipeline.publish.observe import Place, listed_versions, statements_for_all, told
from pipeline.publish.row import Row, utc_time
from pipeline.publish.sync.plan import NAMELESS, Left, Look, Scope, Seen


async def observe_region(place: Place, scope: Scope, progress: Progress, deadline: float) -> Look:
    """What there is in a region; where any of it cannot be seen, nothing of it counts.

    Args:
        place: the region.
        scope: whose layers are meant.
        progress: told how far it is; the region is the lane.
        deadline: seconds that it may take.
    """
    region = place.layers.region
    progress.begin(region, "look")
    try:
        with anyio.fail_after(deadline):
            look = await _Looking(place=place, scope=scope, progress=progress).all()
    except TimeoutError:
        look = Look(region=region, unseen=f"not seen within {deadline:.0f} seconds")
    except Exception as error:  # noqa: BLE001  a bug is to hold up no other region either
        look = Look(region=region, unseen=told(error))
    progress.end(region, look.unseen or f"{len(look.versions)} layer versions")
    return look


@dataclass(kw_only=True)
class _Looking:
    """The look at one region, under way."""

    place: Place
    scope: Scope
    progress: Progress
    left: list[Left] = field(default_factory=list[Left])
    done: int = 0

    async def all(self) -> Look:
        region = self.place.layers.region
        rows = {str(row.arn): row for row in self.scope.rows(region)}
        names = self._known(await self._names(), {row.arn.name for row in rows.values()})
        listed = await all_of(names, partial(listed_versions, place=self.place))
        found = [each for versions in listed for each in versions]
        seen = await all_of(found, lambda each: self._seen(each, rows, len(found)))
        present = {each.arn for each in found}
        missing = [row for arn, row in rows.items() if arn not in present]
        gone = await all_of(missing, self._gone)
        return Look(
            region=region,
            versions=tuple(each for each in seen if each),
            gone=frozenset(arn for arn in gone if arn),
            left=tuple(self.left),
        )

    async def _names(self) -> list[str]:
        """The names of all layers that begin as they should."""
        names = await self.place.asker.ask_all(self.place.layers.names, "list the layers")
        return sorted({each for each in names if each.startswith(f"{self.scope.base}-")})

    def _known(self, names: Iterable[str], recorded: set[str]) -> list[str]:
        """The names that say what the layer is, or that have rows."""
        known: list[str] = []
        for name in names:
            if name in recorded or layer_words(name, self.scope.base, self.scope.names):
                known.append(name)
            else:
                self.left.append(Left(what=name, reason=NAMELESS))
        return known

    async def _seen(self, version: LayerVersion, rows: dict[str, Row], count: int) -> Seen | None:
        """A version with what has to be known of it; None for one that went in the meantime."""
        arn = layer_arn(version.arn)
        sha256, public = "", False
        if version.arn not in rows and version.described and version.arn not in self.scope.foreign:
            call = partial(self.place.layers.stored, arn)
            stored = await self.place.asker.ask(call, f"look at {arn.name}:{arn.version}")
            if stored is None:
                return None
            sha256 = stored.sha256
        if version.arn in rows or (sha256 and sha256 == version.described):
            public = bool(await statements_for_all(arn.name, arn.version, self.place))
        self.done += 1
        self.progress.line(arn.region, f"{self.done} of {count} layer versions")
        return Seen(
            arn=arn,
            described=version.described,
            sha256=sha256,
            created=utc_time(version.created),
            runtimes=version.runtimes,
            public=public,
        )

    async def _gone(self, row: Row) -> str:
        """The ARN of a row whose layer version, which is not listed, is not there; else nothing."""
        call = partial(self.place.layers.stored, row.arn)
        if await self.place.asker.ask(call, f"look at {row.arn.name}:{row.arn.version}") is None:
            return str(row.arn)
        reason = "AWS does not list it, but has it: it may be very new"
        self.left.append(Left(what=str(row.arn), reason=reason))
        return ""
