"""What a layer takes in times of the reference, and what of it is over its budget."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench_examples import MEASURED

from pipeline.bench.budget import Multiples, multiples, over_start_budget
from pipeline.bench.figures import figures
from pipeline.model import Budget


def budget(**given: float) -> Budget:
    return Budget.model_validate({name.replace("_", "-"): most for name, most in given.items()})


def test_multiples_are_those_of_the_medians() -> None:
    own = figures([replace(MEASURED, cpu=cpu, rss=rss) for cpu, rss in ((9, 9), (8, 6), (1, 3))])
    least = figures([replace(MEASURED, cpu=cpu, rss=rss) for cpu, rss in ((2, 2), (4, 4), (3, 3))])
    assert multiples(own, least) == Multiples(cpu=8 / 3, rss=2)
    assert multiples(None, least) is None
    assert multiples(own, None) is None


def test_each_limit_that_is_passed_is_told() -> None:
    found = Multiples(cpu=10.04, rss=5.5)
    assert over_start_budget(budget(cpu_to_ready=10, memory_when_ready=5.25), found) == (
        "CPU to ready: 10.04 times the reference's is over the budget of 10",
        "memory when ready: 5.50 times the reference's is over the budget of 5.25",
    )


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (budget(cpu_to_ready=10.04, memory_when_ready=5.5), Multiples(cpu=10.04, rss=5.5)),
        (budget(zip=1), Multiples(cpu=99, rss=99)),
        (budget(memory_when_ready=9), Multiples(cpu=99, rss=9)),
        (None, Multiples(cpu=99, rss=99)),
        (budget(cpu_to_ready=1), None),
    ],
)
def test_within_the_budget_or_without_one_nothing_is_told(
    given: Budget | None, found: Multiples | None
) -> None:
    assert over_start_budget(given, found) == ()


def test_a_budget_of_sizes_says_nothing_of_starts() -> None:
    assert not budget(zip=1, modules=2).limits_starts
    assert budget(cpu_to_ready=1).limits_starts
    assert budget(memory_when_ready=1).limits_starts
