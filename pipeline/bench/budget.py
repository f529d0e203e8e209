"""What a layer takes in times of the reference, and what of it is above its budget. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.bench.figures import Figures
from pipeline.build.manifest import Start
from pipeline.model import Budget


@dataclass(frozen=True, kw_only=True, slots=True)
class Multiples:
    """How many times as much as the reference a layer takes, by the medians.

    Attributes:
        cpu: CPU time to ready.
        rss: memory when ready.
    """

    cpu: float
    rss: float


def multiples(own: Figures | None, reference: Figures | None) -> Multiples | None:
    """A layer's multiples of the reference; None where one of them was not measured."""
    if own is None or reference is None:
        return None
    cpu = own.cpu.median / reference.cpu.median
    return Multiples(cpu=cpu, rss=own.rss.median / reference.rss.median)


def start_of(own: Figures | None, times: Multiples | None) -> Start | None:
    """What is noted of a layer's starts; None where there were none."""
    if own is None:
        return None
    return Start(
        starts=own.starts,
        cpu=own.cpu.median,
        memory=round(own.rss.median),
        cpu_times=times.cpu if times else None,
        memory_times=times.rss if times else None,
    )


def over_start_budget(budget: Budget | None, found: Multiples | None) -> tuple[str, ...]:
    """A sentence for each limit that a layer is over."""
    if budget is None or found is None:
        return ()
    limits = (
        ("CPU to ready", found.cpu, budget.cpu_to_ready),
        ("memory when ready", found.rss, budget.memory_when_ready),
    )
    return tuple(
        f"{what}: {value:.2f} times the reference's is over the budget of {most:g}"
        for what, value, most in limits
        if most is not None and value > most
    )
