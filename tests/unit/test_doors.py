"""Rules on imports that import-linter, see pyproject.toml, does not check."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit_examples import CHECKOUT

PACKAGE = CHECKOUT / "pipeline"

HEAVY = (
    "anyio",
    "cyclonedx",
    "deflate",
    "identify",
    "jinja2",
    "pydantic",
    "rapidfuzz",
    "rich",
    "yaml",
)

LOOK = f"""
import json, sys
from pipeline import cli
sys.argv = ["ocelot", *sys.argv[1:]]
sys.stdout = sys.stderr
try:
    cli.main()
except SystemExit:
    print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.__stdout__)
"""


def imported(module: str) -> Iterator[str]:
    """The names of all modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_library_never_prints() -> None:
    paths = {path: path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    library = [
        path for path, name in paths.items() if not name.startswith(("__main__", "cli/", "report/"))
    ]
    says = re.compile(r"\bprint\(|\bsys\.std(out|err)\b")
    assert library
    assert [paths[path] for path in library if says.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    "module",
    [
        *("build/plan.py", "build/recipe.py", "build/components.py", "build/failure.py"),
        *("build/modules.py", "build/tuning.py", "naming.py"),
        *("audit/findings.py", "audit/compare.py", "supply/inputs.py", "supply/provenance.py"),
        *("layer/buildinfo.py", "layer/components.py", "layer/elf.py", "layer/functions.py"),
        *("layer/layerfile.py", "layer/sizes.py", "supply/sbom.py"),
        *(
            "aws/regions.py",
            "registry/row.py",
            "registry/arns.py",
            "registry/table.py",
            "registry/history.py",
        ),
        *("notes/difference.py", "notes/layers_file.py"),
        *("bench/faults.py", "bench/collector.py", "bench/result.py", "bench/telemetry/items.py"),
    ],
)
def test_what_decides_does_nothing(module: str) -> None:
    effects = {"os", "subprocess", "anyio", "shutil", "tempfile", "pipeline.process"}
    assert effects & set(imported(module)) == set()


def test_the_package_itself_imports_nothing() -> None:
    assert list(imported("__init__.py")) == []


@pytest.mark.parametrize("command", [(), ("build",), ("publish",), ("inspect",), ("notes",)])
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    looked = subprocess.run(
        [sys.executable, "-c", LOOK, *command, "--help"],
        cwd=Path(CHECKOUT),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(looked.stdout) == []
