"""The rules of the house that only its imports can show: who prints, who opens which door."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from unit_examples import CHECKOUT

PACKAGE = CHECKOUT / "pipeline"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# Package by package, the places that may import it, as prefixes of paths.
DOORS = {
    "rich": ("cli/", "report/"),
    "typer": ("cli/",),
    "dagger": (
        "module.py",
        "module_options.py",
        "module_bench.py",
        "module_container.py",
        "module_publish.py",
        "build/engines/dagger.py",
        "build/engines/dagger_git.py",
        "gitops/",
    ),
    "boto3": ("publish/aws/",),
    "botocore": ("publish/aws/",),
    "aiohttp": ("bench/",),
    "grpc": ("bench/",),
    "opentelemetry": ("bench/",),
}

HEAVY = ("anyio", "cyclonedx", "deflate", "pydantic", "rapidfuzz", "rich", "yaml")

LOOK = f"""
import json, sys
from pipeline import cli
sys.argv = ["ocelot", "--help"]
sys.stdout = sys.stderr
try:
    cli.main()
except SystemExit:
    print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.__stdout__)
"""


@cache
def syntax(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"), filename=module)


def imported(module: str) -> Iterator[str]:
    """The names of all modules that a file imports, wherever in it."""
    for node in ast.walk(syntax(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def says(module: str) -> Iterator[str]:
    """The ways in which a file writes to a user's screen."""
    for node in ast.walk(syntax(module)):
        if isinstance(node, ast.Name) and node.id == "print":
            yield "print"
        if isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr"):
            owner = node.value
            if isinstance(owner, ast.Name) and owner.id == "sys":
                yield f"sys.{node.attr}"


def test_there_are_modules_to_look_at() -> None:
    assert {"cli/__init__.py", "build/plan.py", "report/progress.py"} <= set(MODULES)


@pytest.mark.parametrize("package", DOORS)
def test_a_package_is_imported_behind_its_door_alone(package: str) -> None:
    outside = [
        module
        for module in MODULES
        if not module.startswith(DOORS[package])
        and any(name.split(".")[0] == package for name in imported(module))
    ]
    assert outside == []


def test_the_doors_that_exist_are_used() -> None:
    assert [
        package
        for package in ("rich", "typer")
        if not any(name.split(".")[0] == package for each in MODULES for name in imported(each))
    ] == []


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith(("cli/", "report/"))])
def test_the_library_never_prints(module: str) -> None:
    assert list(says(module)) == []


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith("cli/")])
def test_nobody_but_the_command_line_imports_the_command_line(module: str) -> None:
    assert [name for name in imported(module) if name.startswith("pipeline.cli")] == []


FRONTS = (
    "cli/",
    "report/",
    "module.py",
    "module_options.py",
    "module_bench.py",
    "module_publish.py",
)


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith(FRONTS)])
def test_the_library_does_not_know_its_reports(module: str) -> None:
    assert [name for name in imported(module) if name.startswith("pipeline.report")] == []


@pytest.mark.parametrize(
    "module",
    [
        *("build/plan.py", "build/recipe.py", "build/catalog.py", "build/failure.py", "naming.py"),
        *("supply/budgets.py", "supply/findings.py", "supply/inputs.py", "supply/provenance.py"),
        *("supply/buildinfo.py", "supply/components.py", "supply/elf.py", "supply/functions.py"),
        *("supply/layerfile.py", "supply/sbom.py", "supply/sizes.py", "supply/compare.py"),
        *("build/gomod.py", "publish/regions.py", "publish/row.py", "publish/table.py"),
        "publish/history.py",
        *("bench/faults.py", "bench/machine.py", "bench/verdicts.py"),
    ],
)
def test_what_decides_does_nothing(module: str) -> None:
    effects = {"os", "subprocess", "anyio", "shutil", "tempfile", "pipeline.process"}
    assert effects & set(imported(module)) == set()


LOAD = """
import sys
for name in ("aiohttp", "grpc"):  # the SDK itself brings OpenTelemetry along
    sys.modules[name] = None
import pipeline.module
"""


def test_the_dagger_module_loads_without_what_only_the_bench_needs() -> None:
    command = [sys.executable, "-c", LOAD]
    loaded = subprocess.run(
        command, cwd=Path(CHECKOUT), capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr


def test_the_package_itself_imports_nothing() -> None:
    assert list(imported("__init__.py")) == []


def test_help_imports_nothing_heavy() -> None:
    looked = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=Path(CHECKOUT), capture_output=True, text=True, check=True
    )
    assert json.loads(looked.stdout) == []
