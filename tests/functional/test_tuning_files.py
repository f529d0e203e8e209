"""Go files that tunings add to upstream's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from runs import CONFIG, go

MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
PRINTS_PROCESSORS = """\
package main

import "runtime"

func main() { print(runtime.GOMAXPROCS(0)) }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with `one-processor` that prints how many threads Go runs at once."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "go.mod").write_text("module program\n\ngo 1.25\n", encoding="utf-8")
    (folder / "main.go").write_text(PRINTS_PROCESSORS, encoding="utf-8")
    shutil.copy(CONFIG / "tuning" / "oneprocessor.go", folder)
    go("vet", ".", cwd=folder)
    go("build", "-o", "program", ".", cwd=folder)
    return folder / "program"


def processors(program: Path, environment: dict[str, str]) -> int:
    ran = subprocess.run([program], env=environment, capture_output=True, check=True)
    return int(ran.stderr)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({MEMORY: "128"}, 1),
        ({MEMORY: "1768"}, 1),
        ({MEMORY: "1769"}, None),
        ({MEMORY: "10240"}, None),
        ({MEMORY: ""}, None),
        ({MEMORY: "512 MB"}, None),
        ({MEMORY: "0"}, None),
        ({MEMORY: "-128"}, None),
        ({MEMORY: "128", "GOMAXPROCS": "3"}, 3),
        ({MEMORY: "128", "GOMAXPROCS": ""}, 1),
    ],
)
def test_a_function_with_less_than_one_cpu_has_one_processor(
    program: Path, environment: dict[str, str], expected: int | None
) -> None:
    expected = processors(program, {}) if expected is None else expected
    assert processors(program, environment) == expected
