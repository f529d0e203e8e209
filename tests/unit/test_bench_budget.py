"""A layer's figures as multiples of the reference's, and limits of the budget that it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench_examples import MEASURED, result
from unit_examples import layer

from pipeline.bench.result import (
    earlier_starts,
    figures,
    late_deliveries,
    manifest_start,
    over_start_budget,
)
from pipeline.config.budgets import Budget
from pipeline.layer.manifest import Manifest, Start
from pipeline.naming import Architecture
from pipeline.report.bench import earlier_reports


def budget(**given: float) -> Budget:
    return Budget.model_validate({name.replace("_", "-"): most for name, most in given.items()})


def found(cpu: float | None, memory: float | None) -> Start:
    return Start(starts=3, cpu=0.03, memory=30_000_000, cpu_times=cpu, memory_times=memory)


NOTED = found(8.0, 5.0)


def test_the_figures_of_starts_are_medians_and_multiples_of_the_reference() -> None:
    own = figures([replace(MEASURED, cpu=cpu, rss=rss) for cpu, rss in ((9, 9), (8, 6), (1, 3))])
    least = figures([replace(MEASURED, cpu=cpu, rss=rss) for cpu, rss in ((2, 2), (4, 4), (3, 3))])
    assert manifest_start(own, least) == Start(
        starts=3, cpu=8, memory=6, cpu_times=8 / 3, memory_times=2
    )
    assert manifest_start(own, None) == Start(
        starts=3, cpu=8, memory=6, cpu_times=None, memory_times=None
    )
    assert manifest_start(None, least) is None


def test_each_limit_that_is_passed_is_named() -> None:
    limits = budget(cpu_to_ready=10, memory_when_ready=5.25)
    assert over_start_budget(limits, found(10.04, 5.5)) == (
        "CPU to ready: 10.04 times the reference's is over the budget of 10",
        "memory when ready: 5.50 times the reference's is over the budget of 5.25",
    )


@pytest.mark.parametrize(
    ("given", "start"),
    [
        (budget(cpu_to_ready=10.04, memory_when_ready=5.5), found(10.04, 5.5)),
        (budget(zip=1), found(99, 99)),
        (budget(memory_when_ready=9), found(99, 9)),
        (None, found(99, 99)),
        (budget(cpu_to_ready=1), found(None, None)),
        (budget(cpu_to_ready=1), None),
    ],
)
def test_within_the_budget_or_without_one_no_limit_is_named(
    given: Budget | None, start: Start | None
) -> None:
    assert over_start_budget(given, start) == ()


@pytest.mark.parametrize(
    ("parts", "least", "late"),
    [
        ((1.0, 1.0), 1.0, False),
        ((1.0, 0.9996, 1.0), 1.0, True),
        ((0.8, 0.9), 0.8, False),
        ((0.0,), None, False),
        ((None,), 1.0, False),
    ],
)
def test_every_start_must_deliver_its_part_in_time(
    parts: tuple[float | None, ...], least: float | None, *, late: bool
) -> None:
    limits = budget(delivered=least) if least else budget(zip=1)
    found = late_deliveries(limits, figures([replace(MEASURED, delivered=x) for x in parts]))
    assert len(found) == late
    assert all("delivered: 0.999 of" in each for each in found)


def test_without_a_budget_or_a_start_nothing_is_late() -> None:
    assert late_deliveries(None, figures([replace(MEASURED, delivered=0.0)])) == ()
    assert late_deliveries(budget(delivered=1), None) == ()


def test_a_budget_of_sizes_says_nothing_of_starts() -> None:
    assert not budget(zip=1, modules=2, delivered=1).limits_starts
    assert budget(cpu_to_ready=1).limits_starts
    assert budget(memory_when_ready=1).limits_starts


def test_only_the_same_distribution_and_architecture_is_compared() -> None:
    same = layer().model_copy(update={"start": NOTED})
    other = same.model_copy(update={"distribution": "full"})
    arm64 = same.model_copy(update={"architecture": Architecture.ARM64})
    without = same.model_copy(update={"start": NOTED.model_copy(update={"cpu_times": None})})
    results = [result("a.zip", start=NOTED)]
    assert earlier_starts(results, Manifest(layers=(other, same, arm64))) == {"a" * 64: NOTED}
    for each in (other, arm64, without, layer()):
        assert earlier_starts(results, Manifest(layers=(each,))) == {}


def test_bars_are_above_those_of_the_earlier_manifest() -> None:
    now = NOTED.model_copy(update={"cpu_times": 6.0})
    compared = earlier_reports(
        [result("a.zip", start=now), result("b.zip", start=now)], {"a" * 64: NOTED}
    )
    cpu, memory, missing = compared
    assert cpu.title == "CPU to ready, times **"
    assert cpu.notes == [
        f"  a.zip    {'█' * 30} 6.0, 0.75 times",
        f"  as noted {'█' * 40} 8.0",
    ]
    assert memory.notes[0].endswith("5.0, 1.00 times")
    assert missing.notes[0].startswith("b.zip: ")
