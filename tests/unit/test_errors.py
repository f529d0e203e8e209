from __future__ import annotations

import re

import pytest
from unit_examples import CHECKOUT

from pipeline import errors
from pipeline.errors import EXIT_CODES, Attempt, AwsError, ConfigError, OcelotError, Problem

CLASSES = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, OcelotError)
]


def test_every_class_has_an_exit_code_of_its_own() -> None:
    codes = [each.exit_code for each in CLASSES]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_is_in_the_table(kind: type[OcelotError]) -> None:
    assert EXIT_CODES[kind.exit_code] == kind.meaning


def test_the_table_has_nothing_else_but_success() -> None:
    assert set(EXIT_CODES) == {0, *(each.exit_code for each in CLASSES)}


@pytest.mark.parametrize("code", EXIT_CODES)
def test_the_readme_lists_every_exit_code(code: int) -> None:
    word = re.split(r"\W", EXIT_CODES[code], maxsplit=1)[0]
    lines = (CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.search(rf"\b{code}\b.*\b{word}", line)]


def test_a_problem_of_a_whole_file_has_no_line() -> None:
    assert str(Problem(file="a.yaml", line=0, message="is empty")) == "a.yaml: is empty"


def test_a_single_problem_is_counted_as_one() -> None:
    error = ConfigError((Problem(file="a.yaml", line=3, message="x"),))
    assert str(error) == "1 problem in the configuration"
    assert error.details == ("a.yaml:3: x",)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AwsError("refused", hint="log in"), "refused; log in"),
        (AwsError("refused"), "refused"),
        (KeyError("x"), "unexpected KeyError: 'x'"),
    ],
)
def test_an_attempt_turns_an_error_into_a_line(error: Exception, line: str) -> None:
    with Attempt() as attempt:
        raise error
    assert attempt.error == line


def test_an_attempt_does_not_catch_an_interruption() -> None:
    with pytest.raises(KeyboardInterrupt), Attempt():
        raise KeyboardInterrupt
