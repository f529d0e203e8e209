"""The evaluator of GitHub's expressions, by GitHub's rules."""

from __future__ import annotations

from typing import Any

import pytest
from expressions import ExpressionError, Value, filled, is_true, value_of


def joined(*words: str) -> str:
    return "-".join(words)


CONTEXTS: dict[str, Any] = {
    "inputs": {"dry-run": False, "name": "minimal", "text": "it's"},
    "vars": {"SET": "yes"},
    "needs": {"build": {"result": "success", "outputs": {"number": "7"}}},
    "success()": lambda: True,
    "cancelled()": lambda: False,
    "joined()": joined,
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.name", "minimal"),
        ("inputs.dry-run", False),
        ("vars.UNSET", None),
        ("needs.build.outputs.number", "7"),
        ("needs.build.outputs.other", None),
        ("'it''s'", "it's"),
        ("inputs.text == 'IT''S'", True),
        ("inputs.dry-run && 'a' || 'b'", "b"),
        ("!inputs.dry-run && 'a' || 'b'", "a"),
        ("vars.UNSET || vars.SET", "yes"),
        ("inputs.name != 'full' && !(inputs.dry-run || inputs.name == 'x')", True),
        ("true || false && false", True),
        ("1 == 1", True),
        ("joined('a', inputs.name)", "a-minimal"),
    ],
)
def test_an_expression_comes_to(expression: str, value: Value) -> None:
    assert value_of(expression, CONTEXTS) == value


@pytest.mark.parametrize(
    "expression",
    [
        "inputs.nome",
        "github.token",
        "inputs",
        "inputs.name.more",
        "'open",
        "inputs.name ==",
        "(true",
        "true true",
        "format('{0}', 1)",
        "inputs['name']",
        "",
    ],
)
def test_what_is_not_known_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        value_of(expression, CONTEXTS)


def test_a_text_is_filled_once() -> None:
    contexts = {"inputs": {"name": "${{ inputs.name }}", "flag": True, "none": None}}
    text = "a ${{ inputs.name }} b ${{inputs.flag}} c ${{ inputs.none }}"
    assert filled(text, contexts) == "a ${{ inputs.name }} b true c "


def test_a_condition_without_a_status_check_needs_success() -> None:
    failed = {**CONTEXTS, "success()": lambda: False}
    assert is_true("${{ !inputs.dry-run }}", CONTEXTS)
    assert not is_true("${{ !inputs.dry-run }}", failed)
    assert is_true("${{ !cancelled() && !inputs.dry-run }}", failed)
    assert not is_true("inputs.dry-run", CONTEXTS)
