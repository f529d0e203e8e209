"""What a layer takes in times of the reference, and what of it is above its budget. Pure."""

from __future__ import annotations

from pipeline.bench.figures import Figures
from pipeline.build.manifest import Start
from pipeline.model import Budget


def start_of(own: Figures | None, reference: Figures | None) -> Start | None:
    """What a layer's starts took, also in times of the reference; None where there were none."""
    if own is None:
        return None
    return Start(
        starts=own.starts,
        cpu=own.cpu.median,
        memory=round(own.rss.median),
        cpu_times=own.cpu.median / reference.cpu.median if reference else None,
        memory_times=own.rss.median / reference.rss.median if reference else None,
    )


def over_start_budget(budget: Budget | None, found: Start | None) -> tuple[str, ...]:
    """A sentence for each limit that a layer is over."""
    if budget is None or found is None:
        return ()
    limits = (
        ("CPU to ready", found.cpu_times, budget.cpu_to_ready),
        ("memory when ready", found.memory_times, budget.memory_when_ready),
    )
    return tuple(
        f"{what}: {value:.2f} times the reference's is over the budget of {most:g}"
        for what, value, most in limits
        if value is not None and most is not None and value > most
    )
