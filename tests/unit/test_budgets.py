from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_examples import SHIPPED, loaded, told, write_config

from pipeline.config import load_config
from pipeline.model import Budget
from pipeline.supply.budgets import over_budget

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


def test_a_budget_is_not_inherited(tmp_path: Path) -> None:
    config = load_config(folder(tmp_path, "minimal: {zip: 1}\n"))
    assert config.budget("minimal")
    assert config.budget("mine") is None


def test_default_is_a_distribution_like_any_other(tmp_path: Path) -> None:
    config = load_config(folder(tmp_path, "default: {zip: 1}\n", f"default: {{}}\n{TWO}"))
    assert config.budget("default")
    assert config.budget("mine") is None


@pytest.mark.parametrize(
    ("budgets", "message"),
    [
        (
            "\nminimall:\n  zip: 1\n",
            "budgets.yaml:2: minimall: there is no such distribution; perhaps you meant minimal?",
        ),
        (
            "minimal:\n  zip: 1\n  unziped: 1\n",
            "budgets.yaml:3: minimal.unziped: unknown key; perhaps you meant unzipped?",
        ),
        (
            "minimal:\n  modules: 1\n  zip: 14 MiBs\n",
            "budgets.yaml:3: minimal.zip: must be a size such as 14 MiB, or a number of bytes",
        ),
        (
            "minimal:\n",
            "budgets.yaml:1: minimal: must limit zip, unzipped, modules, cpu-to-ready or "
            "memory-when-ready",
        ),
        (
            "minimal:\n  cpu-to-ready: 0\n",
            "budgets.yaml:2: minimal.cpu-to-ready: Input should be greater than 0",
        ),
        (
            "minimal:\n  memory-when-ready: .inf\n",
            "budgets.yaml:2: minimal.memory-when-ready: Input should be a finite number",
        ),
        (
            "minimal:\n  modules: -1\n",
            "budgets.yaml:2: minimal.modules: Input should be greater than or equal to 0",
        ),
        ("[]\n", "budgets.yaml:1: must map names to entries"),
        ("'a b': {zip: 1}\n", "budgets.yaml:1: 'a b' cannot be a distribution's name"),
    ],
)
def test_a_problem_is_told_with_its_line(tmp_path: Path, budgets: str, message: str) -> None:
    assert told(folder(tmp_path, budgets)) == [message]


def test_a_file_that_is_no_yaml_is_told(tmp_path: Path) -> None:
    assert told(folder(tmp_path, "minimal: {\n"))[0].startswith("budgets.yaml:2: not YAML")


def test_a_distribution_with_problems_of_its_own_is_still_there(tmp_path: Path) -> None:
    problems = told(folder(tmp_path, "minimal: {zip: 1}\n", "minimal: {bas: x}\n"))
    assert [each.partition(":")[0] for each in problems] == ["distributions.yaml"]


def test_unreadable_distributions_do_not_put_the_blame_on_budgets(tmp_path: Path) -> None:
    problems = told(folder(tmp_path, "minimal: {zip: 1}\n", "["))
    assert [each.partition(":")[0] for each in problems] == ["distributions.yaml"]


BUDGET = Budget.model_validate({"zip": 13 * MIB, "unzipped": "40 MiB", "modules": 198})


def test_a_layer_at_its_limits_is_within_its_budget() -> None:
    assert over_budget(BUDGET, zip_size=13 * MIB, unzipped=40 * MIB, modules=198) == ()


def test_every_limit_that_is_passed_is_told() -> None:
    over = over_budget(BUDGET, zip_size=14 * MIB, unzipped=50 * MIB, modules=200)
    assert over == (
        "zip: 14.0 MiB is 1.0 MiB over the budget of 13.0 MiB",
        "unzipped: 50.0 MiB is 10.0 MiB over the budget of 40.0 MiB",
        "modules: 200 is 2 over the budget of 198",
    )


def test_a_few_bytes_more_are_told_in_bytes() -> None:
    assert over_budget(BUDGET, zip_size=13 * MIB + 1, unzipped=0, modules=0) == (
        "zip: 13,631,489 bytes is 1 over the budget of 13,631,488",
    )


def test_what_has_no_limit_is_never_over() -> None:
    budget = Budget.model_validate({"modules": 1})
    assert over_budget(budget, zip_size=10**12, unzipped=10**12, modules=1) == ()
    assert over_budget(None, zip_size=10**12, unzipped=10**12, modules=10**6) == ()


def test_a_limit_of_nothing_is_a_limit() -> None:
    budget = Budget.model_validate({"zip": 0, "unzipped": 0, "modules": 0})
    assert len(over_budget(budget, zip_size=1, unzipped=1, modules=1)) == 3


@given(size=st.integers(0, 2**40), most=st.integers(0, 2**40))
def test_the_sentence_never_says_that_it_is_nothing_over(size: int, most: int) -> None:
    over = over_budget(Budget.model_validate({"zip": most}), zip_size=size, unzipped=0, modules=0)
    assert bool(over) == (size > most)
    assert not any(" 0.0 MiB over" in each for each in over)


def test_the_shipped_budget_has_room_for_upstreams_minimal() -> None:
    budget = load_config(SHIPPED).budget("minimal")
    assert budget
    assert over_budget(budget, zip_size=13_417_405, unzipped=43_151_841, modules=198) == ()
    assert len(over_budget(budget, zip_size=15_000_000, unzipped=48_000_000, modules=220)) == 3
