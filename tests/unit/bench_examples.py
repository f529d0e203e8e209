"""What the bench measured, for tests."""

from __future__ import annotations

from pipeline.bench.start import Measured

MEASURED = Measured(
    cpu=0.03,
    wall=0.05,
    first_export=0.2,
    rss=30 * 2**20,
    peak=40 * 2**20,
    invocation_cpu=(0.001, 0.003),
    invocation_wall=(0.0, 0.002),
    shutdown=0.01,
    items=20,
)
