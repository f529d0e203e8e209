"""The results of layers that were tried, as the manifest notes them and users see them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pipeline.bench.faults import FaultError
from pipeline.build.manifest import PASSED, Noted, Start
from pipeline.errors import BenchError


class Status(StrEnum):
    """What came of a layer."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of a layer.

    Attributes:
        path: of the zip.
        sha256: of the zip, in hex.
        reason: why it was skipped.
        fault: why it failed.
        start: what its starts took, for the manifest; None where that says nothing.
        notes: what the user should know.
    """

    path: Path
    sha256: str
    status: Status
    reason: str = ""
    fault: FaultError | None = None
    start: Start | None = None
    notes: tuple[str, ...] = ()

    @property
    def noted(self) -> Noted:
        """What is noted of the layer in its manifest and its row."""
        if self.status is Status.SKIPPED:
            return Noted(benched=f"skipped: {self.reason}")
        told = f"failed: {self.fault.fault}" if self.fault else PASSED
        return Noted(benched=told, start=self.start)

    def lines(self) -> Iterator[str]:
        """What the user is told of it, but for its fault."""
        if self.status is Status.SKIPPED:
            yield self.noted.benched
        yield from self.notes


def check_verdicts(verdicts: Collection[Verdict]) -> None:
    """Fail where a layer does.

    Raises:
        BenchError: with the fault; of several, all of them.
    """
    faults = [each.fault for each in verdicts if each.fault]
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise BenchError(
            f"{len(faults)} of {len(verdicts)} layers fail",
            hint="; ".join(dict.fromkeys(each.hint for each in faults)),
            details=tuple(line for each in faults for line in (str(each), *each.details)),
        )
