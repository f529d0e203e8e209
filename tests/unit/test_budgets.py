from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_examples import SHIPPED, loaded, problems_of, write_config

from pipeline.config.budgets import Budget
from pipeline.config.folder import load_config
from pipeline.layer.budget import over_budget

MIB = 1024**2
TWO = "minimal: {}\nmine: {base: minimal}\n"


def folder(root: Path, budgets: str, distributions: str = TWO) -> Path:
    write_config(root, distributions)
    (root / "budgets.yaml").write_text(budgets, encoding="utf-8")
    return root


def test_a_size_is_a_number_of_bytes_or_has_a_unit(tmp_path: Path) -> None:
    text = "minimal: {zip: 13.5 MB, unzipped: 40MiB, modules: 7}\nmine: {zip: 12}\n"
    config = load_config(folder(tmp_path, text))
    assert config.budget("minimal") == Budget.model_validate(
        {"zip": 13_500_000, "unzipped": 40 * MIB, "modules": 7}
    )
    mine = config.budget("mine")
    assert mine
    assert (mine.zip, mine.unzipped, mine.modules) == (12, None, None)


def test_a_folder_without_budgets_limits_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path).budget("minimal") is None


@pytest.mark.parametrize("name", ["minimal", "default"])
def test_a_budget_is_not_inherited(tmp_path: Path, name: str) -> None:
    config = load_config(folder(tmp_path, f"{name}: {{zip: 1}}\n", f"default: {{}}\n{TWO}"))
    assert config.budget(name)
    assert config.budget("mine") is None


@pytest.mark.parametrize("distributions", ["minimal: {bas: x}\n", "["])
def test_problems_of_distributions_are_not_reported_for_budgets(
    tmp_path: Path, distributions: str
) -> None:
    problems = problems_of(folder(tmp_path, "minimal: {zip: 1}\n", distributions))
    assert [each.partition(":")[0] for each in problems] == ["distributions.yaml"]


@pytest.mark.parametrize("part", ["0", "1.01", "-1", ".nan", "all"])
def test_delivered_is_a_part_of_all(tmp_path: Path, part: str) -> None:
    problems = problems_of(folder(tmp_path, f"minimal: {{delivered: {part}}}\n"))
    assert [each.split(": ")[0] for each in problems] == ["budgets.yaml:1"]
    assert "delivered" in problems[0]


BUDGET = Budget.model_validate({"zip": 13 * MIB, "unzipped": "40 MiB", "modules": 198})


def test_a_layer_at_its_limits_is_within_its_budget() -> None:
    assert over_budget(BUDGET, zip_size=13 * MIB, unzipped=40 * MIB, modules=198) == ()


def test_every_exceeded_limit_is_reported() -> None:
    over = over_budget(BUDGET, zip_size=14 * MIB, unzipped=50 * MIB, modules=200)
    assert over == (
        "zip: 14.0 MiB is 1.0 MiB over the budget of 13.0 MiB",
        "unzipped: 50.0 MiB is 10.0 MiB over the budget of 40.0 MiB",
        "modules: 200 is 2 over the budget of 198",
    )


def test_a_few_bytes_more_are_reported_in_bytes() -> None:
    assert over_budget(BUDGET, zip_size=13 * MIB + 1, unzipped=0, modules=0) == (
        "zip: 13,631,489 bytes is 1 over the budget of 13,631,488",
    )


def test_a_size_without_a_limit_is_never_over() -> None:
    budget = Budget.model_validate({"modules": 1})
    assert over_budget(budget, zip_size=10**12, unzipped=10**12, modules=1) == ()
    assert over_budget(None, zip_size=10**12, unzipped=10**12, modules=10**6) == ()


def test_a_limit_of_nothing_is_a_limit() -> None:
    budget = Budget.model_validate({"zip": 0, "unzipped": 0, "modules": 0})
    assert len(over_budget(budget, zip_size=1, unzipped=1, modules=1)) == 3


@given(size=st.integers(0, 2**40), most=st.integers(0, 2**40))
def test_the_sentence_never_says_that_it_is_0_over(size: int, most: int) -> None:
    over = over_budget(Budget.model_validate({"zip": most}), zip_size=size, unzipped=0, modules=0)
    assert bool(over) == (size > most)
    assert not any(" 0.0 MiB over" in each for each in over)


def test_a_budget_of_a_tuned_distribution_is_not_for_upstreams_code_as_it_is(
    tmp_path: Path,
) -> None:
    (tmp_path / "tuning.yaml").write_text("small: {reason: x, tags: [small]}\n")
    distributions = "one: {tunings: [small]}\ntwo: {}\n"
    config = load_config(folder(tmp_path, "one: {modules: 7}\ntwo: {modules: 7}\n", distributions))
    for name in ("one", "two"):
        assert config.budget(name) == config.budgets[name]
    assert config.budget("one", tuned=False) is None
    assert config.budget("two", tuned=False) == config.budgets["two"]
    assert config.budget("mine", tuned=False) is None


def test_the_shipped_budget_has_room_for_upstreams_minimal() -> None:
    budget = load_config(SHIPPED).budget("minimal")
    assert budget
    assert over_budget(budget, zip_size=7_520_846, unzipped=21_560_000, modules=140) == ()
    assert len(over_budget(budget, zip_size=8_500_000, unzipped=25_000_000, modules=160)) == 3
