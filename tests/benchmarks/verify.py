"""`ocelot verify --shared-cache` beside `ocelot build --rebuild`, in one run, as a ratio.

    uv run python tests/benchmarks/verify.py [--runs N]

Both compile and pack the sample's minimal distribution for both architectures, from the same lock
and with the same compiled packages at hand; what verify does besides is to compare. Wanted is a
ratio of at most 1.1; nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline import paths

OCELOT = Path(sys.executable).parent / "ocelot"
CONFIG = Path(__file__).parents[2] / "config"
BUILD = ("build", "-d", "minimal", "-r", "sample", "-o", "dist")


class Bench:
    """A folder with a locked configuration and what was built from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(CONFIG, folder / "config")
        (folder / "cache").mkdir()
        (folder / "cache" / "go").symlink_to(paths.cache_folder() / "go")
        self.seconds("lock", "-d", "minimal", "-r", "sample")
        self.seconds(*BUILD)

    def seconds(self, *arguments: str) -> float:
        """Seconds of one command."""
        command = [OCELOT, *arguments, "--config", "config"]
        environment = {**os.environ, "OCELOT_CACHE": str(self.folder / "cache")}
        started = time.monotonic()
        subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True)
        return time.monotonic() - started

    def pair(self) -> tuple[float, float]:
        """A verification and a build, one after the other."""
        return self.seconds("verify", "--shared-cache", "dist/manifest.json"), self.seconds(
            *BUILD, "--rebuild"
        )


def main() -> None:
    """Run the pairs and print the median of their ratios, with the seconds behind it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="pairs")
    runs = parser.parse_args().runs
    (paths.cache_folder() / "go").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ocelot-bench-") as folder:
        bench = Bench(Path(folder))
        pairs = [bench.pair() for _ in range(runs)]
    ratio = statistics.median(verify / build for verify, build in pairs)
    verify, build = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"verify, against build --rebuild: ratio {ratio:.2f} "
        f"({verify:.2f} s to {build:.2f} s, {runs} pairs)"
    )


if __name__ == "__main__":
    main()
