"""How long it takes to look into a layer.

    uv run python tests/benchmarks/supply.py dist/*.zip [--runs N]

For each zip: `ocelot inspect`, with `--sizes`, with `--sbom`, as a user runs them, and the parts of
that work in one process. Medians are printed in seconds; nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.layer.buildinfo import read_build_info
from pipeline.layer.components import find_components
from pipeline.layer.elf import read_elf
from pipeline.layer.functions import read_functions
from pipeline.layer.layerfile import open_layer
from pipeline.layer.sizes import read_sizes
from pipeline.paths import module_cache
from pipeline.supply.licences import licences
from pipeline.supply.sbom import bill_of_materials

OCELOT = Path(sys.executable).parent / "ocelot"


def seconds(work: Callable[[], object], runs: int) -> float:
    """The median wall time of some work."""
    times: list[float] = []
    for _ in range(runs):
        started = time.monotonic()
        work()
        times.append(time.monotonic() - started)
    return statistics.median(times)


def commands(path: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """The commands, as processes of their own."""

    def run(*options: str) -> Callable[[], object]:
        argv = [str(OCELOT), "inspect", str(path), *options]
        return lambda: subprocess.run(argv, check=True, capture_output=True)

    return {
        "inspect": run(),
        "inspect --sizes": run("--sizes"),
        "inspect --json": run("--json"),
        "inspect --sbom": run("--sbom", str(folder / "sbom.json")),
    }


def parts(path: Path) -> dict[str, Callable[[], object]]:
    """The parts of the work, without starting Python and importing."""
    content = path.read_bytes()
    layer = open_layer(content, file=path.name)
    elf = read_elf(layer.collector)
    info, table = read_build_info(elf), read_functions(elf)
    sizes, known = read_sizes(elf, info, table), licences(info.modules, module_cache())
    return {
        "unpack": lambda: open_layer(content, file=path.name),
        "build info": lambda: read_build_info(read_elf(layer.collector)),
        "functions": lambda: read_functions(elf),
        "sizes": lambda: read_sizes(elf, info, table),
        "components": lambda: find_components(info, table, sizes),
        "licences, known texts": lambda: licences(info.modules, module_cache()),
        "bill of materials": lambda: bill_of_materials(layer, info, name="a", licences=known),
    }


def main() -> None:
    """Time every zip that is named."""
    parser = argparse.ArgumentParser(description="Time looking into layers.")
    parser.add_argument("zips", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in given.zips:
            print(path)
            for name, work in {**commands(path, Path(folder)), **parts(path)}.items():
                print(f"  {name:<24}{seconds(work, given.runs):.3f} s")


if __name__ == "__main__":
    main()
