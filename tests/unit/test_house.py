"""Rules on the size and the wording of the code that no linter has."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from statistics import median

import pytest
from unit_examples import CHECKOUT

FILES = {
    path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8")
    for folder in ("pipeline", "tests")
    for path in sorted((CHECKOUT / folder).rglob("*.py"))
}
PACKAGE = {name: text for name, text in FILES.items() if name.startswith("pipeline/")}
TREES = {name: ast.parse(text) for name, text in FILES.items()}

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
MEDIAN_FUNCTION = 8

# Questions and riddles: a docstring says what a thing returns, does or is.
RIDDLE = re.compile(r"(What|Who|Whoever|Whether|Nobody|Somebody)\b")


def documented(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names and docstrings of a module, its classes and functions."""
    for node in ast.walk(tree):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield getattr(node, "name", "module"), text


def function_lengths(name: str) -> Iterator[tuple[str, int]]:
    """The functions of a file with their lines, decorators not counted."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


@pytest.mark.parametrize("riddle", ["What a zip holds.", "Who publishes.", "Whether it is there."])
def test_a_riddle_is_recognised(riddle: str) -> None:
    (found,) = documented(ast.parse(f'def f():\n    """{riddle}"""\n'))
    assert RIDDLE.match(found[1])


def test_docstrings_are_statements() -> None:
    assert [
        f"{name}:{owner}: {text.splitlines()[0]}"
        for name, tree in TREES.items()
        for owner, text in documented(tree)
        if RIDDLE.match(text)
    ] == []


def test_files_are_short() -> None:
    lengths = {name: text.count("\n") for name, text in PACKAGE.items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    lengths = dict(each for name in PACKAGE for each in function_lengths(name))
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}
    assert median(lengths.values()) <= MEDIAN_FUNCTION


def test_no_two_classes_share_a_name() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for name in PACKAGE:
        for node in ast.walk(TREES[name]):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(name)
    assert {each: files for each, files in homes.items() if len(files) > 1} == {}


def test_no_two_test_modules_share_a_name() -> None:
    """Pytest imports test modules by their names alone."""
    names = Counter(name.rpartition("/")[2] for name in FILES if re.search(r"/test_[^/]*$", name))
    assert [name for name, count in names.items() if count > 1] == []


def test_each_room_explains_itself() -> None:
    rooms = [name for name in PACKAGE if name.endswith("/__init__.py") and name.count("/") > 1]
    short = [room for room in rooms if len((ast.get_docstring(TREES[room]) or "").split()) < 20]
    assert rooms
    assert short == []
