"""Carry repairs of the registry out: each by itself, and only on a row that is as it was seen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from pipeline.errors import AwsError
from pipeline.publish.aws.asking import in_thread
from pipeline.publish.aws.layers import layer_md5
from pipeline.publish.observe import Place, told
from pipeline.publish.recording import Records
from pipeline.publish.row import Row
from pipeline.publish.sync.plan import Repair

DOWNLOAD_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 1.0
_CHANGED = "its row was changed in the meantime and left alone; run the same command again"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a repair.

    Attributes:
        error: why the row is not as it should be; empty if it is.
        seconds: the work took.
    """

    repair: Repair
    error: str = ""
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        """Whether the row is as it should be."""
        return not self.error


@dataclass(frozen=True, kw_only=True)
class Means:
    """What repairs are done with.

    Attributes:
        places: the regions by name.
        table: how many requests to the registry may be under way.
        transfers: how many downloads may be under way.
        deadline: seconds that a repair may take.
        md5s: what is known by now, by SHA-256; a zip is downloaded once for all regions.
        locks: one for each SHA-256.
    """

    places: Mapping[str, Place]
    records: Records
    table: anyio.CapacityLimiter
    transfers: anyio.CapacityLimiter
    deadline: float = 900.0
    md5s: dict[str, str] = field(default_factory=dict[str, str])
    locks: dict[str, anyio.Lock] = field(default_factory=dict[str, anyio.Lock])


async def apply_repair(repair: Repair, means: Means) -> Outcome:
    """Do a repair; it ends as an outcome, whatever happens."""
    started, error = time.monotonic(), ""
    try:
        with anyio.fail_after(means.deadline):
            if not await _done(repair, means):
                error = _CHANGED
    except TimeoutError:
        error = f"not done within {means.deadline:.0f} seconds; run the same command again"
    except Exception as failure:  # noqa: BLE001  a bug is to hold up no other repair either
        error = told(failure)
    return Outcome(repair=repair, error=error, seconds=time.monotonic() - started)


async def _done(repair: Repair, means: Means) -> bool:
    registry = means.records.registry
    if repair.wanted is None:
        call = partial(registry.delete, repair.seen) if repair.seen else lambda: True
    elif repair.seen is None:
        call = partial(registry.add, await _with_md5(repair.wanted, means))
    else:
        call = partial(registry.amend, repair.seen, repair.wanted)
    return await means.records.asked(call, means.table)


async def _with_md5(row: Row, means: Means) -> Row:
    """A row with the MD5 that other tools know its zip by."""
    sha256 = row.code_sha256
    async with means.locks.setdefault(sha256, anyio.Lock()):
        if sha256 not in means.md5s:
            means.md5s[sha256] = await _md5(row, means)
    return replace(row, md5_hash=means.md5s[sha256])


async def _md5(row: Row, means: Means) -> str:
    """The MD5 of a layer version's zip; its address, which expires soon, is asked for anew."""
    place = means.places[row.region]
    call = partial(place.layers.stored, row.arn)
    for attempt in range(DOWNLOAD_ATTEMPTS):
        stored = await place.asker.ask(call, "ask where the zip is")
        if stored is None or stored.sha256 != row.code_sha256:
            raise AwsError(f"{row.arn} is gone", hint="run the same command again")
        try:
            async with means.transfers:
                return await in_thread(partial(layer_md5, stored))
        except AwsError:
            if attempt == DOWNLOAD_ATTEMPTS - 1:
                raise
            await anyio.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
    raise AssertionError("unreachable")
