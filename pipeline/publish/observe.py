"""Look what there is in AWS of each target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import anyio

from pipeline.build.limits import megabytes
from pipeline.errors import AwsError, OcelotError
from pipeline.naming import layer_arn
from pipeline.publish.aws.asking import Asker
from pipeline.publish.aws.bucket import RegionBucket
from pipeline.publish.aws.layers import LayerVersion, RegionLayers
from pipeline.publish.package import Package
from pipeline.publish.plan import Observed, Target, Version
from pipeline.publish.policy import public_statements
from pipeline.publish.row import Row

# After an answer was lost: a version may come to be seen only some seconds later.
PATIENT_LOOKS = 4
FIRST_PAUSE_SECONDS = 0.5


@dataclass(kw_only=True)
class Room:
    """What a region's code storage has left, in bytes; None where the endpoint does not tell."""

    left: int | None = None
    asked: bool = False
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def refusal(self, size: int, place: Place) -> str:
        """Why a zip of so many bytes cannot be stored; empty if it can, and then it is counted."""
        async with self.lock:
            if not self.asked:
                self.left, self.asked = await _left(place), True
            if self.left is None:
                return ""
            if size > self.left:
                return (
                    f"the account's code storage has {megabytes(max(0, self.left))} left here, "
                    f"the zip is {megabytes(size)}; delete old layer versions"
                )
            self.left -= size
            return ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A region, and how it is asked.

    Attributes:
        bucket: takes the zips that are too large for a request, if there is one.
        room: what the region's code storage has left.
    """

    layers: RegionLayers
    asker: Asker
    bucket: RegionBucket | None = None
    room: Room = field(default_factory=Room)


# Finds the registry's row of a layer version's ARN.
FindRow = Callable[[str], Awaitable[Row | None]]


async def observe(
    target: Target, place: Place, find_row: FindRow | None, *, patient: bool
) -> Observed:
    """What there is of a target; where that cannot be seen, it is blocked.

    Args:
        target: zip and region.
        place: the region.
        find_row: looks into the registry, if there is one.
        patient: whether somebody may have published it a moment ago.
    """
    try:
        return await _observed(target, place, find_row, patient=patient)
    except Exception as error:  # noqa: BLE001  a bug is to hold up no other target either
        return Observed(blocked=told(error))


def told(error: Exception) -> str:
    """An error in a line."""
    if isinstance(error, OcelotError):
        return f"{error}; {error.hint}" if error.hint else str(error)
    return f"unexpected {type(error).__name__}: {error}"


async def _observed(
    target: Target, place: Place, find_row: FindRow | None, *, patient: bool
) -> Observed:
    found, notes = await find_version(target, place, looks=PATIENT_LOOKS if patient else 1)
    if found is None:
        return Observed(notes=notes, blocked=await _hindrance(target.package, place))
    statements = await statements_for_all(target.package.layer, found.number, place)
    version = Version(
        arn=found.arn,
        number=found.number,
        public=bool(statements),
        statements=statements,
        row=await find_row(found.arn) if find_row else None,
    )
    return Observed(version=version, notes=notes)


async def statements_for_all(layer: str, number: int, place: Place) -> tuple[str, ...]:
    """The identifiers of the statements that let everybody use a layer version.

    Raises:
        AwsError: the region does not answer.
    """
    call = partial(place.layers.policy, layer, number)
    return public_statements(await place.asker.ask(call, "read the policy"))


async def _hindrance(package: Package, place: Place) -> str:
    """Why a package cannot be published; empty if nothing is known that keeps it from being."""
    if package.is_large and place.bucket:
        await place.asker.ask(place.bucket.check, f"look for the bucket {place.bucket.name}")
    return await place.room.refusal(package.size, place)


async def _left(place: Place) -> int | None:
    try:
        stored = await place.asker.ask_once(
            place.layers.storage, "read the account's limits", place.asker.threads
        )
    except AwsError:
        return None  # an emulator may not know it, and nobody has to be allowed it
    return stored.most - stored.used if stored else None


async def find_version(
    target: Target, place: Place, *, looks: int = 1
) -> tuple[LayerVersion | None, tuple[str, ...]]:
    """The oldest layer version with a target's content, and what was noticed on the way.

    Its description names the content, AWS' CodeSha256 confirms it.

    Args:
        target: zip and region.
        place: the region.
        looks: how often to look while there is none.

    Raises:
        AwsError: the region does not answer.
    """
    notes: list[str] = []
    for look in range(looks):
        if look:
            await anyio.sleep(FIRST_PAUSE_SECONDS * 2**look)
        listed = await listed_versions(target.package.layer, place)
        notes = []
        same = [each for each in reversed(listed) if each.described == target.package.sha256]
        for each in same:
            number = each.number
            call = partial(place.layers.stored, layer_arn(each.arn))
            stored = await place.asker.ask(call, f"look at version {number}")
            if stored and stored.sha256 == target.package.sha256:
                more = [str(other.number) for other in same if other.number > number]
                if more:
                    notes.append(f"the same content is in version {', '.join(more)} as well")
                return each, tuple(notes)
            if stored:
                notes.append(
                    f"version {number} is described as this zip, but is sha256 {stored.sha256}"
                )
    return None, tuple(notes)


async def listed_versions(layer: str, place: Place) -> list[LayerVersion]:
    """All versions of a layer, newest first; none where there is no such layer.

    Raises:
        AwsError: the region does not answer.
    """
    page = partial(place.layers.page, layer)
    listed = await place.asker.ask_all(page, "list the layer's versions")
    return sorted(listed, key=lambda each: each.number, reverse=True)
