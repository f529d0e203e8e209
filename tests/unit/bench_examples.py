"""Figures and results of the bench, for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.result import Measured, Result, Status, figures
from pipeline.layer.components import FoundComponent
from pipeline.naming import Architecture

MEASURED = Measured(
    cpu=0.03,
    wall=0.05,
    first_export=0.2,
    rss=30 * 2**20,
    peak=40 * 2**20,
    invocation_cpu=(0.001, 0.003),
    invocation_wall=(0.0, 0.002),
    shutdown=0.01,
    life_cpu=0.05,
    items=20,
    delivered=1.0,
)


def found(kind: str, name: str, package: str = "") -> FoundComponent:
    """A component of a binary."""
    path = package or f"go.opentelemetry.io/collector/{kind}/{name}{kind}"
    return FoundComponent(kind=kind, name=name, package=path, module=path, version="v1", size=1)


def result(file: str, **more: Any) -> Result:  # noqa: ANN401
    """The result of a layer that passed, with other values for some fields."""
    made = Result(
        path=Path(file),
        sha256=file[0] * 64,
        size=1_000_000,
        unzipped_size=3_000_000,
        architecture=Architecture.AMD64,
        distribution="minimal",
        status=Status.PASSED,
        figures=figures([MEASURED]),
    )
    return replace(made, **more)


FAULT = FaultError(Fault.IGNORES_SHUTDOWN, "b.zip: extensions/collector", ("why",))
FAILED = result("b.zip", status=Status.FAILED, fault=FAULT, figures=None)
SKIPPED = result("c.zip", status=Status.SKIPPED, reason="no qemu", figures=None)
