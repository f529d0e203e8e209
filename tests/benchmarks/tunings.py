"""Distributions with their tunings beside upstream as it is, in one run, as ratios.

    uv run python tests/benchmarks/tunings.py [-r REPOSITORY] [-b REF] [-d NAME ...] [--each]

Each distribution is built with its tunings, and the first one without any; `--each` also builds the
last one with its first tuning, with its first two, and so on. The bench starts all layers in turn,
beside a function of 512 MB: a life is a start, four invocations of ten items and SHUTDOWN. The
table is Markdown: the first line has medians, the others ratios to them. The collector config is
the same for all. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.folder import Config, load_config
from pipeline.naming import CUSTOM_TAG

OCELOT = Path(sys.executable).parent / "ocelot"
CONFIG = Path(__file__).parents[2] / "config"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
INVOCATIONS = 4
# The function's memory in MB, below that of a whole CPU, as most functions have it.
MEMORY = 512


@dataclass(frozen=True)
class Row:
    """A line of the table: its title, a distribution, and the tunings that it is built with."""

    title: str
    distribution: str
    tunings: tuple[str, ...]


def rows(config: Config, names: Sequence[str], *, each: bool) -> list[Row]:
    """The lines of the table; the first is upstream as it is."""
    found = [Row("upstream as it is", names[0], ())]
    if each:
        tunings = tuple(config.tunings_of(names[-1]))
        found += [
            Row(f"+ `{tuning}`", names[-1], tunings[: at + 1])
            for at, tuning in enumerate(tunings[:-1])
        ]
    return [*found, *(Row(f"`{name}`", name, tuple(config.tunings_of(name))) for name in names)]


def written_config(config: Config, lines: Sequence[Row], folder: Path) -> Path:
    """A config folder with a distribution `row-N` for each line, and without budgets."""
    made = shutil.copytree(config.folder, folder / "config")
    for name in ("budgets.yaml", "ocelot.lock"):
        (made / name).unlink(missing_ok=True)
    distributions: dict[str, Any] = {}
    for at, row in enumerate(lines):
        file = config.config_file(row.distribution)
        distributions[f"row-{at}"] = {
            "description": row.title,
            "buildtags": [tag for tag in config.tags(row.distribution) if tag != CUSTOM_TAG],
            "tunings": list(row.tunings),
            **({"config-file": str(file.relative_to(config.folder))} if file else {}),
        }
    (made / "distributions.yaml").write_text(yaml.safe_dump(distributions), encoding="utf-8")
    return made


def built(config: Path, name: str, upstream: Sequence[str], folder: Path) -> Path:
    """The zip of a distribution for this machine."""
    print(f"build {name}", file=sys.stderr)
    command = [OCELOT, "build", "-d", name, "-a", ARCHITECTURE, *upstream, "-o", folder]
    subprocess.run([*command, "--config", config], check=True, capture_output=True, cwd=folder)
    return folder / f"collector-{ARCHITECTURE}-{name}.zip"


def benched(zips: Sequence[Path], config: Path, starts: int) -> list[Mapping[str, Any]]:
    """The layers' results, as `ocelot bench` prints them."""
    command = [OCELOT, "bench", *zips, "--starts", str(starts), "--invocations", str(INVOCATIONS)]
    command += ["--env", f"AWS_LAMBDA_FUNCTION_MEMORY_SIZE={MEMORY}"]
    done = subprocess.run(
        [*command, "--json", "--config", config], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)["layers"]


def median(name: str) -> Callable[[Mapping[str, Any]], float]:
    """A function that reads the median of a figure."""
    return lambda layer: layer["figures"][name]["median"]


def milliseconds(value: float) -> str:
    """Seconds, as text."""
    return f"{value * 1000:.1f} ms"


def mebibytes(value: float) -> str:
    """Bytes, as text."""
    return f"{value / 2**20:.1f} MiB"


# For each column: its title, the value of a layer, the text of the first line's value.
COLUMNS: tuple[tuple[str, Callable[[Mapping[str, Any]], float], Callable[[float], str]], ...] = (
    ("zip", lambda layer: layer["size"], mebibytes),
    ("memory when ready", median("rss"), mebibytes),
    ("CPU to ready", median("cpu"), milliseconds),
    ("CPU of a life", median("life_cpu"), milliseconds),
    ("time added to an invocation", median("invocation_wall"), milliseconds),
    ("SHUTDOWN", median("shutdown"), milliseconds),
)


def table(lines: Sequence[Row], layers: Sequence[Mapping[str, Any]]) -> str:
    """The table; times the reference extension and what is delivered are no ratios."""
    titles = ["", *(title for title, _, _ in COLUMNS), "times the reference", "delivered"]
    text = [titles, ["---"] * len(titles)]
    first = layers[0]
    for row, layer in zip(lines, layers, strict=True):
        cells = [
            shown(value(layer)) if layer is first else f"{value(layer) / value(first):.2f}"
            for _, value, shown in COLUMNS
        ]
        times = layer["start"]["cpu_times"]
        cells += [f"{times:.1f}", f"{layer['figures']['delivered']['least']:.2f}"]
        text.append([row.title, *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in text)


def main() -> None:
    """Build the layers, run them, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-r", "--upstream-repo", default="sample")
    parser.add_argument("-b", "--upstream-ref", default="main")
    parser.add_argument("-d", "--distribution", action="append", help="default: minimal and tiny")
    parser.add_argument("--each", action="store_true", help="a line for each tuning")
    parser.add_argument("--starts", type=int, default=30)
    options = parser.parse_args()
    config = load_config(CONFIG)
    names = options.distribution or ["minimal", "tiny"]
    lines = rows(config, names, each=options.each)
    upstream = ("-r", options.upstream_repo, "-b", options.upstream_ref)
    with tempfile.TemporaryDirectory(prefix="ocelot-bench-") as temporary:
        folder = Path(temporary)
        own = written_config(config, lines, folder)
        zips = [built(own, f"row-{at}", upstream, folder) for at in range(len(lines))]
        print(table(lines, benched(zips, own, options.starts)))


if __name__ == "__main__":
    main()
