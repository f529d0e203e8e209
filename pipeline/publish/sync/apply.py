"""Carry repairs of the registry out: each by itself, and only on a row that is as it was seen."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipeline.errors import AwsError
from pipeline.publish.aws.layers import LayerVersion, RegionClient, fetched, layer_md5
from pipeline.publish.aws.registry import Registry
from pipeline.publish.observe import error_line
from pipeline.publish.row import Row
from pipeline.publish.sync.plan import Repair

_CHANGED = "its row was changed in the meantime and left alone; run the same command again"


@dataclass(frozen=True, kw_only=True)
class RepairOutcome:
    """What became of a repair.

    Attributes:
        error: why the row is not as it should be; empty if it is.
        seconds: the work took.
    """

    repair: Repair
    error: str = ""
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the row is as it should be."""
        return not self.error


@dataclass(frozen=True, kw_only=True)
class RepairContext:
    """What the repairs of a run share.

    Attributes:
        clients: of the regions, by name.
        downloading: limits the downloads under way.
        md5s: filled in, by SHA-256: a zip is downloaded once for all regions.
        locks: one for each SHA-256.
    """

    clients: Mapping[str, RegionClient]
    registry: Registry
    downloading: threading.Semaphore
    md5s: dict[str, str] = field(default_factory=dict[str, str])
    locks: defaultdict[str, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock)
    )


def apply_repair(repair: Repair, context: RepairContext) -> RepairOutcome:
    """Do a repair; it ends as an outcome, whatever happens. It blocks."""
    started, error = time.monotonic(), ""
    try:
        if not _applied(repair, context):
            error = _CHANGED
    except Exception as failure:  # noqa: BLE001  a bug is to hold up no other repair either
        error = error_line(failure)
    return RepairOutcome(repair=repair, error=error, seconds=time.monotonic() - started)


def _applied(repair: Repair, context: RepairContext) -> bool:
    """Return whether the row is as it should be now; where it is not, it was changed meanwhile."""
    if repair.wanted is None:
        return repair.seen is None or context.registry.delete(repair.seen)
    if repair.seen is None:
        return context.registry.add(_with_md5(repair.wanted, context))
    return context.registry.amend(repair.seen, repair.wanted)


def _with_md5(row: Row, context: RepairContext) -> Row:
    """Return a row with the MD5 that other tools know its zip by."""
    sha256, client = row.code_sha256, context.clients[row.region]

    def look() -> LayerVersion:
        stored = client.version(row.arn.name, row.arn.version)
        if stored is None or stored.sha256 != sha256:
            raise AwsError(f"{row.arn} is gone", hint="run the same command again")
        return stored

    with context.locks[sha256]:
        if sha256 not in context.md5s:
            with context.downloading:
                context.md5s[sha256] = fetched(look, layer_md5)
    return replace(row, md5_hash=context.md5s[sha256])
